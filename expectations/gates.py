"""The gates: whether what a stage has built may be built upon.

Belongs here: how much a gate has to look at, running its checks, recording the verdict. Does not
belong here: the checks (a module a stage), what follows from a verdict.

How much a gate looks at. A full check reads every table. On the big ones it may keep to the rows
that can have changed since the last published run, because that run's gates have passed all others:
the condition of each table is the one by which its model replaces rows (`changed_rows` of a stage).
That is sound as long as nothing else writes to the tables, so it is done only where

- that run's gate of the stage passed, with the same checks as this one's;
- models, seeds, configuration and settings are the same, in this run and in all since;
- the clock has not gone back, and the models themselves did not start anew;
- the last full check of the stage is less than a day old, so that what else may write to a table, a
  person or a fault, is found within a day.

What relates whole tables to one another, sums and counts of all rows, is cheap and always looks at
everything. A run that built nothing (`unchanged`) checks what time and the run alone can break.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cdp.config.sources import load_sources
from cdp.generation import project_dir
from cdp.warehouse import pending
from cdp.warehouse.fault_points import reached
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.runs import STAGES, Run, ensure_run_tables, record_gate, utc_now
from cdp.warehouse.store import Warehouse
from expectations import declared, identity, profiles, raw, segments, staging
from expectations.checks import Check, CheckResult, Gate, GateVerdict, Scope, Table
from expectations.judging import judge
from expectations.measuring import measure

__all__ = ["CheckResult", "GateVerdict", "UnknownStage", "validate", "warm_up"]

SUITE = "suite"
"""Name under which a gate records what it has looked at, beside its checks."""

FULL_EVERY = timedelta(hours=24)

_CHANGED: Mapping[str, Callable[[Gate, str], str]] = {
    "staging": staging.changed_rows,
    "identity": identity.changed_rows,
    "profiles": profiles.changed_rows,
    "segments": segments.changed_rows,
}


class UnknownStage(ValueError):
    """No stage has that name; names those that there are."""


def validate(
    stage: str,
    warehouse: Warehouse,
    run: Run,
    *,
    project: Path | None = None,
    unchanged: bool = False,
) -> GateVerdict:
    """Check what a stage has built and record the verdict.

    Args:
        stage: one of `cdp.warehouse.runs.STAGES`.
        warehouse: the store, held by the caller.
        run: the run that built it.
        project: the dbt project that was built; the deployment's own by default.
        unchanged: the run has built nothing in this stage but what says which run it is, because
            nothing was new (`cdp.warehouse.pending.nothing_new`). Where the gate has not passed
            before, everything is checked all the same.

    Raises:
        UnknownStage: there is no such stage.
        ConfigError: `sources.yml` is wrong.
        UnknownTest: a model declares a data test that the gates do not know.
    """
    if stage not in STAGES:
        raise UnknownStage(f"no stage is called '{stage}'; there are: {', '.join(STAGES)}")
    started = time.monotonic()
    ensure_run_tables(warehouse)
    # What a gate looks at depends on what the last one did, so an earlier verdict is read first.
    before = _last_passed(warehouse, stage)
    scope = scope_of(warehouse, run, stage, before)
    gate = Gate(warehouse, run, scope, warehouse.relations())
    checks = _checks(stage, gate, project or project_dir(warehouse.settings))
    name = "full" if scope.full else "changes"
    if unchanged and not scope.full:
        checks, name = [check for check in checks if check.every_run], "unchanged"
    verdict = decide(warehouse, run, stage, checks, gate.tables, name)
    reached("gates.before_record")
    full_at = str(before["full_at"]) if before and not scope.full else utc_now().isoformat()
    record(warehouse, run, verdict, {"full_at": full_at, "fingerprint": _fingerprint()}, started)
    reached("gates.after_record")
    return verdict


def warm_up() -> None:
    """Import what the first gate of a process would import, which takes seconds."""
    import duckdb_engine
    import great_expectations

    _ = duckdb_engine, great_expectations.expectations


def decide(
    warehouse: Warehouse,
    run: Run,
    stage: str,
    checks: Iterable[Check],
    tables: Mapping[Table, Mapping[str, str]],
    scope: str,
) -> GateVerdict:
    """Measure and judge checks."""
    started = time.monotonic()
    results = tuple(judge(warehouse, stage, measure(warehouse, checks, tables)))
    passed = bool(results) and all(result.passed for result in results)
    return GateVerdict(stage, passed, results, scope, time.monotonic() - started)


def record(
    warehouse: Warehouse,
    run: Run,
    verdict: GateVerdict,
    facts: Mapping[str, str],
    started: float,
) -> None:
    """Record a verdict: a row for each check, and one for what the gate has looked at."""
    suite = {
        "scope": verdict.scope,
        "checks": len(verdict.checks),
        "seconds": round(time.monotonic() - started, 3),
        **facts,
    }
    rows = [
        (f"{result.table} {result.name}", result.passed, json.dumps(result.observed))
        for result in verdict.checks
    ]
    record_gate(warehouse, run, verdict.stage, [(SUITE, verdict.passed, json.dumps(suite)), *rows])


# --- how much is looked at ------------------------------------------------------------------------


def scope_of(warehouse: Warehouse, run: Run, stage: str, before: Mapping[str, Any] | None) -> Scope:
    """What a gate has to look at, given what the last passed gate of its stage has recorded."""
    full = Scope(full=True)
    published = warehouse.rows(
        "SELECT run_number, run_id, as_of, landing_high_water FROM governance.runs "
        "WHERE status = 'published' AND run_number < ? ORDER BY run_number DESC LIMIT 1",
        [run.run_number],
    )
    if not published or before is None:
        return full
    number, run_id, as_of, landed = published[0]
    if (
        before["run_id"] != run_id
        or before.get("fingerprint") != _fingerprint()
        or landed is None
        or as_of > run.as_of
        or utc_now() - datetime.fromisoformat(str(before["full_at"])) >= FULL_EVERY
        or pending.logic_changed(warehouse, run)
        or (stage != "raw" and _models_started_anew(warehouse))
    ):
        return full
    return Scope(full=False, landed_after=int(landed), run_after=int(number))


def _last_passed(warehouse: Warehouse, stage: str) -> dict[str, Any] | None:
    """What the gate of the last published run has recorded of itself; None if it did not pass."""
    rows = warehouse.rows(
        "SELECT gates.run_id, gates.observed FROM governance.gate_results AS gates "
        "INNER JOIN governance.runs AS runs ON gates.run_id = runs.run_id "
        "WHERE gates.stage = ? AND gates.check_name = ? AND gates.passed "
        "AND runs.status = 'published' "
        "ORDER BY runs.run_number DESC, gates.validated_at DESC LIMIT 1",
        [stage, SUITE],
    )
    if not rows:
        return None
    return {**json.loads(rows[0][1]), "run_id": rows[0][0]}


def _models_started_anew(warehouse: Warehouse) -> bool:
    if not warehouse.has_table("governance", "int_current_run"):
        return True
    return bool(
        warehouse.scalar("SELECT any_value(everything_changed) FROM governance.int_current_run")
    )


@cache
def _fingerprint() -> str:
    """Changes whenever a check does: what older checks let pass, these have not looked at."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


# --- what is checked ------------------------------------------------------------------------------


def _checks(stage: str, gate: Gate, project: Path) -> list[Check]:
    settings = gate.warehouse.settings
    if stage == "raw":
        return raw.checks(gate, tuple(load_sources(settings).sources))
    stages: dict[str, Callable[[Gate], list[Check]]] = {
        "staging": lambda gate: staging.checks(gate, load_sources(settings)),
        "identity": identity.checks,
        "profiles": profiles.checks,
        "segments": segments.checks,
    }
    models = declared.models_of(load_catalogue(project), stage)
    return [
        *declared.checks(gate, models, gate.warehouse.views(), _CHANGED[stage]),
        *stages[stage](gate),
    ]
