"""`cdp profile`: one person as the published set has them.

Belongs here: finding and showing one, and on request what the warehouse knows of why. Does not
belong here: what a profile is (the models), who may see which field (`cdp.warehouse.readers`).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cdp.commands.looking import HELP_OF_ROLE, set_with, warehouse_at_rest
from cdp.commands.terminal import CommandFailed, Exit, answer, cell, grid, out
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
        bool,
        typer.Option(
            "--evidence",
            help="Also the strongest row that ties each identifier to the others: when, from which "
            "source, which event. Read in the warehouse, so not while a run holds it.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")] = False,
) -> None:
    """Show a profile: its traits, its identifiers, its segments."""
    settings = load_settings()
    with set_with(settings, "dim_profiles", role) as (reader, seen):
        found = seen.one("SELECT * FROM dim_profiles WHERE profile_id = ?", [profile_id])
        if found is None:
            raise CommandFailed(
                f"the published set has no profile {profile_id}; it may have been merged into "
                "another one, which identity.fct_identity_changes records",
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
    evidence = _evidence(settings, profile_id, reader) if with_evidence else {}
    if as_json:
        answer(
            {
                **found,
                "identifiers": None
                if identifiers is None
                else [
                    {"type": kind, "value": value}
                    | ({"evidence": evidence.get(birth)} if with_evidence else {})
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
        columns = ("first_occurred_at", "source", "event_id") if with_evidence else ()
        heads = ("first at", "source", "event") if with_evidence else ()
        listed = grid("identifier", "value", *heads)
        for kind, value, birth in identifiers:
            told = evidence.get(birth, {})
            listed.add_row(cell(kind), cell(value), *(cell(told.get(name)) for name in columns))
        out.print(listed)
    out.print()
    if segments is None:
        out.print("segments: the role does not find them")
    else:
        out.print(f"segments: {', '.join(name for name, _ in segments) or 'none'}")


def _rows(seen: RoleView, table: str, sql: str, *parameters: Any) -> list[tuple[Any, ...]] | None:
    """The rows of a query on a table; None where the role's set does not have the table."""
    return seen.rows(sql, list(parameters)) if seen.has_table(table) else None


def _evidence(settings: Settings, profile_id: int, reader: str) -> dict[int, dict[str, Any]]:
    """By birth, the strongest row that ties an identifier of a profile to the others, as far as the
    role may see it."""
    from cdp.config.roles import load_roles
    from cdp.identity.explaining import evidence_of

    role = load_roles(settings).get(reader)
    with warehouse_at_rest(settings, 5) as warehouse:
        found = evidence_of(warehouse, profile_id)
    hidden = {} if role is not None and role.sees_class("identifier") else {"event_id": None}
    return {birth: asdict(each) | hidden for birth, each in found.items()}
