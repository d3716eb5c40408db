"""What `cdp identity benchmark` shows: figures of who is who, and what in them asks for a look.

Belongs here: the words and the columns. Does not belong here: the figures
(`cdp.identity.benchmark`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from cdp.commands.terminal import answer, cell, count, err, grid, out

if TYPE_CHECKING:
    from cdp.identity.agreement import Agreement
    from cdp.identity.benchmark import Benchmark, Churn, SizeClass

_ALIKE = {
    "name_and_postcode": "a whole name and a postcode",
    "name_and_birth_date": "a whole name and a date of birth",
}


def tell_benchmark(figures: Benchmark, *, as_json: bool) -> None:
    """Show the figures."""
    if as_json:
        labels = figures.labels
        told = None
        if labels is not None:
            told = {**asdict(labels), "precision": labels.precision, "recall": labels.recall}
        answer({**asdict(figures), "labels": told})
        return
    out.print(
        f"{count(figures.identifiers)} identifiers, {count(figures.edges)} edges, "
        f"{count(figures.profiles)} profiles"
    )
    if figures.likely:
        out.print(f"Matching has found {count(figures.likely)} edges more.")
    _tell_sizes(figures)
    _tell_largest(figures)
    _tell_too_much(figures)
    _tell_too_little(figures)
    _tell_left_out(figures)
    _tell_quarantine(figures)
    _tell_churn(figures.churn)
    if figures.labels is not None:
        _tell_labels(figures.labels)
    if not figures.is_published:
        err.print("This was built by a run that is not the last published one; readers see others.")


def _heading(text: str) -> None:
    out.print()
    out.print(f"[bold]{text}[/]")


def _tell_sizes(figures: Benchmark) -> None:
    _heading("Sizes of profiles")
    table = grid(
        "identifiers", "profiles", "share", "identifiers in all",
        numbers=("identifiers", "profiles", "share", "identifiers in all"),
    )  # fmt: skip
    for each in figures.sizes:
        if each.profiles:
            table.add_row(
                _range(each),
                count(each.profiles),
                _share(each.profiles, figures.profiles),
                count(each.identifiers),
            )
    out.print(table)


def _range(each: SizeClass) -> str:
    if each.most is None:
        return f"{each.least} and more"
    return str(each.least) if each.least == each.most else f"{each.least} to {each.most}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _tell_largest(figures: Benchmark) -> None:
    _heading("Largest profiles")
    numbers = ("identifiers", "given names", "surnames", "postcodes")
    table = grid("profile", *numbers, "of which", numbers=numbers)
    for each in figures.largest:
        table.add_row(
            str(each.profile_id),
            *map(count, (each.identifiers, each.given_names, each.surnames, each.postcodes)),
            cell(_listed(each.by_type)),
        )
    out.print(table)


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{count(number)} {name}" for name, number in numbers.items())


def _tell_too_much(figures: Benchmark) -> None:
    _heading("Signs of too much in one profile")
    table = grid("sign", "more than", "profiles", "such as", numbers=("more than", "profiles"))
    for each in figures.too_much:
        examples = ", ".join(map(str, each.examples))
        table.add_row(cell(each.sign), count(each.allowed), count(each.profiles), examples)
    out.print(table)


def _tell_too_little(figures: Benchmark) -> None:
    _heading("Signs of people in several profiles")
    share = _share(figures.singles, figures.profiles)
    out.print(f"{count(figures.singles)} profiles ({share}) have a single identifier.")
    if figures.alike is None:
        out.print("Profiles have not been built; who tells the same is not known.")
    for each in figures.alike or ():
        out.print(
            f"{count(each.profiles)} profiles share {_ALIKE[each.sign]} with others "
            f"(groups: {count(each.groups)})."
        )


def _tell_left_out(figures: Benchmark) -> None:
    _heading("Edges that join nobody")
    if figures.left_out:
        table = grid("rule", "edges", numbers=("edges",))
        for rule, number in figures.left_out.items():
            table.add_row(cell(rule), count(number))
        out.print(table)
    else:
        out.print("None.")
    for name, numbers in (("blocked", figures.blocked), ("unreadable", figures.unreadable)):
        if numbers:
            out.print(f"{count(sum(numbers.values()))} values are {name}: ", end="")
            out.print(cell(_listed(numbers)))
    if figures.bad_values:
        out.print(f"{count(figures.bad_values)} values have proved to be nobody's own.")


def _tell_quarantine(figures: Benchmark) -> None:
    _heading("Groups that are implausible as one person")
    if not figures.quarantine:
        out.print("None.")
        return
    numbers = ("seen", "allowed", "identifiers", "edges left out")
    table = grid("group", "kind", "sign", *numbers, numbers=numbers)
    for each in figures.quarantine:
        told = (each.seen, each.allowed, each.identifiers, each.edges_left_out)
        table.add_row(str(each.cluster_id), each.kind, each.sign, *map(count, told))
    out.print(table)
    more = sum(figures.quarantined.values()) - len(figures.quarantine)
    if more > 0:
        out.print(f"and {count(more)} more")


def _tell_churn(runs: tuple[Churn, ...]) -> None:
    _heading("Churn of the last published runs")
    if not runs:
        out.print("No run has been published.")
        return
    numbers = ("ids before", "ended", "identifiers before", "moved")
    table = grid("run", "as of", *numbers, "by cause", numbers=numbers)
    for each in runs:
        table.add_row(
            str(each.run_number),
            cell(each.as_of),
            count(each.ids_before),
            count(each.ids_ended),
            count(each.identifiers_before),
            count(sum(each.moved.values())),
            cell(_listed(each.moved) or None),
        )
    out.print(table)


def _tell_labels(labels: Agreement) -> None:
    _heading("What people have said, and rows and rules without it")
    out.print(
        f"{count(labels.joins)} pairs are said to be one person's, of which rows tie "
        f"{count(labels.joins_tied)}; {count(labels.splits)} to be two people's, of which rows tie "
        f"{count(labels.splits_tied)}."
    )
    shown = {"precision": labels.precision, "recall": labels.recall}
    out.print(
        ", ".join(f"{name} {'–' if v is None else format(v, '.3f')}" for name, v in shown.items())
    )
