"""`cdp profile`: one person as the published set has them.

Belongs here: finding and showing one. Does not belong here: what a profile is (the models), who may
see which field (`cdp.warehouse.readers`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cdp.commands.looking import HELP_OF_ROLE, set_with
from cdp.commands.terminal import CommandFailed, Exit, answer, cell, grid, out
from cdp.warehouse.settings import load_settings

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
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")] = False,
) -> None:
    """Show a profile: its traits, its identifiers, its segments."""
    with set_with(load_settings(), "dim_profiles", role) as (_, seen):
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
            "SELECT identifier_type, identifier_value FROM dim_identifiers "
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
    if as_json:
        answer(
            {
                **found,
                "identifiers": None
                if identifiers is None
                else [{"type": kind, "value": value} for kind, value in identifiers],
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
        listed = grid("identifier", "value")
        for kind, value in identifiers:
            listed.add_row(cell(kind), cell(value))
        out.print(listed)
    out.print()
    if segments is None:
        out.print("segments: the role does not find them")
    else:
        out.print(f"segments: {', '.join(name for name, _ in segments) or 'none'}")


def _rows(seen: RoleView, table: str, sql: str, *parameters: Any) -> list[tuple[Any, ...]] | None:
    """The rows of a query on a table; None where the role's set does not have the table."""
    return seen.rows(sql, list(parameters)) if seen.has_table(table) else None
