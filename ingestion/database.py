"""Tables of a relational database, through dlt's own `sql_database`.

Belongs here: which columns are asked for and how (as text, exactly as the database tells them), the
cursor, and the comparison of keys that finds hard deletes. Does not belong here: keys, versions and
types of rows (`ingestion.rows`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from cdp.config.sources import Source, Stream
from cdp.config.staged import json_path
from cdp.warehouse.store import Warehouse
from ingestion.database_ranges import kind_of, kind_of_type, lag_of, no_column, span_of, within
from ingestion.database_sessions import engine_arguments, in_session
from ingestion.judging import BODY, RawRows
from ingestion.reading import Reading
from ingestion.rows import as_json_rows

CHUNK = 50_000

_CURSOR_AS_TEXT = "cursor_as_the_database_writes_it"
"""Stands beside the cursor's typed value, which dlt compares and which says other text: a NUMERIC 1
is 1.000000000 there, and a key of its row would be told in two ways."""


def database_rows(
    reading: Reading,
    warehouse: Warehouse,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Any]:
    """One dlt resource for each stream, and one for each comparison of keys that is due."""
    for name, stream in reading.source.streams.items():
        # A stream that has nothing to say has answered all the same.
        reading.rows_read[name] += 0
        yield _rows(name, stream, reading, warehouse, since, until)
    for name, stream in reading.source.streams.items():
        if stream.deletes.compare_every is not None and since is None and until is None:
            yield _deletions(name, stream, reading, warehouse)


def _rows(
    name: str,
    stream: Stream,
    reading: Reading,
    warehouse: Warehouse,
    since: datetime | None,
    until: datetime | None,
) -> Any:
    import dlt

    table = _table(name, stream, reading, warehouse, since, until)

    @dlt.transformer(data_from=table, name=f"{reading.source.name}_{name}_rows")
    def envelopes(rows: pa.Table) -> Iterator[pa.Table]:
        rows = rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])
        yield from reading.add(_told(rows, stream, reading), name)
        yield from reading.flush()
        reading.rows_read[name] += len(rows)

    return table | envelopes


def _told(rows: pa.Table, stream: Stream, reading: Reading) -> RawRows:
    if _CURSOR_AS_TEXT in rows.schema.names:
        rows = rows.drop_columns([str(stream.cursor)]).rename_columns(
            {_CURSOR_AS_TEXT: str(stream.cursor)}
        )
    texts = as_json_rows(reading.cursor, rows)
    place = stream.table or ""
    positions = pa.array(
        [f"{place}:{reading.ordinal + index}" for index in range(len(texts))], pa.string()
    )
    return RawRows(texts, positions)


def _table(
    name: str,
    stream: Stream,
    reading: Reading,
    warehouse: Warehouse,
    since: datetime | None,
    until: datetime | None,
    columns: tuple[str, ...] | None = None,
) -> Any:
    import dlt
    import sqlalchemy as sa
    from dlt.sources.sql_database import sql_table

    from ingestion.cursor_paths import keep_compiled_paths

    keep_compiled_paths()
    moments = (sa.Date, sa.DateTime, sa.Time)

    source = reading.source
    url = str(source.option("url", warehouse.settings))
    cursor = stream.cursor if columns is None else None
    span = None
    if cursor is not None and (since or until):
        span = span_of(since, until, kind_of(cursor, stream, source, url), _zone(source))
        # Whoever counts instead of telling the time cannot be asked for days: all is read again.
        cursor = cursor if span else None

    kinds: dict[str, Any] = {}
    # SQLite's own form of moments is another than that in which most write them there.
    in_text = url.startswith("sqlite")

    def all_text(table: sa.Table) -> None:
        declared = {"key": stream.key, "version": (stream.version,), "cursor": (stream.cursor,)}
        for role, names in declared.items():
            for each in names:
                if each is not None and each not in table.columns:
                    raise no_column(source, stream, each, role, table.columns.keys())
        # Numbers and times as the database writes them: nothing is rounded or read in a zone.
        for column in table.columns:
            kinds[column.name] = column.type
            column.nullable = True
            if column.name != cursor or (in_text and isinstance(column.type, moments)):
                column.type = sa.Text()
        if cursor is not None:
            table.append_column(sa.Column(_CURSOR_AS_TEXT, sa.Text, nullable=True))

    def as_text(
        query: sa.Select[Any], table: sa.Table, news: Any = None, *_: Any
    ) -> sa.Select[Any]:
        wanted = [
            sa.cast(table.columns[name], sa.Text).label(_CURSOR_AS_TEXT if name == cursor else name)
            for name in kinds
            if columns is None or name in columns
        ]
        if cursor is not None:
            typed = table.columns[cursor]
            if not span:
                kind = kind_of_type(kinds[cursor], in_text)
                typed = within(typed, kind, reading.latest, _zone(source), news.last_value)
            wanted.append(typed.label(cursor))
        return query.with_only_columns(*wanted)

    incremental = None
    if cursor is not None:
        incremental = dlt.sources.incremental(
            cursor,
            initial_value=span[0] if span else None,
            end_value=span[1] if span else None,
            # A row whose transaction took longer than that of a later row shows behind the cursor.
            lag=None if span else lag_of(cursor, stream, source, url),
            # Rows of the last moment are read again, as duplicates: none of it is missed.
            primary_key=(),
            on_cursor_value_missing="include",
        )
    return sql_table(
        credentials=url,
        table=str(stream.table),
        schema=source.options.get("schema"),
        incremental=incremental,
        chunk_size=CHUNK,
        backend="pyarrow",
        reflection_level="full",
        table_adapter_callback=all_text,
        query_adapter_callback=as_text,
        backend_kwargs={"tz": "UTC"},
        engine_kwargs=engine_arguments(source, url),
        engine_adapter_callback=partial(in_session, source=source),
    ).with_name(f"{source.name}_{name}" + ("_keys" if columns else ""))


def _zone(source: Source) -> str:
    """The zone of times that name none."""
    return str(source.options.get("timezone", "UTC"))


def _deletions(name: str, stream: Stream, reading: Reading, warehouse: Warehouse) -> Any:
    import dlt

    keys = _table(name, stream, reading, warehouse, None, None, stream.key)
    every = stream.deletes.compare_every
    assert every is not None, "asked for where it is declared only"

    def compare() -> Iterator[pa.Table]:
        state = dlt.current.resource_state()
        last = state.get("compared_at")
        if last is not None and reading.now - datetime.fromisoformat(last) < every:
            return
        present = [batch if isinstance(batch, pa.Table) else pa.table(batch) for batch in keys]
        gone = _gone(name, stream, reading, warehouse, present)
        state["compared_at"] = reading.now.isoformat()
        count = len(gone)
        if count:
            body = _tombstones(gone, stream, reading)
            reading.ordinal += count
            reading.rows_read[name] += count
            yield reading.enveloped(body, name)

    return dlt.resource(compare, name=f"{reading.source.name}_{name}_deletions")


def _gone(
    name: str, stream: Stream, reading: Reading, warehouse: Warehouse, present: list[pa.Table]
) -> pa.Table:
    """Keys that raw holds alive and the source has no more: one text column a key column, and the
    payload and landing number of the version that was the last."""
    paths = ", ".join(f"'{json_path(column, nests=False)}'" for column in stream.key)
    columns = [f"key[{index}] AS k{index}" for index, _ in enumerate(stream.key, 1)]
    with warehouse.cursor() as cursor:
        table = pa.concat_tables(present) if present else None
        if table is None:
            table = pa.table({column: pa.array([], pa.string()) for column in stream.key})
        cursor.register("present_keys", table.select(list(stream.key)))
        matched = " AND ".join(
            f'CAST(present_keys."{column}" AS VARCHAR) = k{index}'
            for index, column in enumerate(stream.key, 1)
        )
        return cursor.execute(
            f"""
            WITH landed AS (
                SELECT json_extract_string(payload, [{paths}]) AS key, payload, is_deleted,
                       landing_number
                FROM raw."{reading.source.name}" WHERE stream = ?
            ),
            latest AS (
                SELECT key, arg_max(is_deleted, landing_number) AS is_deleted,
                       arg_max(payload, landing_number) AS payload,
                       max(landing_number) AS landing_number
                FROM landed GROUP BY key
            ),
            alive AS (
                SELECT {", ".join(columns)}, payload, landing_number
                FROM latest WHERE NOT is_deleted
            )
            SELECT alive.* FROM alive
            WHERE NOT EXISTS (SELECT 1 FROM present_keys WHERE {matched})
            ORDER BY landing_number
            """,
            [name],
        ).to_arrow_table()


def _tombstones(gone: pa.Table, stream: Stream, reading: Reading) -> pa.Table:
    keys = gone.select([f"k{index}" for index, _ in enumerate(stream.key, 1)]).rename_columns(
        list(stream.key)
    )
    rows = []
    # A tombstone says again what its row said last: whatever the row was part of has to know.
    for index, text in enumerate(gone["payload"].to_pylist()):
        number = gone["landing_number"][index].as_py()
        values = chr(31).join(str(keys[column][index]).strip(" ") for column in stream.key)
        rows.append(
            {
                "ordinal": reading.ordinal + index,
                # The version that it ends is part of the key: the same deletion lands once.
                "row_key": f"d:{values}{chr(31)}{number}",
                "position": f"{stream.table}:gone after {number}",
                "occurred_at": reading.now,
                "payload": text,
                "payload_hash": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
                "is_deleted": True,
            }
        )
    return pa.Table.from_pylist(rows, schema=BODY)
