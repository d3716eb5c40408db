"""What a run has to do: everything anew, what changed, or nothing.

Belongs here: comparing the run under way with the last published one, in a few cheap queries, so
that a change of logic builds everything in full, unchanged seeds are left alone, and a run for
which nothing landed and nothing came due does not build tables that would hold what they hold.
Does not belong here: which profiles changed (a model of its own), building anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cdp.warehouse.runs import STAGES, Run, stage_states, utc_now
from cdp.warehouse.store import Warehouse

_SEED_LOADS = """
CREATE TABLE IF NOT EXISTS governance.seed_loads (
    fingerprint VARCHAR, run_id VARCHAR, loaded_at TIMESTAMP
)
"""

_SAME_DEPLOYMENT = (
    "logic_hash",
    "timezone",
    "base_currency",
    "default_country",
    "internal_networks",
    "internal_email_domains",
)
"""What current tables are a function of, besides raw rows and `as_of`; see `governance.runs`."""


@dataclass(frozen=True)
class _Published:
    run_number: int
    run_id: str
    as_of: datetime
    started_at: datetime
    landing_high_water: int
    label_high_water: int


def logic_changed(warehouse: Warehouse, run: Run) -> bool:
    """Whether current tables may hold rows of another logic than this run's.

    Not only the last published run counts: one that failed since, with other models or another
    configuration, has left its rows in tables too.
    """
    same = " AND ".join(
        f"other.{column} IS NOT DISTINCT FROM mine.{column}" for column in _SAME_DEPLOYMENT
    )
    differing = warehouse.scalar(
        f"""
        SELECT count(*)
        FROM governance.runs AS other, governance.runs AS mine
        WHERE mine.run_id = ? AND other.run_id <> mine.run_id AND NOT ({same})
          AND other.run_number >= (
              SELECT coalesce(max(run_number), 0) FROM governance.runs WHERE status = 'published'
          )
        """,
        [run.run_id],
    )
    return bool(differing)


def seeds_changed(warehouse: Warehouse, project: Path, tables: Iterable[tuple[str, str]]) -> bool:
    """Whether the seeds differ from those in the warehouse, or one of their tables is missing."""
    warehouse.execute(_SEED_LOADS)
    loaded = warehouse.scalar(
        "SELECT fingerprint FROM governance.seed_loads ORDER BY loaded_at DESC LIMIT 1"
    )
    return loaded != _fingerprint(project) or not all(
        warehouse.has_table(schema, name) for schema, name in tables
    )


def note_seeds(warehouse: Warehouse, run: Run, project: Path) -> None:
    """Record that the seeds as they stand have been loaded by a run."""
    warehouse.execute(_SEED_LOADS)
    warehouse.execute(
        "INSERT INTO governance.seed_loads VALUES (?, ?, ?)",
        [_fingerprint(project), run.run_id, utc_now()],
    )


def _fingerprint(project: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted((project / "seeds").rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(project).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def nothing_new(warehouse: Warehouse, run: Run, sources: Iterable[str]) -> bool:
    """Whether a rebuild at this run's `as_of` would leave every current table as it is.

    That is so when the tables are those of the last published run, with the same logic; no row has
    landed and no label been recorded since; the clock has not gone back; and up to this `as_of` no
    stored value changes by itself, no verdict flips, no refund and no consent comes due or lapses,
    no fit was asked for.
    """
    published = _last_published(warehouse)
    if published is None or run.as_of < published.as_of or logic_changed(warehouse, run):
        return False
    states = stage_states(warehouse)
    models_are_its = all(
        states[stage].built_by == published.run_id
        and states[stage].complete
        and states[stage].passed
        for stage in STAGES
        if stage != "raw"
    )
    return (
        models_are_its
        and not _labelled_since(warehouse, published, run)
        and not _landed_since(warehouse, published, sources)
        and not _comes_due(warehouse, published, run)
    )


def _last_published(warehouse: Warehouse) -> _Published | None:
    rows = warehouse.rows(
        "SELECT run_number, run_id, as_of, started_at, landing_high_water, "
        "coalesce(label_high_water, 0) FROM governance.runs "
        "WHERE status = 'published' ORDER BY run_number DESC LIMIT 1"
    )
    return _Published(*rows[0]) if rows else None


def _labelled_since(warehouse: Warehouse, published: _Published, run: Run) -> bool:
    """Whether this run sees a label, or the removal of one, that the published run did not."""
    seen = warehouse.scalar(
        "SELECT label_high_water FROM governance.runs WHERE run_number = ?", [run.run_number]
    )
    return bool(seen > published.label_high_water)


def _landed_since(warehouse: Warehouse, published: _Published, sources: Iterable[str]) -> bool:
    return any(
        not warehouse.has_table("raw", source)
        or warehouse.scalar(
            f'SELECT count(*) FROM raw."{source}" WHERE landing_number > ?',
            [published.landing_high_water],
        )
        for source in sources
    )


_DUE = {
    ("profiles", "dim_profiles"): "next_change_at <= $now",
    ("profiles", "int_profile_orders"): "next_change_at <= $now",
    ("segments", "int_segment_verdicts"): "next_flip_at <= $now",
    ("staging", "int_refunds"): "refunded_at > $before AND refunded_at <= $now",
    ("governance", "fct_consent_ledger"): (
        "(decided_at > $before AND decided_at <= $now) "
        "OR (valid_until > $before AND valid_until <= $now)"
    ),
}
"""By table, the rows that make it or what is built on it differ at `$now` from `$before`."""


def _comes_due(warehouse: Warehouse, published: _Published, run: Run) -> bool:
    refit = warehouse.scalar(
        "SELECT count(*) FROM governance.refit_requests WHERE requested_at > ?",
        [published.started_at],
    )
    if refit:
        return True
    if run.as_of == published.as_of:
        return False
    with warehouse.session() as session:
        for (schema, name), condition in _DUE.items():
            bound = {"now": run.as_of} | (
                {"before": published.as_of} if "$before" in condition else {}
            )
            if session.rows(f"SELECT 1 FROM {schema}.{name} WHERE {condition} LIMIT 1", bound):
                return True
    return False
