"""Rows of tables, files and APIs to envelopes: a JSON object of source columns each.

Belongs here: the key of a row, its version, and the check of its columns against the contract, both
by the stream's declaration. Does not belong here: reading any source, or the meaning of columns.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import duckdb
import pyarrow as pa
from sqlglot import exp

from cdp.config.contract import ENTITIES, WAREHOUSE_TYPES
from cdp.config.sources import Expression, Map, Stream, parse_expression
from cdp.config.staged import column_names, json_path
from ingestion.events import EARLIEST, FUTURE
from ingestion.judging import Verdicts
from ingestion.object_keys import keys_of, parents
from ingestion.values import json_id, literal, text_id, utc

Extracted = Callable[[str], str]
"""From the name of a source's column to SQL of its text in a row."""


def row_verdicts(stream: Stream, now: datetime, as_of: datetime, zone: str) -> Verdicts:
    """What becomes of rows, each one JSON object, by the declaration of their stream: its key, its
    version, and its maps with the types of their columns.

    Args:
        now: the moment of landing (UTC).
        as_of: the moment the run computes for; the later of the two bounds the future of events.
        zone: the zone of times that name none.
    """
    bounds: dict[str, object] = {"earliest": EARLIEST, "latest": max(now, as_of) + FUTURE}
    paths = _paths(stream)
    objects = parents(paths)
    query = _query(stream, zone, paths, objects)
    return Verdicts(query, objects, bounds if "$latest" in query else {})


def _query(stream: Stream, zone: str, paths: list[str], objects: list[str]) -> str:
    nests = stream.nests
    listed = ", ".join(literal(path) for path in paths)

    def field(column: str) -> str:
        return f"f[{paths.index(json_path(column, nests=nests)) + 1}]"

    keys = [f"nullif(trim({field(column)}), '')" for column in stream.key]
    missing = " OR ".join([*(f"{key} IS NULL" for key in keys), *_nothing_made(stream, field)])
    version = "md5(text)"
    if stream.version:
        version = f"coalesce(replace({field(stream.version)}, chr(31), ' '), md5(text))"
    if keys:
        # Parted by what stands in no key, so that neither keys nor versions run into each other.
        key = "'k:' || " + " || chr(31) || ".join([*keys, version])
    else:
        key = "'p:' || position || ':' || md5(text)"
    checks = [check for each in stream.maps for check in _type_checks(each, field, zone)]
    mismatch = "\n".join(f"WHEN {check} THEN {literal(column)}" for column, check in checks)
    mismatch = f"CASE {mismatch} END" if checks else "CAST(NULL AS VARCHAR)"
    occurred = _occurred(stream, field, zone)
    out_of_range = " OR ".join(
        f"({at} < $earliest OR {at} > $latest)"
        for each in stream.maps
        if each.entity == "events" and (at := _moment(each.columns.get("occurred_at"), field, zone))
    )
    return f"""
    WITH parsed AS (
        SELECT ordinal, position, text,
               TRY(json_extract_string(text, [{listed}])) AS f,
               {keys_of(objects)} AS keys
        FROM good
    ),
    checked AS (
        SELECT *, CASE WHEN f IS NOT NULL THEN {mismatch} END AS mismatch FROM parsed
    ),
    judged AS (
        SELECT *,
               CASE
                   WHEN f IS NULL THEN 'malformed_json'
                   WHEN NOT starts_with(text, '{{') AND ltrim(text, ' \t')[1] <> '{{'
                       THEN 'not_an_object'
                   WHEN {missing or "false"} THEN 'missing_key'
                   WHEN mismatch IS NOT NULL THEN 'type_mismatch'
                   WHEN {out_of_range or "false"} THEN 'time_out_of_range'
               END AS reason
        FROM checked
    )
    SELECT ordinal, text, reason, keys,
           {key} AS row_key,
           {occurred} AS occurred_at,
           CAST(NULL AS TIMESTAMP) AS received_at,
           'column ' || CASE reason WHEN 'type_mismatch' THEN mismatch
                WHEN 'missing_key' THEN {_first_missing(stream, keys, field)} END AS detail
    FROM judged
    """


def _first_missing(stream: Stream, keys: list[str], field: Extracted) -> str:
    """SQL of the first column that is missing of the stream's key, else of an entity's."""
    needed = list(zip(stream.key, keys, strict=True))
    for each in stream.maps:
        for name in ENTITIES[each.entity].key:
            if value := _key_value(each, name, stream, field):
                column = each.columns[name]
                # Without a name, an expression is told by the column that it makes.
                needed.append((column if isinstance(column, str) else name, value))
    cases = [f"WHEN {value} IS NULL THEN {literal(column)}" for column, value in needed]
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS VARCHAR)"


def _paths(stream: Stream) -> list[str]:
    columns = [*stream.key]
    if stream.version:
        columns.append(stream.version)
    for each in stream.maps:
        for value in each.columns.values():
            if isinstance(value, str):
                columns.append(value)
            elif isinstance(value, Expression):
                columns += column_names(value.sql)
        if each.where:
            columns += column_names(each.where)
    return list(dict.fromkeys(json_path(each, nests=stream.nests) for each in columns)) or ["$"]


def _nothing_made(stream: Stream, field: Extracted) -> list[str]:
    """SQL that is true where some map takes a row, and none finds the key of its entity in it."""
    takes, makes = [], []
    for each in stream.maps:
        taken = f"coalesce(TRY({_rendered(each.where, field)}), false)" if each.where else "true"
        there = [
            f"{value} IS NOT NULL"
            for name in ENTITIES[each.entity].key
            if (value := _key_value(each, name, stream, field))
        ]
        if not there and not each.where:
            return []
        takes.append(taken)
        makes.append(" AND ".join([taken, *there]))
    if takes == makes:
        return []
    return [f"(({' OR '.join(takes)}) AND NOT ({' OR '.join(f'({each})' for each in makes)}))"]


def _key_value(each: Map, name: str, stream: Stream, field: Extracted) -> str | None:
    """SQL of a key column of an entity as text; None where it cannot be missing."""
    value = each.columns.get(name)
    if isinstance(value, str):
        return json_id(field(value), json_path(value, nests=stream.nests))
    if isinstance(value, Expression):
        return text_id(f"TRY(CAST({_rendered(value.sql, field)} AS VARCHAR))")
    return None


_ENDS = ("valid_until", "deleted_at", "left_at")
"""Times of what may never end, for which databases have infinity: staging makes null of it."""


def _type_checks(each: Map, field: Extracted, zone: str) -> list[tuple[str, str]]:
    """(source column, SQL that is true where its value breaks the contract)."""
    checks = []
    condition = "true"
    if each.where:
        where = _rendered(each.where, field)
        condition = f"coalesce(TRY({where}), false)"
        checks.append(("where", _breaks(where)))
    for name, value in each.columns.items():
        kind = ENTITIES[each.entity].columns[name].type
        if kind == "timestamp" and (told := _told(value, field)):
            unread = f"trim({told}) <> '' AND {utc(told, zone)} IS NULL"
            if name in _ENDS:
                unread += f" AND lower(trim({told})) NOT IN ('infinity', '+infinity')"
            if isinstance(value, Expression):
                unread = f"({_breaks(_rendered(value.sql, field))} OR ({unread}))"
            # Without a name, an expression is told by the column that it makes.
            column = value if isinstance(value, str) else name
            checks.append((column, f"{condition} AND {unread}"))
            continue
        if isinstance(value, Expression):
            computed = f"CAST({_rendered(value.sql, field)} AS {WAREHOUSE_TYPES[kind]})"
            checks.append((name, f"{condition} AND {_breaks(computed)}"))
            continue
        if not isinstance(value, str) or kind in ("text", "identifier", "code", "json"):
            continue
        text = f"trim(coalesce({field(value)}, ''))"
        if kind == "boolean":
            fails = (
                f"lower({text}) NOT IN ('true', 't', '1', 'yes', 'y', 'false', 'f', '0', 'no', 'n')"
            )
        else:
            fails = f"try_cast({text} AS {WAREHOUSE_TYPES[kind]}) IS NULL"
        checks.append((value, f"{text} <> '' AND {condition} AND {fails}"))
    return checks


def _breaks(sql: str) -> str:
    """SQL that is true where an expression has no value because it is an error: a null has one."""
    return f"TRY(({sql}) IS NULL) IS NULL"


def _occurred(stream: Stream, field: Extracted, zone: str) -> str:
    """The time of the row itself: when an event occurred, else when the version was made."""
    for each in stream.maps:
        if each.entity == "events" and "occurred_at" in each.columns:
            told = _moment(each.columns["occurred_at"], field, zone)
            if told:
                return told
    return _moment(stream.version, field, zone) or "CAST(NULL AS TIMESTAMP)"


def _moment(value: object, field: Extracted, zone: str) -> str | None:
    """SQL of a time, UTC, that a column or an expression of the source tells."""
    text = _told(value, field)
    return utc(text, zone) if text else None


def _told(value: object, field: Extracted) -> str | None:
    """SQL of what a column or an expression of the source says, as text."""
    if isinstance(value, Expression):
        return f"TRY(CAST({_rendered(value.sql, field)} AS VARCHAR))"
    return field(value) if isinstance(value, str) else None


def _rendered(sql: str, field: Extracted) -> str:
    def read(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Column):
            name = node.sql(dialect="duckdb").replace('"', "")
            return exp.Var(this=field(name))
        if type(node) is exp.Cast and not node.is_type("text"):
            # An empty column of a file is no value, and none is nothing that a cast fails on.
            told = exp.cast(node.this, "text")
            node.set(
                "this", exp.Nullif(this=exp.Trim(this=told), expression=exp.Literal.string(""))
            )
        return node

    return parse_expression(sql).transform(read).sql(dialect="duckdb")


def as_json_rows(
    cursor: duckdb.DuckDBPyConnection, table: pa.Table, *, keep_types: bool = False
) -> pa.Array:
    """Each row of a table as one JSON object in binary text.

    Values become text exactly as they are (numbers in decimal text, times in ISO form), so that
    nothing is rounded on its way; nested values stay JSON.

    Args:
        table: any columns.
        keep_types: leave numbers and booleans as JSON numbers and booleans (for messages).
    """
    # The engine takes `Id` and `id` for one name; columns stand under their places instead.
    plain = pa.table(
        [_as_text(column) for column in table.columns],
        names=[f"c{index}" for index in range(table.num_columns)],
    )
    pairs = ", ".join(
        f"{literal(name)}, {_value(f'c{index}', plain.schema.types[index], keep_types=keep_types)}"
        for index, name in enumerate(table.schema.names)
    )
    cursor.register("rows_to_tell", plain)
    try:
        found = cursor.execute(
            f"SELECT encode(CAST(json_object({pairs}) AS VARCHAR)) AS text FROM rows_to_tell"
        )
        column = found.to_arrow_table()["text"]
    finally:
        cursor.unregister("rows_to_tell")
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.binary())


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text that its writer did not mark as such is text; bytes that are none stay bytes."""
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        return column
    try:
        return column.cast(pa.large_string())
    except pa.ArrowInvalid:
        return column


def _value(column: str, kind: pa.DataType, *, keep_types: bool) -> str:
    if keep_types:
        return column
    return f"to_json({column})" if pa.types.is_nested(kind) else f"CAST({column} AS VARCHAR)"
