"""Tables of a relational database, through dlt's own `sql_database`.

Belongs here: which columns are asked for and how (as text, exactly as the database tells them), the
cursor, and when keys are compared. Does not belong here: what a comparison finds (`database_keys`);
keys, versions and types of rows (`ingestion.rows`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from cdp.config.sources import Source, Stream
from cdp.warehouse.store import Warehouse
from ingestion import database_keys
from ingestion.database_ranges import kind_of, kind_of_type, lag_of, no_column, span_of, within
from ingestion.database_sessions import engine_arguments, in_session
from ingestion.judging import RawRows
from ingestion.reading import Reading
from ingestion.rows import as_json_rows

CHUNK = 50_000
KEYS_ASKED_AT_ONCE = 500
"""Databases bound the parameters of a query, SQL Server at 2,100, and how deep it nests."""

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
    told: dict[str, list[pa.Table]] = {name: [] for name in reading.source.streams}
    for name, stream in reading.source.streams.items():
        # A stream that has nothing to say has answered all the same.
        reading.rows_read[name] += 0
        yield _rows(name, stream, reading, warehouse, since, until, told[name])
    for name, stream in reading.source.streams.items():
        if stream.deletes.compare_every is not None and since is None and until is None:
            yield _comparison(name, stream, reading, warehouse, told[name])


def _rows(
    name: str,
    stream: Stream,
    reading: Reading,
    warehouse: Warehouse,
    since: datetime | None,
    until: datetime | None,
    told: list[pa.Table],
) -> Any:
    import dlt

    compares = stream.deletes.compare_every is not None and stream.cursor is not None
    table = _table(name, stream, reading, warehouse, since, until)

    @dlt.transformer(data_from=table, name=f"{reading.source.name}_{name}_rows")
    def envelopes(rows: pa.Table) -> Iterator[pa.Table]:
        rows = _as_text(_whole(rows), stream)
        if compares:
            told.append(rows.select(list(stream.key)))
        yield from reading.add(_told(rows, stream, reading, str(stream.table)), name)
        yield from reading.flush()
        reading.rows_read[name] += len(rows)

    return table | envelopes


def _as_text(rows: pa.Table, stream: Stream) -> pa.Table:
    """The columns as the database writes them, the cursor's among them."""
    if _CURSOR_AS_TEXT not in rows.schema.names:
        return rows
    cursor = str(stream.cursor)
    return rows.drop_columns([cursor]).rename_columns({_CURSOR_AS_TEXT: cursor})


def _told(rows: pa.Table, stream: Stream, reading: Reading, place: str) -> RawRows:
    texts = as_json_rows(reading.desk, rows)
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
    *,
    columns: tuple[str, ...] | None = None,
    missed: Sequence[tuple[str, ...]] | None = None,
) -> Any:
    """A table of the source, as a resource of dlt.

    Args:
        columns: those alone, of all rows.
        missed: rows of these keys alone, wherever the cursor stands.
    """
    import dlt
    import sqlalchemy as sa
    from dlt.sources.sql_database import sql_table

    from ingestion.cursor_paths import keep_compiled_paths

    keep_compiled_paths()
    moments = (sa.Date, sa.DateTime, sa.Time)

    source = reading.source
    url = str(source.option("url", warehouse.settings))
    cursor = stream.cursor if columns is None and missed is None else None
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
        if missed is not None:
            query = query.where(database_keys.one_of(table, kinds, stream.key, missed))
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
    ).with_name(f"{source.name}_{name}" + ("_keys" if columns else "_missed" if missed else ""))


def _zone(source: Source) -> str:
    """The zone of times that name none."""
    return str(source.options.get("timezone", "UTC"))


def _comparison(
    name: str,
    stream: Stream,
    reading: Reading,
    warehouse: Warehouse,
    told: list[pa.Table],
) -> Any:
    """Tombstones for rows that are gone, and rows that are there and were missed: they came back,
    or were committed, behind the cursor."""
    import dlt

    keys = _table(name, stream, reading, warehouse, None, None, columns=stream.key)
    every = stream.deletes.compare_every
    assert every is not None, "asked for where it is declared only"

    def compare() -> Iterator[pa.Table]:
        state = dlt.current.resource_state()
        last = state.get("compared_at")
        if last is not None and reading.now - datetime.fromisoformat(last) < every:
            return
        present = list(map(_whole, keys))
        with warehouse.session() as session:
            read = None if stream.cursor is None else told
            found = database_keys.compare(name, stream, reading, session, present, read)
        database_keys.refuse_what_nobody_believes(found, stream, reading.source.name)
        state["compared_at"] = reading.now.isoformat()
        count = len(found.gone)
        if count:
            body = database_keys.tombstones(found.gone, stream, reading)
            reading.ordinal += count
            reading.rows_read[name] += count
            yield reading.enveloped(body, name)
        for first in range(0, len(found.missed), KEYS_ASKED_AT_ONCE):
            part = found.missed.slice(first, KEYS_ASKED_AT_ONCE)
            missed = [tuple(row.values()) for row in part.to_pylist()]
            for rows in map(
                _whole, _table(name, stream, reading, warehouse, None, None, missed=missed)
            ):
                place = f"{stream.table}:found by its key"
                yield from reading.add(_told(rows, stream, reading, place), name)
                yield from reading.flush()
                reading.rows_read[name] += len(rows)

    return dlt.resource(compare, name=f"{reading.source.name}_{name}_deletions")


def _whole(rows: Any) -> pa.Table:
    return rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])
