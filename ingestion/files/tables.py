"""CSV, Parquet and JSON files as rows of JSON objects.

Belongs here: reading those formats in batches, and telling rows that cannot be read. Does not
belong here: NDJSON, whose lines are rows already (`ingestion.files.lines`).
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from ingestion.envelope import MAX_ROW_BYTES
from ingestion.files.lines import Ending, read_blocks
from ingestion.json_text import Items
from ingestion.judging import RawRows
from ingestion.rows import as_json_rows

BATCH = 200_000

DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
"""What decompression raises of a file that is broken off or damaged."""


@dataclass
class TableRows:
    """One batch: rows, and the rows among them that could not be read (position, reason, bytes)."""

    rows: RawRows
    refused: list[tuple[str, str, bytes]] = field(default_factory=list)


def read_csv(
    opened: BinaryIO, path: str, cursor: duckdb.DuckDBPyConnection, delimiter: str = ","
) -> Iterator[TableRows]:
    """Rows of a CSV file with a header; values stay text exactly as they stand."""
    raw = opened.read()
    try:
        content = _as_utf8(raw)
    except DAMAGE:
        yield _unreadable(path, "truncated_file", raw)
        return
    content, before = _without_preamble(content)
    if not content.strip():
        return
    refused: list[tuple[str, str, bytes]] = []
    skipped: list[int] = []
    aside: dict[str, tuple[str, bytes]] = {}

    def note(row: Any) -> str:
        skipped.append(row.number)
        text = str(row.text)
        reason, was = aside.get(text, ("malformed_row", text.encode()))
        refused.append((f"{path}:{row.number + before}", reason, was))
        return "skip"

    try:
        header = _unique(next(_records(content, delimiter))[2])
        content = _set_aside(content, delimiter, len(header), aside)
        table = pacsv.read_csv(
            io.BytesIO(content),
            # One thread: only then does a row that cannot be read say which one it is.
            read_options=pacsv.ReadOptions(
                use_threads=False, column_names=header, skip_rows=1, block_size=32 << 20
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.binary() for name in header},
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, StopIteration, csv.Error):
        yield _unreadable(path, "unreadable_file", content)
        return
    numbers = _numbers(len(table), skipped)
    numbers = [number + before for number in numbers]
    table, numbers = _without_bad_text(table, numbers, path, refused)
    # In parts: an array of text holds two gigabytes.
    for start in range(0, max(len(table), 1), BATCH):
        texts = as_json_rows(cursor, table.slice(start, BATCH))
        told = [f"{path}:{number}" for number in numbers[start : start + BATCH]]
        yield TableRows(RawRows(texts, pa.array(told, pa.string())), refused if not start else [])


def _unreadable(path: str, reason: str, content: bytes) -> TableRows:
    """A file of which nothing can be read."""
    return _refused(path, 1, reason, content)


def _refused(path: str, number: int, reason: str, content: bytes) -> TableRows:
    """What stands at one place of a file and is no row."""
    none = RawRows(pa.array([], pa.binary()), pa.array([], pa.string()))
    return TableRows(none, [(f"{path}:{number}", reason, content[: 1 << 20])])


def _without_preamble(content: bytes) -> tuple[bytes, int]:
    """The file from its header on, and how many lines stand before it: blank ones, and the one by
    which a spreadsheet names its delimiter."""
    rest = content.lstrip(b"\r\n")
    first, _, after = rest.partition(b"\n")
    if re.fullmatch(rb"(?i)sep=.\r?", first):
        rest = after.lstrip(b"\r\n")
    return rest, content[: len(content) - len(rest)].count(b"\n")


def _records(content: bytes, delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """First line, line after the last, and fields of each record. Bytes that are no UTF-8 stay
    apart from all text, and come back as they were from `surrogateescape`."""
    text = io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")
    rows = csv.reader(text, delimiter=delimiter)
    first = 0
    for fields in rows:
        yield first, rows.line_num, fields
        first = rows.line_num


def _set_aside(
    content: bytes, delimiter: str, columns: int, aside: dict[str, tuple[str, bytes]]
) -> bytes:
    """Put a row of too many columns in the place of each record that would cost its neighbours.

    A quote that nothing closes would take the rest of the file for one value: its line is set
    aside, and the lines after it are read. A record whose bytes are no text stops the reader where
    it also has the wrong number of columns. `aside` gets the reason and the bytes by the row that
    stands there instead. Files without such a record are not looked at line by line.
    """
    open_quote = content.count(b'"') % 2 == 1
    if not open_quote and _is_utf8(content):
        return content
    lines = content.splitlines(keepends=True)
    spans: list[tuple[int, int, str]] = []
    for first, after, fields in _records(content, delimiter):
        last = after >= len(lines)
        if open_quote and last and b"".join(lines[first:after]).count(b'"') % 2 == 1:
            spans.append((first, first + 1, "malformed_row"))
        elif len(fields) != columns and not _is_utf8(b"".join(lines[first:after])):
            spans.append((first, after, "invalid_utf8"))
    for first, after, reason in reversed(spans):
        if first == 0:
            continue
        row = f"set aside {first}" + delimiter * (columns + 1)
        aside[row] = (reason, b"".join(lines[first:after]).rstrip(b"\r\n"))
        lines[first:after] = [row.encode() + b"\n"]
    return b"".join(lines)


def _unique(header: list[str]) -> list[str]:
    """Column names, a second one of a name told apart by its place."""
    seen: dict[str, int] = {}
    names = []
    for place, given in enumerate(header, 1):
        name = (given.strip() and given) or f"column_{place}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return names


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _numbers(rows: int, skipped: list[int]) -> list[int]:
    """Row numbers of the rows that were read; the header is row 1."""
    gaps = set(skipped)
    numbers: list[int] = []
    number = 2
    while len(numbers) < rows:
        if number not in gaps:
            numbers.append(number)
        number += 1
    return numbers


def _without_bad_text(
    table: pa.Table, numbers: list[int], path: str, refused: list[tuple[str, str, bytes]]
) -> tuple[pa.Table, list[int]]:
    """Values as text; rows with bytes that are none, or with NUL, are refused."""
    names = table.schema.names
    try:
        text = table.cast(pa.schema([(name, pa.string()) for name in names]))
        if not any(
            b"\x00" in values.to_pybytes()
            for column in table.columns
            for chunk in column.chunks
            if (values := chunk.buffers()[2]) is not None
        ):
            return text, numbers
    except pa.ArrowInvalid:
        pass
    keep = []
    for index, row in enumerate(table.to_pylist()):
        reason = None
        for value in row.values():
            if value is None:
                continue
            if b"\x00" in value:
                reason = "nul_byte"
            else:
                try:
                    value.decode("utf-8")
                except UnicodeDecodeError:
                    reason = "invalid_utf8"
        if reason:
            raw = b",".join(value or b"" for value in row.values())
            refused.append((f"{path}:{numbers[index]}", reason, raw))
        else:
            keep.append(index)
    kept = table.take(pa.array(keep, pa.int64()))
    return (
        kept.cast(pa.schema([(name, pa.string()) for name in names])),
        [numbers[index] for index in keep],
    )


def read_parquet(
    opened: BinaryIO, path: str, cursor: duckdb.DuckDBPyConnection, *, messages: bool
) -> Iterator[TableRows]:
    """Rows of a Parquet file; with `messages`, each row is a message of its own or holds one."""
    content = opened.read()
    try:
        file = pq.ParquetFile(io.BytesIO(content))
    except (pa.ArrowException, OSError):
        yield _unreadable(path, "unreadable_file", b"")
        return
    number = 1
    batches = file.iter_batches(batch_size=BATCH)
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError):
            damaged = _unreadable(path, "unreadable_file", b"")
            damaged.refused = [(f"{path}:{number}", "unreadable_file", b"")]
            yield damaged
            return
        if batch is None:
            return
        table = pa.Table.from_batches([batch])
        holder = next((n for n in ("payload", "message", "json") if n in table.schema.names), None)
        texts = _messages(table[holder]) if messages and holder else None
        if texts is None:
            texts = as_json_rows(cursor, table, keep_types=messages)
        positions = pa.array([f"{path}:{number + i}" for i in range(len(texts))], pa.string())
        yield TableRows(RawRows(texts, positions))
        number += len(texts)


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
            first = items.count - len(texts) + 1
            yield TableRows(RawRows(texts, _positions(path, first, len(texts))))
    rest = items.rest()
    if ending.broken or items.state == "list":
        yield _refused(path, items.count + 1, "truncated_file", rest)
    elif items.state == "single" and rest.startswith(b"{"):
        yield TableRows(RawRows(pa.array([rest], pa.binary()), _positions(path, 1, 1)))
    elif items.state != "after" or rest:
        yield _refused(path, items.count + 1, "unreadable_file", rest)


def _positions(path: str, first: int, count: int) -> pa.Array:
    numbers = pa.array(np.arange(first, first + count), pa.int64()).cast(pa.string())
    return pc.binary_join_element_wise(path, numbers, ":")


def _as_utf8(content: bytes) -> bytes:
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace").encode("utf-8")
    return content.removeprefix(b"\xef\xbb\xbf")
