"""What `cdp identity diff` shows: what other rules would change.

Belongs here: the words and the columns. Does not belong here: what differs
(`cdp.identity.rule_change`), getting at it (`cdp.commands.trying_rules`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from cdp.commands.terminal import answer, cell, count, err, grid, moment, out

if TYPE_CHECKING:
    from cdp.commands.trying_rules import Tried
    from cdp.identity.rule_change import BeforeAfter, RuleChange


def tell_rule_change(change: RuleChange, tried: Tried, *, as_json: bool) -> None:
    """Show what would differ."""
    base = tried.base
    if as_json:
        answer(
            {
                "run_id": base.run_id,
                "as_of": base.as_of,
                "rules": dict(tried.files),
                "only_rules": tried.only_rules,
                "differs": not change.is_none,
                **asdict(change),
            }
        )
        return
    named = ", ".join(f"{seed}.csv" for seed in tried.files)
    out.print(
        f"What {named} would change of run {base.run_number}, as of {moment(base.as_of)} UTC. "
        "Nothing is written."
    )
    if not tried.only_rules:
        err.print(
            "Settings, declarations or models have changed since that run: what differs may be "
            "theirs too."
        )
    if change.is_none:
        out.print("Nobody would be anybody else, and nothing else would differ.")
        return
    _tell_people(change)
    _tell_examples(change)
    _tell_profiles(change)
    _tell_segments(change)
    _tell_edges(change)


def _tell_people(change: RuleChange) -> None:
    out.print()
    out.print("[bold]Who is who[/]")
    table = grid("what", "how many", numbers=("how many",))
    table.show_header = False
    table.add_row("profiles", _arrow(change.profiles))
    for name, number in (
        ("profiles that several would become", change.merges),
        ("made of", change.merged),
        ("profiles that would be several", change.splits),
        ("ids that would end", change.ids_ended),
        ("ids that would begin", change.ids_begun),
        ("identifiers that would change hands", change.moved),
        ("of them, nobody's any more", change.freed),
        ("of them, nobody's so far", change.claimed),
    ):
        table.add_row(name, count(number))
    out.print(table)


def _arrow(told: BeforeAfter) -> str:
    return f"{count(told.before)} → {count(told.after)}"


def _tell_examples(change: RuleChange) -> None:
    rows = [(_ids(each.of), "become", str(each.profile_id)) for each in change.merge_examples]
    rows += [(str(each.profile_id), "becomes", _ids(each.into)) for each in change.split_examples]
    for each in change.ended_examples:
        now = "nobody" if each.profile_id is None else str(each.profile_id)
        rows.append((str(each.former_id), "would be", now))
    if rows:
        out.print()
        out.print("[bold]Such as profiles[/]")
        table = grid("", "", "")
        table.show_header = False
        for row in rows:
            table.add_row(*row)
        out.print(table)


def _ids(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))


def _tell_profiles(change: RuleChange) -> None:
    out.print()
    told = count(change.changed)
    out.print(f"[bold]Profiles that would keep their id and say something else[/]: {told}")
    if not change.changed:
        return
    table = grid("column", "profiles", numbers=("profiles",))
    for name, number in change.changed_columns.items():
        table.add_row(cell(name), count(number))
    out.print(table)
    out.print(f"such as {_ids(change.changed_examples)}")


def _tell_segments(change: RuleChange) -> None:
    out.print()
    out.print("[bold]Segments[/]")
    numbers = ("before", "after", "would enter", "would leave")
    table = grid("segment", *numbers, numbers=numbers)
    for each in change.segments:
        told = (each.before, each.after, each.entered, each.left)
        table.add_row(cell(each.segment), *map(count, told))
    out.print(table)


def _tell_edges(change: RuleChange) -> None:
    out.print()
    out.print("[bold]Edges that join nobody[/]")
    if change.left_out:
        table = grid("rule", "before", "after", numbers=("before", "after"))
        for rule, told in change.left_out.items():
            table.add_row(cell(rule), count(told.before), count(told.after))
        out.print(table)
    out.print(
        f"{count(change.left_out_anew)} would be left out, {count(change.joins_again)} again not."
    )
    out.print()
    out.print(f"[bold]Groups that are implausible as one person[/]: {_arrow(change.quarantine)}")
    for name, ids in (("would enter", change.quarantined), ("would leave", change.released)):
        if ids:
            out.print(f"{name}: {_ids(ids)}")
