"""CSV, Parquet and JSON files as rows of JSON objects.

Belongs here: reading those formats in batches, and telling rows that cannot be read. Does not
belong here: NDJSON, whose lines are rows already (`ingestion.files.lines`).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from ingestion.judging import RawRows
from ingestion.rows import as_json_rows

BATCH = 200_000


@dataclass
class TableRows:
    """One batch: rows, and the rows among them that could not be read (position, reason, bytes)."""

    rows: RawRows
    refused: list[tuple[str, str, bytes]] = field(default_factory=list)


def read_csv(
    opened: BinaryIO, path: str, cursor: duckdb.DuckDBPyConnection, delimiter: str = ","
) -> Iterator[TableRows]:
    """Rows of a CSV file with a header; values stay text exactly as they stand."""
    content = _as_utf8(opened.read())
    if not content.strip():
        return
    refused: list[tuple[str, str, bytes]] = []
    skipped: list[int] = []

    def note(row: Any) -> str:
        number = row.number
        skipped.append(number)
        refused.append((f"{path}:{number}", "malformed_row", str(row.text).encode()))
        return "skip"

    try:
        header = next(
            csv.reader(
                io.StringIO(content[:1_000_000].decode("utf-8", "replace")), delimiter=delimiter
            )
        )
        table = pacsv.read_csv(
            io.BytesIO(content),
            # One thread: only then does a row that cannot be read say which one it is.
            read_options=pacsv.ReadOptions(
                use_threads=False, column_names=_unique(header), skip_rows=1, block_size=32 << 20
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.binary() for name in _unique(header)},
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, StopIteration, csv.Error):
        yield TableRows(
            RawRows(pa.array([], pa.binary()), pa.array([], pa.string())),
            [(f"{path}:1", "unreadable_file", content[: 1 << 20])],
        )
        return
    numbers = _numbers(len(table), skipped)
    table, numbers = _without_bad_text(table, numbers, path, refused)
    texts = as_json_rows(cursor, table)
    positions = pa.array([f"{path}:{number}" for number in numbers], pa.string())
    yield TableRows(RawRows(texts, positions), refused)


def _unique(header: list[str]) -> list[str]:
    """Column names, a second one of a name told apart by its place."""
    seen: dict[str, int] = {}
    names = []
    for name in header:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return names


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
    try:
        file = pq.ParquetFile(io.BytesIO(opened.read()))
    except (pa.ArrowInvalid, OSError):
        empty = RawRows(pa.array([], pa.binary()), pa.array([], pa.string()))
        yield TableRows(empty, [(f"{path}:1", "unreadable_file", b"")])
        return
    number = 1
    for batch in file.iter_batches(batch_size=BATCH):
        table = pa.Table.from_batches([batch])
        holder = next((n for n in ("payload", "message", "json") if n in table.schema.names), None)
        if messages and holder and pa.types.is_string(table.schema.field(holder).type):
            column = table[holder].combine_chunks().cast(pa.binary())
            texts = (
                pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
            )
        else:
            texts = as_json_rows(cursor, table, keep_types=messages)
        positions = pa.array([f"{path}:{number + i}" for i in range(len(texts))], pa.string())
        yield TableRows(RawRows(texts, positions))
        number += len(texts)


def read_json(opened: BinaryIO, path: str) -> Iterator[TableRows]:
    """Items of a JSON file that holds a list, or one object."""
    content = _as_utf8(opened.read())
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        empty = RawRows(pa.array([], pa.binary()), pa.array([], pa.string()))
        yield TableRows(empty, [(f"{path}:1", "unreadable_file", content[: 1 << 20])])
        return
    items = value if isinstance(value, list) else [value]
    texts = [
        json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass") for item in items
    ]
    positions = [f"{path}:{number}" for number in range(1, len(items) + 1)]
    yield TableRows(RawRows(pa.array(texts, pa.binary()), pa.array(positions, pa.string())))


def _as_utf8(content: bytes) -> bytes:
    if content[:2] == b"\x1f\x8b":
        import gzip

        content = gzip.decompress(content)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace").encode("utf-8")
    return content.removeprefix(b"\xef\xbb\xbf")
