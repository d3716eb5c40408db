"""What a person sees at the end of the demo: segments, reconciliation, where to look next.

Belongs here: reading the published set for it and laying it out. Does not belong here: running.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from cdp.commands.following import complain, outcome_as_data
from cdp.commands.looking import set_with
from cdp.commands.segment import sizes
from cdp.commands.terminal import CommandFailed, Exit, answer, count, err, grid, moment, out
from cdp.commands.warehouse import loads_table
from cdp.config.roles import load_roles
from cdp.warehouse.engines.known import engine_of
from cdp.warehouse.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from orchestration.running import Outcome


def show_demo(settings: Settings, outcome: Outcome, seconds: float, *, as_json: bool) -> None:
    """Show what the demo came to; exit accordingly where it failed."""
    segments = sizes(settings) if outcome.success else []
    if as_json:
        answer(
            {
                **outcome_as_data(outcome),
                "total_seconds": round(seconds, 3),
                "segments": {each.name: each.size for each in segments},
            }
        )
    elif outcome.success:
        _show(settings, outcome, segments, seconds)
    else:
        complain(outcome)
    if not outcome.success:
        raise typer.Exit(Exit.REFUSED if outcome.refused else Exit.FAILED)


def _show(settings: Settings, outcome: Outcome, segments: list[Any], seconds: float) -> None:
    loads = [news.detail for news in outcome.news if news.what == "landed"]
    out.print()
    out.print("[bold]Every row that was read is accounted for[/]")
    out.print(loads_table(loads))
    out.print()
    run = next(news.detail for news in outcome.news if news.what == "started")
    out.print(f"[bold]Segments as of {moment(run.as_of)} UTC[/]")
    table = grid("segment", "people", "who they are", numbers=("people",))
    for each in segments:
        table.add_row(each.name, count(each.size), Text(each.rule, style="dim"))
    out.print(table)
    out.print()
    command = f"{_here('.venv/bin/cdp')}"
    steps = grid("", "")
    steps.show_header = False
    steps.add_row("[bold]make dev[/]", "the Dagster UI: graph, runs, checks, schedule")
    role, profile = _example(settings)
    if profile is not None:
        steps.add_row(f"[bold]{command} profile show {profile}[/]", "one person")
    steps.add_row(f"[bold]{command} segment list[/]", "the segments again")
    steps.add_row(f"[bold]{command} status[/]", "runs, stages, gates")
    out.print("[bold]Where to look next[/]")
    out.print(steps)
    place = engine_of(settings).place_of_set(settings, role)
    out.print(f"BI tools and notebooks read {place}", soft_wrap=True)
    err.print(f"[green]done[/] in {seconds:.1f} s")


def _example(settings: Settings) -> tuple[str, int | None]:
    """A role to read as, and somebody whom it finds; None where no role finds anybody."""
    try:
        with set_with(settings, "dim_profiles") as (role, seen):
            rows = seen.rows(
                "SELECT profile_id FROM dim_profiles ORDER BY order_count DESC, profile_id LIMIT 1"
            )
    except CommandFailed:
        return next(iter(load_roles(settings))), None
    return role, rows[0][0] if rows else None


def _here(path: str) -> str:
    return path if (PROJECT_ROOT / path).exists() else Path(path).name
