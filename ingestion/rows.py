"""Rows of tables, files and APIs to envelopes: a JSON object of source columns each.

Belongs here: the key of a row, its version, and the check of its columns against the contract, both
by the stream's declaration. Does not belong here: reading any source, or the meaning of columns.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa
from sqlglot import exp

from cdp.config.contract import ENTITIES, WAREHOUSE_TYPES
from cdp.config.sources import Expression, Map, Stream, parse_expression
from cdp.config.staging_models import column_names, json_path
from ingestion.judging import Verdicts


def row_verdicts(stream: Stream) -> Verdicts:
    """What becomes of rows, each one JSON object, by the declaration of their stream: its key, its
    version, and its maps with the types of their columns."""
    return Verdicts(_query(stream))


def _query(stream: Stream) -> str:
    paths = _paths(stream)
    listed = ", ".join(_text(path) for path in paths)

    def field(column: str) -> str:
        return f"f[{paths.index(json_path(column)) + 1}]"

    keys = [f"nullif(trim({field(column)}), '')" for column in stream.key]
    missing = " OR ".join(f"{key} IS NULL" for key in keys) or "false"
    version = f"coalesce({field(stream.version)}, md5(text))" if stream.version else "md5(text)"
    if keys:
        key = "'k:' || " + " || chr(31) || ".join(keys) + f" || ':' || {version}"
    else:
        key = "'p:' || position || ':' || md5(text)"
    checks = [check for each in stream.maps for check in _type_checks(each, field)]
    mismatch = "\n".join(f"WHEN {check} THEN {_text(column)}" for column, check in checks)
    mismatch = f"CASE {mismatch} END" if checks else "CAST(NULL AS VARCHAR)"
    occurred = _occurred(stream, field)
    return f"""
    WITH parsed AS (
        SELECT ordinal, position, text,
               TRY(json_extract_string(text, [{listed}])) AS f,
               TRY(json_keys(text)) AS keys
        FROM good
    ),
    checked AS (
        SELECT *, CASE WHEN f IS NOT NULL THEN {mismatch} END AS mismatch FROM parsed
    ),
    judged AS (
        SELECT *,
               CASE
                   WHEN f IS NULL THEN 'malformed_json'
                   WHEN ltrim(text, ' \t')[1] <> '{{' THEN 'not_an_object'
                   WHEN len(keys) <> len(list_distinct(keys)) THEN 'duplicate_key_in_object'
                   WHEN {missing} THEN 'missing_key'
                   WHEN mismatch IS NOT NULL THEN 'type_mismatch'
               END AS reason
        FROM checked
    )
    SELECT ordinal, text, reason,
           {key} AS row_key,
           {occurred} AS occurred_at,
           CAST(NULL AS TIMESTAMP) AS received_at,
           CASE WHEN reason = 'type_mismatch' THEN 'column ' || mismatch END AS detail
    FROM judged
    """


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
    return list(dict.fromkeys(json_path(column) for column in columns)) or ["$"]


def _type_checks(each: Map, field) -> list[tuple[str, str]]:  # type: ignore[no-untyped-def]
    """(source column, SQL that is true where its value breaks the contract)."""
    condition = f"coalesce({_rendered(each.where, field)}, false)" if each.where else "true"
    checks = []
    for name, value in each.columns.items():
        kind = ENTITIES[each.entity].columns[name].type
        if not isinstance(value, str) or kind in ("text", "json"):
            continue
        text = f"trim(coalesce({field(value)}, ''))"
        if kind == "boolean":
            fails = (
                f"lower({text}) NOT IN ('true', 't', '1', 'yes', 'y', 'false', 'f', '0', 'no', 'n')"
            )
        else:
            target = "TIMESTAMPTZ" if kind == "timestamp" else WAREHOUSE_TYPES[kind]
            fails = f"try_cast({text} AS {target}) IS NULL"
        checks.append((value, f"{text} <> '' AND {condition} AND {fails}"))
    return checks


def _occurred(stream: Stream, field) -> str:  # type: ignore[no-untyped-def]
    """The time of the row itself: when an event occurred, else when the version was made."""
    for each in stream.maps:
        column = each.columns.get("occurred_at")
        if each.entity == "events" and isinstance(column, str):
            return f"try_cast(try_cast({field(column)} AS TIMESTAMPTZ) AS TIMESTAMP)"
    if stream.version:
        return f"try_cast(try_cast({field(stream.version)} AS TIMESTAMPTZ) AS TIMESTAMP)"
    return "CAST(NULL AS TIMESTAMP)"


def _rendered(sql: str, field) -> str:  # type: ignore[no-untyped-def]
    def read(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Column):
            name = node.sql(dialect="duckdb").replace('"', "")
            return exp.Var(this=field(name))
        return node

    return parse_expression(sql).transform(read).sql(dialect="duckdb")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


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
    cursor.register("rows_to_tell", table)
    try:
        if keep_types:
            told = "to_json(rows_to_tell)"
        else:
            pairs = ", ".join(
                f"{_text(name)}, {_value(name, kind)}"
                for name, kind in zip(table.schema.names, table.schema.types, strict=True)
            )
            told = f"json_object({pairs})"
        found = cursor.execute(f"SELECT encode(CAST({told} AS VARCHAR)) AS text FROM rows_to_tell")
        column = found.to_arrow_table()["text"]
    finally:
        cursor.unregister("rows_to_tell")
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.binary())


def _value(name: str, kind: pa.DataType) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    nested = pa.types.is_nested(kind)
    return f"to_json({quoted})" if nested else f"CAST({quoted} AS VARCHAR)"
