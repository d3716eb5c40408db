"""What staging must hold: every landed row, typed, once; and nothing that has not landed.

Belongs here: the checks of staging that are more than a table's own declaration. Does not belong
here: row floors, keys and column types (`expectations.declared`).
"""

from __future__ import annotations

from collections.abc import Sequence

from cdp.config.sources import Sources
from cdp.config.staged import StagedEntity, json_path, staged_entities
from cdp.config.staging_models import UNIONS
from cdp.config.version_models import VERSIONS
from expectations.checks import (
    Check,
    Gate,
    Table,
    counted,
    literal,
    missing_values,
    quoted,
    relation,
    rows_where,
    same_total,
)

EARLIEST = "TIMESTAMP '1970-01-01'"
"""No event happened before; clocks that have lost their time say so."""

AHEAD = "INTERVAL 3 DAY"
"""How far an event may lie ahead of its landing. What landing lets in is nearer, by a day."""

RUN: Table = ("governance", "int_current_run")
ALWAYS_THERE = ("source", "stream", "row_key", "is_deleted", "landed_at", "landing_number")


def changed_rows(gate: Gate, name: str) -> str:
    """Condition on a staging table: the row may differ from the last published run's."""
    landed = name.startswith("stg_") or name.endswith("_claims")
    return gate.scope.landed if landed else "true"


def checks(gate: Gate, sources: Sources) -> list[Check]:
    """What the tables of staging must hold, beside what they declare themselves."""
    staged = staged_entities(sources)
    found = [
        counted(
            "is the run under way",
            RUN,
            f"(SELECT count(*) FILTER (run_number = {gate.run.run_number} "
            f"AND as_of = {gate.as_of}) AS mine, count(*) AS n FROM governance.int_current_run)",
            value="any_value(abs(n - 1) + abs(mine - 1))",
            every_run=True,
        )
    ]
    for each in staged:
        found += _entity(gate, each)
    for union, entities in UNIONS.items():
        feeding = [each for each in staged if each.entity.name in entities]
        found.append(_union(gate, f"int_{union}", feeding))
    for name, entities in VERSIONS.items():
        feeding = [each for each in staged if each.entity.name in entities]
        found += _versions(gate, name, feeding)
    found.append(
        same_total(
            "has one row per row of staging.int_all_events",
            ("staging", "int_events"),
            ("rows", f"SELECT count(*) FROM staging.int_events WHERE {gate.scope.landed}"),
            ("staged", f"SELECT count(*) FROM staging.int_all_events WHERE {gate.scope.landed}"),
            [("staging", "int_all_events")],
            unit="rows too many or too few",
        )
    )
    return found


def _entity(gate: Gate, each: StagedEntity) -> list[Check]:
    table = ("staging", each.model)
    found = [
        missing_values(*table, ALWAYS_THERE, gate.scope.landed),
        counted(
            "has no row that has not landed",
            table,
            f"(SELECT landing_number FROM {relation(*table)} WHERE {gate.scope.landed}) AS staged "
            f"ANTI JOIN {relation('raw', each.source.name)} AS landed "
            "ON staged.landing_number = landed.landing_number",
            [("raw", each.source.name)],
        ),
    ]
    if each.entity.name == "events":
        found += _times(gate, table)
    if each.entity.subject:
        found.append(_subjects(table, each.entity.subject))
    kept = _conservation(gate, each)
    return [*found, kept] if kept else found


def _times(gate: Gate, table: Table) -> list[Check]:
    picked = rows_where(*table, gate.scope.landed)
    return [
        missing_values(*table, ("occurred_at",), gate.scope.landed),
        counted(
            "has no event before 1970 or days after it landed",
            table,
            picked,
            value=(
                f"count(*) FILTER (occurred_at < {EARLIEST} OR occurred_at > "
                f"greatest(landed_at, {gate.as_of}) + {AHEAD})"
            ),
            unit="events",
        ),
    ]


def _subjects(table: Table, columns: Sequence[str]) -> Check:
    """Some records may lack whom they are about. Where most do, the map names columns that are not
    there: withdrawals would reach nobody, and what they withdrew be granted again."""
    lacking = " OR ".join(f"{quoted(column)} IS NULL" for column in columns)
    return counted(
        "says in most rows whom they are about",
        table,
        relation(*table),
        value=f"greatest(0, 2 * count(*) FILTER ({lacking}) - count(*))",
        unit="rows too many that do not",
    )


def _conservation(gate: Gate, each: StagedEntity) -> Check | None:
    """Every landed row of the stream stands in staging, as itself or as a later version of it.

    Where a map takes only some rows of its stream, which ones is the model's own decision; what it
    may not do, invent rows, is checked for every entity.
    """
    if each.map is not None and each.map.where is not None:
        return None
    table, raw = ("staging", each.model), ("raw", each.source.name)
    landed = f"{relation(*raw)} WHERE stream = {literal(each.stream)} AND {gate.scope.landed}"
    if each.map is not None and each.entity.name == "events" and each.row_key_columns:
        rows = (
            f"SELECT DISTINCT 'k:' || {_row_id(each)} AS row_key FROM {landed} AND NOT is_deleted"
        )
        return counted(
            f"has every row that has landed in stream {each.stream}",
            table,
            f"({rows}) AS landed ANTI JOIN {relation(*table)} AS staged "
            "ON staged.row_key = landed.row_key",
            [raw],
            unit="rows",
        )
    if not each.entity.key:
        return same_total(
            f"has every row that has landed in stream {each.stream}",
            table,
            ("rows", f"SELECT count(*) FROM {relation(*table)} WHERE {gate.scope.landed}"),
            ("landed", f"SELECT count(*) FROM {landed}"),
            [raw],
            unit="rows too many or too few",
        )
    keys = [_landed_key(each, column) for column in each.entity.key]
    if None in keys:
        return None
    selected = ", ".join(
        f"{sql} AS {quoted(column)}" for sql, column in zip(keys, each.entity.key, strict=True)
    )
    # A row without the key of an entity is none, whatever else it is.
    there = " AND ".join(f"{sql} IS NOT NULL" for sql in keys)
    matched = " AND ".join(
        f"landed.{quoted(column)} = staged.{quoted(column)}" for column in each.entity.key
    )
    return counted(
        f"has every key that has landed in stream {each.stream}",
        table,
        f"(SELECT DISTINCT {selected} FROM {landed} AND {there}) AS landed "
        f"ANTI JOIN {relation(*table)} AS staged ON {matched}",
        [raw],
        unit="keys",
    )


def _landed_key(each: StagedEntity, column: str) -> str | None:
    """SQL over a raw row of a key column of the entity; None where an expression makes it."""
    assert each.map is not None
    value = each.map.columns.get(column)
    if isinstance(value, str):
        return _source_text(each, value)
    if value is None and each.row_key_columns:
        return _row_id(each)
    if value is None:
        return "position" if column == "line_number" else "row_key"
    return None


def _row_id(each: StagedEntity) -> str:
    """SQL over a raw row of the key of the row in its source."""
    return " || chr(31) || ".join(_source_text(each, name) for name in each.row_key_columns)


def _source_text(each: StagedEntity, column: str) -> str:
    """SQL over a raw row of what stands in a column of the source."""
    path = json_path(column, nests=each.declared.nests)
    return f"nullif(trim(json_extract_string(payload, {literal(path)})), '')"


def _union(gate: Gate, name: str, feeding: Sequence[StagedEntity]) -> Check:
    condition = gate.scope.landed
    parts = [
        f"(SELECT count(*) FROM {relation('staging', each.model)} WHERE {condition})"
        for each in feeding
    ]
    return same_total(
        "has the rows of all sources together",
        ("staging", name),
        ("rows", f"SELECT count(*) FROM {relation('staging', name)} WHERE {condition}"),
        ("staged", f"SELECT {' + '.join(parts) or '0'}"),
        [("staging", each.model) for each in feeding],
        unit="rows too many or too few",
    )


def _versions(gate: Gate, name: str, feeding: Sequence[StagedEntity]) -> list[Check]:
    """Every version that has landed is seen, where no map of the model picks rows."""
    if any(each.map and each.map.where for each in feeding):
        return []
    parts = [
        f"(SELECT count(*) FROM {relation('raw', each.source.name)} "
        f"WHERE stream = {literal(each.stream)} AND NOT is_deleted AND {gate.scope.landed})"
        for each in feeding
    ]
    return [
        same_total(
            "has every version that has landed",
            ("staging", name),
            (
                "versions",
                f"SELECT count(*) FROM {relation('staging', name)} WHERE {gate.scope.landed}",
            ),
            ("landed", f"SELECT {' + '.join(parts) or '0'}"),
            [("raw", each.source.name) for each in feeding],
            unit="versions too many or too few",
        )
    ]
