"""The record of runs: one clock a run, what it has published, what its stages and gates did.

Belongs here: the tables `governance.runs`, `stage_builds` and `gate_results`, and the few ways in
which they change; making the tables of what people ask of runs (`refit_requests`,
`identity_labels`). Models join `runs` for their `as_of`; publishing reads the other two.
Does not belong here: starting anything; what people ask (`cdp.commands`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from cdp.warehouse.settings import PROJECT_ROOT, Settings
from cdp.warehouse.store import Warehouse

STAGES = ("raw", "staging", "identity", "profiles", "segments")
"""The stages whose tables a published set is made from, in the order of the data."""

RunStatus = Literal["running", "finished", "published", "failed"]

_TABLES = """
CREATE TABLE IF NOT EXISTS governance.runs (
    run_number BIGINT, run_id VARCHAR, as_of TIMESTAMP, started_at TIMESTAMP,
    finished_at TIMESTAMP, status VARCHAR, trigger VARCHAR, logic_hash VARCHAR,
    landing_high_water BIGINT, published_set VARCHAR,
    timezone VARCHAR, base_currency VARCHAR, default_country VARCHAR,
    internal_networks VARCHAR, internal_email_domains VARCHAR,
    label_high_water BIGINT
);
CREATE TABLE IF NOT EXISTS governance.stage_builds (
    stage VARCHAR, run_id VARCHAR, state VARCHAR, built_at TIMESTAMP
);
CREATE TABLE IF NOT EXISTS governance.gate_results (
    stage VARCHAR, run_id VARCHAR, validated_at TIMESTAMP, passed BOOLEAN,
    check_name VARCHAR, observed VARCHAR
);
CREATE TABLE IF NOT EXISTS governance.refit_requests (
    model VARCHAR, requested_at TIMESTAMP
);
CREATE TABLE IF NOT EXISTS governance.identity_labels (
    label_number BIGINT, kind VARCHAR, left_type VARCHAR, left_value VARCHAR,
    right_type VARCHAR, right_value VARCHAR, author VARCHAR, reason VARCHAR,
    recorded_at TIMESTAMP, removes BIGINT
);
"""

_ADDED = {
    "label_high_water": "ALTER TABLE governance.runs ADD COLUMN label_high_water BIGINT",
}
"""Columns that `governance.runs` of an earlier version lacks, and how it gets them."""


@dataclass(frozen=True)
class Run:
    """One run: its number, its id and the moment (naive UTC) that it computes for."""

    run_number: int
    run_id: str
    as_of: datetime
    started_at: datetime
    trigger: str


@dataclass(frozen=True)
class StageState:
    """How a stage stands: which run built it last, and whether its gate let that pass."""

    stage: str
    built_by: str | None
    complete: bool
    passed: bool


def utc_now() -> datetime:
    """This moment in UTC, without a zone, as the warehouse keeps times."""
    return datetime.now(UTC).replace(tzinfo=None)


def ensure_run_tables(warehouse: Warehouse) -> None:
    """Create the tables of this module where they are missing."""
    warehouse.execute(_TABLES)


def add_missing_columns(warehouse: Warehouse) -> None:
    """Give a record of runs that an earlier version made the columns that it lacks.

    Not part of making the tables: looking costs a query, and most need no column of these.
    """
    found = warehouse.arrow("SELECT * FROM governance.runs WHERE false").column_names
    there = {name.lower() for name in found}
    for name, statement in _ADDED.items():
        if name not in there:
            warehouse.execute(statement)


def begin_run(warehouse: Warehouse, run_id: str, trigger: str, logic: str | None = None) -> Run:
    """Open a run: the newest row of `governance.runs`, whose `as_of` all models join.

    A run that an earlier process left open was killed, since the caller holds the warehouse; it is
    closed as failed. Beginning the same id again (a retry) goes on with the same `as_of` and sees
    the same labels.

    Args:
        logic: the `logic_hash` of what the caller has loaded and will build by; files may have
            changed while it waited for the warehouse. Taken now when not given.
    """
    ensure_run_tables(warehouse)
    add_missing_columns(warehouse)
    settings = warehouse.settings
    now = utc_now()
    with warehouse.transaction() as session:
        found = session.rows(
            "SELECT as_of, started_at, label_high_water, status FROM governance.runs "
            "WHERE run_id = ?",
            [run_id],
        )
        again = found[0] if found else None
        session.execute(
            "UPDATE governance.runs SET status = 'failed', finished_at = ? "
            "WHERE status = 'running' AND run_id <> ?",
            [now, run_id],
        )
        number = session.scalar("SELECT coalesce(max(run_number), 0) + 1 FROM governance.runs")
        as_of = again[0] if again else (settings.as_of or now)
        if again:
            # One that was begun before there were labels has none to see.
            labels = again[2] or 0
        else:
            labels = session.scalar(
                "SELECT coalesce(max(label_number), 0) FROM governance.identity_labels"
            )
        told = {
            "run_number": number,
            "run_id": run_id,
            "as_of": as_of,
            "started_at": again[1] if again else now,
            "finished_at": None,
            "status": "running",
            "trigger": trigger,
            "logic_hash": logic or logic_hash(settings),
            "landing_high_water": None,
            "published_set": None,
            "timezone": settings.timezone,
            "base_currency": settings.base_currency,
            "default_country": settings.default_country,
            "internal_networks": ",".join(settings.internal_networks),
            "internal_email_domains": ",".join(settings.internal_email_domains),
            "label_high_water": labels,
        }
        if any(status != "published" for *_, status in found):
            # In one statement, as some engines commit each: a kill must not lose its first `as_of`.
            # What a run of this id has published stays on record: recorded tables go by it.
            changed = ", ".join(f"{name} = ?" for name in told)
            session.execute(
                f"UPDATE governance.runs SET {changed} WHERE run_id = ? AND status <> 'published'",
                [*told.values(), run_id],
            )
        else:
            session.execute(
                f"INSERT INTO governance.runs ({', '.join(told)}) "
                f"VALUES ({', '.join('?' * len(told))})",
                list(told.values()),
            )
    return Run(number, run_id, as_of, again[1] if again else now, trigger)


def current_run(warehouse: Warehouse) -> Run | None:
    """The run with the highest number, or None in a fresh warehouse."""
    if not warehouse.has_table("governance", "runs"):
        return None
    rows = warehouse.rows(
        "SELECT run_number, run_id, as_of, started_at, trigger FROM governance.runs "
        "ORDER BY run_number DESC LIMIT 1"
    )
    return Run(*rows[0]) if rows else None


def finish_run(warehouse: Warehouse, run: Run, status: RunStatus) -> None:
    """Close a run. A run that has published stays published, whatever came after."""
    warehouse.execute(
        "UPDATE governance.runs SET finished_at = ?, "
        "status = CASE WHEN status = 'published' THEN status ELSE ? END WHERE run_number = ?",
        [utc_now(), status, run.run_number],
    )


def mark_stage(
    warehouse: Warehouse, run: Run, stage: str, state: Literal["building", "built", "part"]
) -> None:
    """Record that a stage's tables are about to change, have been built whole, or change in part.

    After a part nobody knows which tables fit together, so the next run looks at everything.
    """
    warehouse.execute(
        "INSERT INTO governance.stage_builds VALUES (?, ?, ?, ?)",
        [stage, run.run_id, state, utc_now()],
    )


def record_gate(
    warehouse: Warehouse,
    run: Run,
    stage: str,
    results: Iterable[tuple[str, bool, str]],
) -> None:
    """Record a gate's checks as (name, passed, observed as JSON text without row values)."""
    now = utc_now()
    rows = [(stage, run.run_id, now, passed, name, seen) for name, passed, seen in results]
    warehouse.insert("governance.gate_results", rows)


def stage_states(warehouse: Warehouse) -> dict[str, StageState]:
    """How each stage stands: last builder, whether it finished, whether the gate passed since."""
    rows = warehouse.rows(
        """
        WITH builds AS (
            -- Runs are numbered in their order; a machine's clock may have been set back since.
            SELECT stage, run_id, state, built_at,
                   row_number() OVER (
                       PARTITION BY stage ORDER BY runs.run_number DESC NULLS LAST, built_at DESC,
                       state
                   ) AS nth
            FROM governance.stage_builds LEFT JOIN governance.runs AS runs USING (run_id)
        ),
        gates AS (
            SELECT stage, run_id, validated_at, bool_and(passed) AS passed
            FROM governance.gate_results GROUP BY stage, run_id, validated_at
        ),
        newest_gate AS (
            SELECT stage, arg_max(passed, validated_at) AS passed, max(validated_at) AS validated_at
            FROM gates GROUP BY stage
        )
        SELECT builds.stage, builds.run_id, builds.state = 'built',
               coalesce(newest_gate.passed AND newest_gate.validated_at >= builds.built_at, false)
        FROM builds LEFT JOIN newest_gate USING (stage) WHERE nth = 1
        """
    )
    known = {row[0]: StageState(*row) for row in rows}
    return {stage: known.get(stage, StageState(stage, None, False, False)) for stage in STAGES}


CHANGED_MEANWHILE = (
    "the project or its configuration has changed since this run was loaded, and what it has built "
    "would not be what they say; start the run again"
)
"""Why a run ends that would mix two logics."""


def logic_hash(settings: Settings) -> str:
    """A hash of everything that decides what current tables hold: models, macros, seeds, config.

    When it changes, what was built by the old logic is built again in full.
    """
    digest = hashlib.sha256()
    projects = [PROJECT_ROOT / "dbt_project"]
    if settings.config != PROJECT_ROOT / "config":
        # What is generated follows from this package's Python too, so the models themselves count.
        projects.append(settings.dbt_dir / "project")
    for project in projects:
        if (project / "dbt_project.yml").is_file():
            digest.update((project / "dbt_project.yml").read_bytes())
    for folder in (
        *(project / part for project in projects for part in ("models", "macros", "seeds")),
        # What models in Python call.
        PROJECT_ROOT / "cdp" / "identity",
        PROJECT_ROOT / "cdp" / "governance",
        # What a configuration leaves out is taken from the shipped one.
        *dict.fromkeys((PROJECT_ROOT / "config", settings.config)),
    ):
        for path in _files(folder):
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(path.read_bytes())
    for distribution in ("phonenumbers", "crawler-user-agents", "splink"):
        digest.update(version(distribution).encode())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    wanted = {".sql", ".py", ".yml", ".csv", ".json"}
    return sorted(path for path in folder.rglob("*") if path.suffix in wanted and path.is_file())
