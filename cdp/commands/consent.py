"""`cdp consent`: what people have agreed to.

Belongs here: showing the ledger and what is in force. Does not belong here: deciding that
(the models of `governance`).
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cdp.commands.looking import warehouse_at_rest
from cdp.commands.terminal import CommandFailed, Exit, answer, cell, grid, out
from cdp.warehouse.settings import load_settings

app = typer.Typer(help="What people have agreed to.", no_args_is_help=True)


@app.callback()
def _consent() -> None:
    """What people have agreed to."""


@app.command()
def show(
    profile_id: Annotated[
        int | None, typer.Argument(help="A profile; without it, all purposes are counted.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")] = False,
) -> None:
    """Show the consent in force: of one profile, or how many people allow each purpose."""
    with warehouse_at_rest(load_settings(), 5) as warehouse:
        if not warehouse.has_table("governance", "dim_consent_in_force"):
            raise CommandFailed("no run has built the consents yet; `cdp run` does", Exit.NOT_FOUND)
        if profile_id is None:
            rows = warehouse.rows(
                "SELECT purpose, count(*) FILTER (WHERE is_granted), "
                "count(*) FILTER (WHERE NOT is_granted) "
                "FROM governance.dim_consent_in_force GROUP BY purpose ORDER BY purpose"
            )
            _tell(("purpose", "granted", "not granted"), rows, as_json)
            return
        rows = warehouse.rows(
            "SELECT purpose, is_granted, state, decided_at, valid_until, source, consent_id "
            "FROM governance.dim_consent_in_force WHERE profile_id = ? ORDER BY purpose",
            [profile_id],
        )
        if not rows and not warehouse.rows(
            "SELECT 1 FROM identity.dim_identifiers WHERE profile_id = ? LIMIT 1", [profile_id]
        ):
            raise CommandFailed(
                f"there is no profile {profile_id}; it may have been merged into another one",
                Exit.NOT_FOUND,
            )
    columns = ("purpose", "granted", "state", "decided_at", "valid_until", "source", "receipt")
    if not rows and not as_json:
        out.print("No decision is known, which allows nothing.")
        return
    _tell(columns, rows, as_json)


def _tell(columns: tuple[str, ...], rows: list[tuple[Any, ...]], as_json: bool) -> None:
    if as_json:
        answer([dict(zip(columns, row, strict=True)) for row in rows])
        return
    table = grid(*columns, numbers=("granted", "not granted") if len(columns) == 3 else ())
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    out.print(table)
