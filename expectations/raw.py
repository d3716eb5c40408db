"""What raw must hold: every row read is accounted for, once, in one order of landing.

Belongs here: the checks of landing's tables. Does not belong here: what any row means (staging).
"""

from __future__ import annotations

from collections.abc import Sequence

from expectations.checks import (
    Check,
    Gate,
    Table,
    counted,
    literal,
    missing_values,
    quoted,
    relation,
    unique,
)

ENVELOPE = {
    "stream": "VARCHAR",
    "row_key": "VARCHAR",
    "position": "VARCHAR",
    "occurred_at": "TIMESTAMP",
    "received_at": "TIMESTAMP",
    "landed_at": "TIMESTAMP",
    "payload": "VARCHAR",
    "payload_hash": "VARCHAR",
    "is_deleted": "BOOLEAN",
    "load_id": "VARCHAR",
    "landing_number": "BIGINT",
}
"""The columns of every raw table."""

ALWAYS_THERE = (
    "stream",
    "row_key",
    "landed_at",
    "payload",
    "payload_hash",
    "is_deleted",
    "load_id",
    "landing_number",
)

LOADS: Table = ("raw", "loads")
QUARANTINE: Table = ("raw", "quarantine")

QUARANTINE_SHARE = 0.2
"""More of a source's rows than this in quarantine means that the source has changed its form, not
that some rows are bad: what would be built from the rest is not what people take it for."""

ENOUGH_ROWS = 100
"""Of fewer rows a share says nothing."""


UNPUBLISHED = (
    "run_id IN (SELECT runs.run_id FROM governance.runs AS runs WHERE runs.run_number > "
    "(SELECT coalesce(max(before.run_number), 0) FROM governance.runs AS before "
    "WHERE before.status = 'published'))"
)
"""Condition on `raw.loads`: nothing that was published is built on the load. A source that changes
its form today must not hide behind what it delivered for months."""


def checks(gate: Gate, sources: Sequence[str]) -> list[Check]:
    """What the tables of raw must hold, given the names of the declared sources."""
    found = [each for source in sources for each in _envelope(gate, source)]
    # Numbers and loads are of every source that ever landed, declared still or not.
    landed = list(dict.fromkeys((*sources, *_envelopes(gate))))
    return [
        *found,
        *_accounts(gate, landed),
        *(_share(gate, source) for source in sources),
        *_order(gate, landed),
    ]


def _envelopes(gate: Gate) -> list[str]:
    """The tables of raw that hold rows of a source."""
    return sorted(
        name
        for (schema, name), columns in gate.tables.items()
        if schema == "raw" and set(ENVELOPE) <= set(columns)
    )


def _envelope(gate: Gate, source: str) -> list[Check]:
    return [
        missing_values("raw", source, ALWAYS_THERE, gate.scope.landed),
        unique("raw", source, ("stream", "row_key"), gate.scope.landed),
    ]


def _accounts(gate: Gate, sources: Sequence[str]) -> list[Check]:
    reconciles = "rows_read = rows_landed + rows_duplicate + rows_quarantined"
    rows = _rows(gate, sources, "load_id", gate.scope.landed)
    loads = f"SELECT load_id, rows_landed, rows_quarantined FROM raw.loads WHERE {_loads(gate)}"
    return [
        counted(
            "reconciles for every load: rows read = landed + duplicate + quarantined",
            LOADS,
            f"raw.loads WHERE ({reconciles}) IS NOT TRUE "
            "OR least(rows_landed, rows_duplicate, rows_quarantined) < 0",
            unit="loads",
            every_run=True,
        ),
        unique("raw", "loads", ("load_id", "source")),
        counted(
            "says of every load how many rows landed, and that many did",
            LOADS,
            f"(SELECT load_id, sum(rows_landed) AS told FROM ({loads}) GROUP BY load_id) AS loads "
            f"FULL JOIN (SELECT load_id, count(*) AS n FROM ({rows}) GROUP BY load_id) AS landed "
            "ON loads.load_id = landed.load_id "
            "WHERE coalesce(loads.told, 0) <> coalesce(landed.n, 0)",
            _raw_tables(sources),
            unit="loads",
        ),
        counted(
            "says of every load how many rows were quarantined, and that many were",
            LOADS,
            "(SELECT load_id, sum(rows_quarantined) AS told "
            f"FROM ({loads}) GROUP BY load_id) AS loads "
            "LEFT JOIN (SELECT load_id, count(*) AS n FROM raw.quarantine GROUP BY load_id) "
            "AS kept ON loads.load_id = kept.load_id "
            "WHERE loads.told <> coalesce(kept.n, 0)",
            (QUARANTINE,),
            unit="loads",
        ),
        missing_values("raw", "quarantine", ("load_id", "source", "reason", "landed_at")),
    ]


def _share(gate: Gate, source: str) -> Check:
    name = literal(source)
    return Check(
        name=f"keeps few rows of {source} in quarantine",
        table="raw.quarantine",
        value=f"CASE WHEN any_value(read) >= {ENOUGH_ROWS} "
        "THEN any_value(kept) / any_value(read) ELSE 0 END",
        source=(
            # Of what is new: rows that are read again must not thin out those that were refused.
            "(SELECT (SELECT coalesce(sum(rows_landed + rows_quarantined), 0) FROM raw.loads "
            f"WHERE source = {name} AND {UNPUBLISHED}) AS read, "
            f"(SELECT count(*) FROM raw.quarantine WHERE source = {name} "
            "AND replayed_load_id IS NULL AND load_id IN "
            f"(SELECT load_id FROM raw.loads WHERE {UNPUBLISHED})) AS kept)"
        ),
        unit="share",
        high=QUARANTINE_SHARE,
        facts={"rows that were new": "any_value(read)", "rows in quarantine": "any_value(kept)"},
        needs=(LOADS, QUARANTINE),
    )


def _order(gate: Gate, sources: Sequence[str]) -> list[Check]:
    """Landing numbers run from 1 to the number of rows, over all sources together."""
    rows = _rows(gate, sources, "landing_number", "true")
    after = 0 if gate.scope.full else gate.scope.landed_after
    found = [
        counted(
            "numbers what has landed without a gap, and no row twice",
            LOADS,
            f"({rows}) AS landed WHERE landing_number IS NULL OR {gate.scope.landed}",
            _raw_tables(sources),
            value=(
                "count(*) - count(DISTINCT landing_number) + "
                f"greatest(coalesce(max(landing_number), {after}) - {after}, 0) "
                "- count(DISTINCT landing_number) FILTER (landing_number > 0)"
            ),
            unit="numbers missing or doubled",
        )
    ]
    if not gate.scope.full:
        found.append(
            counted(
                "still has every row that had landed before",
                LOADS,
                f"({rows}) AS landed WHERE landing_number <= {after}",
                _raw_tables(sources),
                value=f"abs({after} - count(*))",
                unit="rows missing or doubled",
            )
        )
    return found


def _rows(gate: Gate, sources: Sequence[str], column: str, condition: str) -> str:
    """A query for a column of the rows of all sources; a source that has no table has no rows."""
    parts = [
        f"SELECT {quoted(column)} FROM {relation('raw', source)} WHERE {condition}"
        for source in sources
        if ("raw", source) in gate.tables
    ]
    kind = ENVELOPE[column]
    return " UNION ALL ".join(parts) or f"SELECT CAST(NULL AS {kind}) AS {column} WHERE false"


def _raw_tables(sources: Sequence[str]) -> tuple[Table, ...]:
    return tuple(("raw", source) for source in sources)


def _loads(gate: Gate) -> str:
    """Condition on `raw.loads`: the load is to be looked at."""
    return gate.scope.rows(
        "run_id IN (SELECT runs.run_id FROM governance.runs AS runs "
        f"WHERE runs.run_number > {gate.scope.run_after})"
    )
