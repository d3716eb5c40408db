"""Parquet and JSON files as rows of JSON objects.

Belongs here: reading those formats in batches, and telling rows that cannot be read. Does not
belong here: CSV (`ingestion.files.csv_rows`), NDJSON, whose lines are rows already
(`ingestion.files.lines`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.envelope import MAX_ROW_BYTES
from ingestion.files.lines import Ending, read_blocks
from ingestion.json_text import Items
from ingestion.judging import RawRows
from ingestion.rows import as_json_rows

BATCH = 200_000
"""Rows that are told as JSON at once, where they are small."""

BATCH_BYTES = 16 << 20
"""Bytes of rows that are told as JSON at once. No column of text may hold 2 GiB."""

READ_AT_ONCE = 1_024
"""Rows of a Parquet file that are unpacked before anybody knows how large they are: a value that
stands in it once may be that of any number of rows."""

LARGEST_PIECE = 2 << 30
"""Bytes, unpacked, of what a Parquet file lets be read in one piece only."""


@dataclass
class TableRows:
    """One batch: rows, and the rows among them that could not be read (position, reason, bytes)."""

    rows: RawRows
    refused: list[tuple[str, str, bytes]] = field(default_factory=list)


NO_ROWS = RawRows(pa.array([], pa.binary()), pa.array([], pa.string()))


def refused_at(path: str, number: int, reason: str, content: bytes = b"") -> TableRows:
    """What stands at one place of a file and is no row."""
    return TableRows(NO_ROWS, [(f"{path}:{number}", reason, content[: MAX_ROW_BYTES + 1])])


def at(path: str, numbers: np.ndarray) -> pa.Array:
    """The positions of rows by their numbers."""
    told = pa.array(numbers, pa.int64()).cast(pa.string())
    return pc.binary_join_element_wise(path, told, ":")


def read_parquet(
    opened: BinaryIO, path: str, cursor: duckdb.DuckDBPyConnection, *, messages: bool
) -> Iterator[TableRows]:
    """Rows of a Parquet file; with `messages`, each row is a message of its own or holds one."""
    content = opened.read()
    try:
        file = pq.ParquetFile(io.BytesIO(content))
    except (pa.ArrowException, OSError):
        yield refused_at(path, 1, "unreadable_file")
        return
    metadata = file.metadata
    for index in range(metadata.num_row_groups):
        if metadata.row_group(index).total_byte_size > LARGEST_PIECE:
            yield refused_at(path, 1, "too_large_unpacked")
            return
    number = 1
    batches = _batches(file)
    while True:
        try:
            table = next(batches, None)
        except (pa.ArrowException, OSError):
            yield refused_at(path, number, "unreadable_file")
            return
        if table is None:
            return
        holder = next((n for n in ("payload", "message", "json") if n in table.schema.names), None)
        texts = _messages(table[holder]) if messages and holder else None
        if texts is None:
            texts = as_json_rows(cursor, table, keep_types=messages)
        yield TableRows(RawRows(texts, at(path, np.arange(number, number + len(texts)))))
        number += len(texts)


def _batches(file: pq.ParquetFile) -> Iterator[pa.Table]:
    """The rows of a file, as many at a time as together have a bounded size."""
    gathered: list[pa.Table] = []
    rows = size = 0
    batches = file.iter_batches(batch_size=READ_AT_ONCE)
    try:
        for batch in batches:
            for piece in pieces(_decoded(pa.Table.from_batches([batch]))):
                more = _told_size(piece)
                if gathered and (rows + len(piece) > BATCH or size + more > BATCH_BYTES):
                    yield pa.concat_tables(gathered)
                    gathered, rows, size = [], 0, 0
                gathered.append(piece)
                rows, size = rows + len(piece), size + more
    except (pa.ArrowException, OSError):
        # What came before a page that cannot be read can.
        if gathered:
            yield pa.concat_tables(gathered)
        raise
    if gathered:
        yield pa.concat_tables(gathered)


def pieces(table: pa.Table) -> Iterator[pa.Table]:
    """The rows of a table in parts, as many at a time as together have a bounded size."""
    if not len(table):
        return
    share = max(1, _told_size(table) // len(table))
    step = max(1, min(BATCH, BATCH_BYTES // share))
    for start in range(0, len(table), step):
        yield table.slice(start, step)


def _told_size(table: pa.Table) -> int:
    """About how many bytes rows have as JSON, in which each names its columns."""
    names = sum(len(name.encode()) + 6 for name in table.schema.names)
    return int(table.nbytes) + names * len(table)


def _decoded(table: pa.Table) -> pa.Table:
    """Every value where it stands, instead of a number that refers to it."""
    for index, field_ in enumerate(table.schema):
        if pa.types.is_dictionary(field_.type):
            column = table.column(index).cast(field_.type.value_type)
            table = table.set_column(index, field_.name, column)
    return table


def _messages(column: pa.ChunkedArray) -> pa.Array | None:
    """A column of messages as binary text; None where it holds no text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if not any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    ):
        return None
    if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
        column = column.cast(pa.string())
    column = pc.fill_null(column.cast(pa.binary()), b"")
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.binary())


def read_json(opened: BinaryIO, path: str, ending: Ending) -> Iterator[TableRows]:
    """Items of a JSON file that holds a list, or one object, each byte by byte as it stands.

    What is wrong with an item is for its judge to say, so it costs no other.
    """
    items = Items(MAX_ROW_BYTES)
    for block in read_blocks(opened, ending):
        for texts in items.feed(block):
            numbers = np.arange(items.count - len(texts), items.count) + 1
            yield TableRows(RawRows(texts, at(path, numbers)))
    rest = items.rest()
    if ending.broken or items.state == "list":
        yield refused_at(path, items.count + 1, "truncated_file", rest)
    elif items.state == "single" and rest.startswith(b"{"):
        yield TableRows(RawRows(pa.array([rest], pa.binary()), at(path, np.array([1]))))
    elif items.state != "after" or rest:
        yield refused_at(path, items.count + 1, "unreadable_file", rest)
