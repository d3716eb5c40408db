"""`cdp profile`: one person as the published set has them.

Belongs here: finding and showing one, and on request what the warehouse knows of why. Does not
belong here: what a profile is (the models), who may see which field (`cdp.warehouse.readers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cdp.commands.looking import HELP_OF_ROLE, set_with, warehouse_at_rest
from cdp.commands.terminal import CommandFailed, Exit, answer, cell, err, grid, out
from cdp.warehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from cdp.warehouse.published import RoleView

app = typer.Typer(help="Profiles in the published set.", no_args_is_help=True)


@app.callback()
def _profiles() -> None:
    """Profiles in the published set."""


@app.command()
def show(
    profile_id: Annotated[int, typer.Argument(help="The id of the profile.")],
    role: Annotated[
        str | None,
        typer.Option(help=f"{HELP_OF_ROLE} What that role may not see stays empty."),
    ] = None,
    with_evidence: Annotated[
        bool | None,
        typer.Option(
            "--evidence/--no-evidence",
            help="What ties each identifier to the others: the label of whoever says so, else the "
            "strongest row, else what matching found. Shown without being asked for, unless a run "
            "holds the warehouse, where it is read; `--evidence` waits five seconds for it, "
            "`--no-evidence` leaves it out.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")] = False,
) -> None:
    """Show a profile: its traits, its identifiers and what ties them together, its segments.

    A former id is that of the profile to which it belongs now."""
    settings = load_settings()
    asked = profile_id
    with set_with(settings, "dim_profiles", role) as (reader, seen):
        profile_id = _now(seen, asked)
        found = seen.one("SELECT * FROM dim_profiles WHERE profile_id = ?", [profile_id])
        if found is None:
            raise CommandFailed(
                f"the published set has no profile {asked}, now or formerly; look at the number",
                Exit.NOT_FOUND,
            )
        identifiers = _rows(
            seen,
            "dim_identifiers",
            "SELECT identifier_type, identifier_value, birth FROM dim_identifiers "
            "WHERE profile_id = ? ORDER BY birth",
            profile_id,
        )
        segments = _rows(
            seen,
            "fct_segment_memberships",
            "SELECT segment_name, entered_at FROM fct_segment_memberships "
            "WHERE profile_id = ? AND exited_at IS NULL ORDER BY segment_name",
            profile_id,
        )
    # Once the set is closed: where sets are schemas of the warehouse, that holds it too.
    evidence = _evidence(settings, profile_id, reader, asked_for=with_evidence)
    if asked != profile_id:
        err.print(f"{asked} is a former id, which belongs to profile {profile_id} now.")
    if as_json:
        answer(
            {
                **found,
                "former_id": None if asked == profile_id else asked,
                "identifiers": None
                if identifiers is None
                else [
                    {"type": kind, "value": value}
                    | ({} if evidence is None else {"evidence": evidence.get(birth)})
                    for kind, value, birth in identifiers
                ],
                "segments": None
                if segments is None
                else [{"segment": name, "entered_at": at} for name, at in segments],
            }
        )
        return
    table = grid("trait", "value")
    for name, value in found.items():
        if value is not None:
            table.add_row(name, Text(str(value)) if name == "profile_id" else cell(value))
    out.print(table)
    out.print()
    if identifiers is None:
        out.print("identifiers: the role does not find them")
    else:
        heads = () if evidence is None else ("first at", "source", "event or label", "why")
        listed = grid("identifier", "value", *heads)
        for kind, value, birth in identifiers:
            told = () if evidence is None else _told(evidence.get(birth, {}))
            listed.add_row(cell(kind), cell(value), *map(cell, told))
        out.print(listed)
    out.print()
    if segments is None:
        out.print("segments: the role does not find them")
    else:
        out.print(f"segments: {', '.join(name for name, _ in segments) or 'none'}")


def _rows(seen: RoleView, table: str, sql: str, *parameters: Any) -> list[tuple[Any, ...]] | None:
    """The rows of a query on a table; None where the role's set does not have the table."""
    return seen.rows(sql, list(parameters)) if seen.has_table(table) else None


def _now(seen: RoleView, profile_id: int) -> int:
    """The profile that an id belongs to now; the id itself where the set does not tell."""
    if not seen.has_table("dim_profile_ids"):
        return profile_id
    rows = seen.rows("SELECT profile_id FROM dim_profile_ids WHERE former_id = ?", [profile_id])
    if not rows:
        return profile_id
    if rows[0][0] is None:
        raise CommandFailed(
            f"{profile_id} is a former id, and none of its identifiers is anybody's own now; "
            "identity.fct_identity_changes records why",
            Exit.NOT_FOUND,
        )
    return int(rows[0][0])


def _evidence(
    settings: Settings, profile_id: int, reader: str, *, asked_for: bool | None
) -> dict[int, dict[str, Any]] | None:
    """By birth, what ties an identifier of a profile to the others, as far as the role may see it;
    None where nobody wants to see it, or it was not asked for and the warehouse is not free."""
    from cdp.config.roles import load_roles
    from cdp.identity.tied_by import evidence_of

    if asked_for is False:
        return None
    role = load_roles(settings).get(reader)
    try:
        with warehouse_at_rest(settings, 5 if asked_for else 0) as warehouse:
            found = evidence_of(warehouse, profile_id)
    # Whoever reads sets alone may have no warehouse, or no rights to it.
    except (CommandFailed, OSError) as error:
        if asked_for:
            raise
        err.print(f"What ties the identifiers together is not shown: {error}", soft_wrap=True)
        return None
    hidden = {
        name: None for name, kind in _CLASSES.items() if role is None or not role.sees_class(kind)
    }
    return {birth: asdict(each) | hidden for birth, each in found.items()}


_CLASSES = {"event_id": "identifier", "author": "name", "reason": "free_text"}
"""The classes of personal data of what evidence tells."""


def _told(evidence: Mapping[str, Any]) -> tuple[Any, ...]:
    """Evidence in the columns of a table."""
    label, likely = evidence.get("label"), evidence.get("probability")
    why = None
    if label is not None:
        why = ": ".join(each for each in (evidence["author"], evidence["reason"]) if each)
    elif likely is not None:
        why = f"likely one person by {likely:.3f}"
    return (
        evidence.get("first_occurred_at"),
        evidence.get("source"),
        evidence.get("event_id") if label is None else label,
        why,
    )
