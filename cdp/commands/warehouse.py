"""Commands on the warehouse itself: `cdp land`, `replay`, `status`, `publish`, `fit`.

Belongs here: one step of a run asked for by hand, and what it answers. Does not belong here: whole
runs (`cdp.cli`), the steps themselves.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.commands.looking import warehouse_at_rest
from cdp.commands.terminal import (
    CommandFailed,
    Exit,
    answer,
    count,
    err,
    grid,
    moment,
    out,
)
from cdp.warehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from cdp.warehouse.runs import Run
    from cdp.warehouse.store import Warehouse

AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")]

fit_app = typer.Typer(help="Fit the parameters of a score anew.", no_args_is_help=True)


@contextmanager
def _own_run(settings: Settings, trigger: str) -> Iterator[tuple[Warehouse, Run]]:
    """A run of one command, closed as failed where the command fails."""
    from cdp.config.sources import load_sources
    from cdp.warehouse.publishing import recover_publication
    from cdp.warehouse.runs import begin_run, finish_run
    from cdp.warehouse.store import open_warehouse
    from ingestion.promotion import take_back

    with open_warehouse(settings) as warehouse:
        recover_publication(warehouse)
        run = begin_run(warehouse, str(uuid.uuid4()), trigger)
        take_back(load_sources(settings).sources, warehouse)
        try:
            yield warehouse, run
        except BaseException:
            finish_run(warehouse, run, "failed")
            raise
        finish_run(warehouse, run, "finished")


def land(
    source: Annotated[
        list[str] | None, typer.Argument(help="Sources to land; without any, all of them.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Read again from this day or moment on (ISO 8601, UTC).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Read again up to before this day or moment (ISO 8601, UTC).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Land what is new in raw, and nothing else; `cdp run` goes on from there."""
    from cdp.config.moments import moment_in_utc
    from cdp.warehouse.runs import mark_stage

    settings = load_settings()
    names = _declared(settings, source)
    first, last = moment_in_utc(since), moment_in_utc(until)
    from ingestion.landing import land as land_source

    reports = []
    with _own_run(settings, "command line: land") as (warehouse, run):
        for name in names:
            with err.status(f"landing {name}"):
                mark_stage(warehouse, run, "raw", "building")
                reports.append(land_source(name, warehouse, run, since=first, until=last))
                mark_stage(warehouse, run, "raw", "built")
    _tell_loads(reports, as_json)


def replay(
    source: Annotated[str, typer.Argument(help="The source whose quarantine is tried again.")],
    as_json: AsJson = False,
) -> None:
    """Try the quarantined rows of a source again, each exactly once more."""
    from cdp.warehouse.runs import mark_stage

    settings = load_settings()
    (name,) = _declared(settings, [source])
    from ingestion.replay import replay as replay_source

    with _own_run(settings, "command line: replay") as (warehouse, run):
        mark_stage(warehouse, run, "raw", "building")
        report = replay_source(name, warehouse, run)
        mark_stage(warehouse, run, "raw", "built")
    _tell_loads([report], as_json)


def _declared(settings: Settings, wanted: list[str] | None) -> list[str]:
    from cdp.config.sources import load_sources

    declared = load_sources(settings).sources
    unknown = sorted(set(wanted or ()) - set(declared))
    if unknown:
        raise CommandFailed(
            f"no source is called '{unknown[0]}'; declared in {settings.config / 'sources.yml'}: "
            f"{', '.join(declared)}",
            Exit.WRONG_INPUT,
        )
    return list(wanted or declared)


def loads_table(reports: list[Any]) -> Any:
    """The reconciliation of loads, as a table whose sums can be checked by eye."""
    numbers = ("read", "landed", "duplicate", "quarantined")
    table = grid("source", "read", "=", *numbers[1:], "", numbers=numbers)
    for each in reports:
        whole = each.rows_landed + each.rows_duplicate + each.rows_quarantined == each.rows_read
        table.add_row(
            each.source,
            count(each.rows_read),
            "=",
            count(each.rows_landed),
            count(each.rows_duplicate),
            count(each.rows_quarantined),
            "[green]✓[/]" if whole else "[red]does not add up[/]",
        )
    return table


def _tell_loads(reports: list[Any], as_json: bool) -> None:
    if as_json:
        answer([asdict(each) if is_dataclass(each) else vars(each) for each in reports])  # type: ignore[arg-type]
    else:
        out.print(loads_table(reports))


def status(as_json: AsJson = False) -> None:
    """Show the last runs, how each stage stands, and what readers see."""
    from cdp.warehouse.runs import ensure_run_tables, stage_states
    from cdp.warehouse.shelf import shelf_of

    settings = load_settings()
    with warehouse_at_rest(settings) as warehouse:
        ensure_run_tables(warehouse)
        published = shelf_of(warehouse).current()
        columns = (
            "run_number",
            "run_id",
            "trigger",
            "as_of",
            "started_at",
            "finished_at",
            "status",
        )
        runs = warehouse.rows(
            f"SELECT {', '.join(columns)} FROM governance.runs ORDER BY run_number DESC LIMIT 5"
        )
        stages = stage_states(warehouse)
        failed = warehouse.rows(
            "SELECT stage, check_name FROM governance.gate_results AS results WHERE NOT passed "
            "AND validated_at = (SELECT max(newest.validated_at) FROM governance.gate_results "
            "AS newest WHERE newest.stage = results.stage) ORDER BY stage, check_name"
        )
    if as_json:
        answer(
            {
                "home": settings.home,
                "published_set": published.set_name if published else None,
                "runs": [dict(zip(columns, row, strict=True)) for row in runs],
                "stages": {name: asdict(state) for name, state in stages.items()},
                "failed_checks": [{"stage": stage, "check": name} for stage, name in failed],
            }
        )
        return
    table = grid("run", "started by", "as of", "started", "seconds", "ended", numbers=("seconds",))
    for number, _, trigger, as_of, started, finished, ended in runs:
        seconds = f"{(finished - started).total_seconds():.1f}" if finished else "–"
        table.add_row(str(number), trigger, moment(as_of), moment(started), seconds, ended)
    out.print(table)
    out.print()
    stage_table = grid("stage", "built", "gate", "by run")
    for name, state in stages.items():
        stage_table.add_row(
            name,
            "whole" if state.complete else ("in part" if state.built_by else "never"),
            "passed" if state.passed else "not passed",
            state.built_by or "–",
        )
    out.print(stage_table)
    for stage, name in failed:
        out.print(f"[red]✗[/] {stage}: {name}")
    out.print()
    out.print(f"readers see: {published.set_name if published else 'nothing yet'}")


def publish(as_json: AsJson = False) -> None:
    """Publish what the last run built, if every gate has let it pass."""
    from cdp.generation import project_dir
    from cdp.warehouse import publishing
    from cdp.warehouse.runs import current_run
    from cdp.warehouse.store import open_warehouse

    settings = load_settings()
    with open_warehouse(settings) as warehouse, err.status("publishing"):
        publishing.recover_publication(warehouse)
        run = current_run(warehouse)
        if run is None:
            raise CommandFailed("no run has built anything yet; `cdp run` does", Exit.NOT_FOUND)
        # Great Expectations takes seconds to import; a refusal should not wait for it.
        publishing.refuse_if_changed_meanwhile(warehouse, run)
        publishing.refuse_unless_ready(warehouse, run)
        from expectations.serving import validate_set

        publication = publishing.publish(
            warehouse,
            run,
            project=project_dir(settings),
            validate=lambda candidate: validate_set(candidate, warehouse, run).passed,
        )
    if as_json:
        answer(
            {
                "run_id": publication.run_id,
                "published_set": publication.set_name,
                "roles": list(publication.roles),
                "bytes": publication.bytes,
            }
        )
    else:
        out.print(f"published {publication.set_name} for {', '.join(publication.roles)}")


@fit_app.callback()
def _fit() -> None:
    """Fit the parameters of a score anew."""


@fit_app.command("rfm")
def fit_rfm(as_json: AsJson = False) -> None:
    """Ask for new cut points of recency, frequency and monetary value; the next run fits them."""
    from cdp.warehouse.runs import ensure_run_tables, utc_now
    from cdp.warehouse.store import open_warehouse

    requested = utc_now()
    with open_warehouse(load_settings()) as warehouse:
        ensure_run_tables(warehouse)
        warehouse.execute("INSERT INTO governance.refit_requests VALUES ('rfm', ?)", [requested])
    if as_json:
        answer({"model": "rfm", "requested_at": requested})
    else:
        out.print("Noted: the next run fits the cut points and scores everybody by them.")
