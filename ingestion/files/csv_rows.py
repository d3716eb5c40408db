"""CSV files as rows of JSON objects.

Belongs here: headers, and telling the rows that cannot be read from those that can. Does not belong
here: where a record ends (`ingestion.files.csv_records`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from ingestion.files.csv_records import Part, read_parts
from ingestion.files.lines import Ending
from ingestion.files.tables import NO_ROWS, TableRows, at, pieces, refused_at
from ingestion.judging import RawRows
from ingestion.rows import as_json_rows

_LARGEST_VALUE = 1 << 30


def read_csv(
    opened: BinaryIO,
    path: str,
    cursor: duckdb.DuckDBPyConnection,
    ending: Ending,
    delimiter: str = ",",
) -> Iterator[TableRows]:
    """Rows of a CSV file with a header; values stay text exactly as they stand."""
    csv.field_size_limit(_LARGEST_VALUE)
    header: list[str] | None = None
    number = 0
    for part in read_parts(opened, delimiter, ending):
        content = part.content
        if header is None:
            content, before = _without_preamble(content)
            number += before
            if content.strip():
                header, content = _header(content, delimiter)
                number += 1
            if header is None and (part.refused or content.strip()):
                reason, was = part.refused or ("unreadable_file", content)
                yield refused_at(path, number + 1, reason, was)
                return
        if header is not None:
            number += yield from _rows(part, content, header, path, number, cursor, delimiter)
        if part.refused:
            number += 1
            yield refused_at(path, number, *part.refused)


def _rows(
    part: Part,
    content: bytes,
    header: list[str],
    path: str,
    before: int,
    cursor: duckdb.DuckDBPyConnection,
    delimiter: str,
) -> Generator[TableRows, None, int]:
    """The rows of a part, `before` of the file's having been told; returns how many they are."""
    refused: list[tuple[str, str, bytes]] = []
    skipped: list[int] = []
    aside: dict[str, tuple[str, bytes]] = {}

    def note(row: Any) -> str:
        skipped.append(row.number)
        text = str(row.text)
        reason, was = aside.get(text, ("malformed_row", text.encode()))
        refused.append((f"{path}:{row.number + before}", reason, was))
        return "skip"

    content = _set_aside(content, delimiter, len(header), part.last, aside)
    if not content.strip(b"\r\n"):
        return 0
    try:
        table = pacsv.read_csv(
            io.BytesIO(content),
            # One thread: only then does a row that cannot be read say which one it is.
            read_options=pacsv.ReadOptions(
                use_threads=False, column_names=header, block_size=len(content) + 1
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
    except pa.ArrowInvalid:
        yield refused_at(path, before + 1, "unreadable_file", content)
        return max(1, content.count(b"\n"))
    count = len(table) + len(skipped)
    numbers = np.arange(1, count + 1)
    numbers = before + numbers[~np.isin(numbers, skipped)]
    table, numbers = _without_bad_text(table, numbers, path, refused)
    yield TableRows(NO_ROWS, refused)
    start = 0
    # A row names its columns, so that it may be many times as long as its record.
    for piece in pieces(table):
        texts = as_json_rows(cursor, piece)
        yield TableRows(RawRows(texts, at(path, numbers[start : start + len(piece)])))
        start += len(piece)
    return count


def _without_preamble(content: bytes) -> tuple[bytes, int]:
    """The file from its header on, and how many lines stand before it: blank ones, and the one by
    which a spreadsheet names its delimiter."""
    rest = content.lstrip(b"\r\n")
    first, _, after = rest.partition(b"\n")
    if re.fullmatch(rb"(?i)sep=.\r?", first):
        rest = after.lstrip(b"\r\n")
    return rest, content[: len(content) - len(rest)].count(b"\n")


def _header(content: bytes, delimiter: str) -> tuple[list[str] | None, bytes]:
    """The names of the columns and what stands behind them; no names where they are no text."""
    text = io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")
    names = next(csv.reader(text, delimiter=delimiter))
    told = text.getvalue()[: text.tell()].encode("utf-8", "surrogateescape")
    if b"\x00" in told or not _is_utf8(told):
        return None, content
    return _unique(names), content[len(told) :]


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
    content: bytes, delimiter: str, columns: int, last: bool, aside: dict[str, tuple[str, bytes]]
) -> bytes:
    """Put a row of too many columns in the place of each record that would cost its neighbours.

    A quote that nothing closes would take the rest of the file for one value: its line is set
    aside, and the lines after it are read. A record whose bytes are no text stops the reader where
    it also has the wrong number of columns. `aside` gets the reason and the bytes by the row that
    stands there instead. Files without such a record are not looked at line by line.
    """
    open_quote = last and content.count(b'"') % 2 == 1
    if not open_quote and _is_utf8(content):
        return content
    lines = content.splitlines(keepends=True)
    spans: list[tuple[int, int, str]] = []
    for first, after, fields in _records(content, delimiter):
        record = b"".join(lines[first:after])
        if open_quote and after >= len(lines) and _goes_on(record, delimiter):
            spans.append((first, first + 1, "malformed_row"))
        elif len(fields) != columns and not _is_utf8(record):
            spans.append((first, after, "invalid_utf8"))
    for first, after, reason in reversed(spans):
        row = f"set aside {first}" + delimiter * (columns + 1)
        aside[row] = (reason, b"".join(lines[first:after]).rstrip(b"\r\n"))
        lines[first:after] = [row.encode() + b"\n"]
    return b"".join(lines)


def _goes_on(record: bytes, delimiter: str) -> bool:
    """Whether a quote is open at its end; in a value that begins without one it is a letter."""
    text = record.decode("utf-8", "surrogateescape").rstrip("\r\n")
    told = csv.reader(io.StringIO(f"{text}\nnext", newline=""), delimiter=delimiter)
    return len(list(told)) == 1


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


def _without_bad_text(
    table: pa.Table, numbers: np.ndarray, path: str, refused: list[tuple[str, str, bytes]]
) -> tuple[pa.Table, np.ndarray]:
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
        numbers[keep],
    )
