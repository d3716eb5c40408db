"""The dlt resources of a source of files.

Belongs here: taking each file in turn and yielding its rows as inbox tables and its own count of
them. Does not belong here: which files (`ledger`), how bytes become rows (`lines`, `tables`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdp.config.sources import Stream
from ingestion.ahead import ahead
from ingestion.envelope import Read
from ingestion.files.csv_rows import read_csv
from ingestion.files.ledger import Task
from ingestion.files.lines import Ending, read_lines
from ingestion.files.tables import TableRows, read_json, read_parquet
from ingestion.judging import RawRows
from ingestion.reading import Reading


def read_task(task: Task, stream: Stream, reading: Reading) -> Iterator[pa.Table]:
    """Read a file's rows into `reading`, yielding inbox tables as they fill up.

    At the file's end its own count stands in `reading.reads`.
    """
    before = reading.ordinal
    with task.file.open() as opened:
        counted = _Counted(opened)
        if stream.format in ("segment", "ndjson") and not task.file.path.endswith(".parquet"):
            whole, state = yield from _lines(task, counted, reading)
        else:
            state = yield from _table(task, counted, stream, reading)
            whole = reading.ordinal - before
        size, fingerprint = counted.finish()
    reading.reads.append(
        Read(
            load_id=reading.load_id,
            stream=task.stream,
            path=task.file.path,
            rows_read=reading.ordinal - before,
            size=size,
            modified_at=task.file.modified_at,
            fingerprint=fingerprint,
            whole_rows=whole,
            state=state,
        )
    )


def _lines(
    task: Task, opened: _Counted, reading: Reading
) -> Generator[pa.Table, None, tuple[int, str]]:
    ending = Ending()
    path = task.file.path
    held: RawRows | None = None
    for block in ahead(read_lines(opened, ending)):  # type: ignore[arg-type]
        if held:
            yield from reading.add(held, task.stream)
            held = None
        skip = max(0, min(len(block.lines), task.skip_lines - (block.first - 1)))
        lines = block.lines.slice(skip)
        if len(lines):
            # One block is held back: how its last line is judged depends on how the file ends.
            held = _numbered(lines, block.first + skip, path)
    unfinished = ending.broken and ending.lines > ending.whole_lines
    if held and unfinished:
        last = len(held.texts) - 1
        yield from reading.add(
            RawRows(held.texts.slice(0, last), held.positions.slice(0, last)), task.stream
        )
        reading.refuse(
            task.stream, held.positions[last].as_py(), "truncated_file", held.texts[last].as_py()
        )
    elif held:
        yield from reading.add(held, task.stream)
    if ending.broken and not unfinished:
        reading.refuse(task.stream, f"{path}:{ending.lines + 1}", "truncated_file", b"")
    return ending.whole_lines, "incomplete" if ending.broken else task.state


def _numbered(lines: pa.Array, first: int, path: str) -> RawRows:
    numbers = pa.array(np.arange(first, first + len(lines)), pa.int64())
    positions = pc.binary_join_element_wise(path, numbers.cast(pa.string()), ":")
    blank = pc.equal(pc.binary_length(lines), 0)
    if pc.any(blank).as_py():
        full = pc.invert(blank)
        return RawRows(lines.filter(full), positions.filter(full))
    return RawRows(lines, positions)


def _table(
    task: Task, opened: _Counted, stream: Stream, reading: Reading
) -> Generator[pa.Table, None, str]:
    ending = Ending()
    path = task.file.path
    batches: Iterator[TableRows]
    if stream.format == "csv":
        batches = read_csv(opened, path, reading.desk, ending, reading.delimiter)  # type: ignore[arg-type]
    elif stream.format == "parquet" or path.endswith(".parquet"):
        messages = stream.format == "segment"
        batches = read_parquet(opened, path, reading.desk, messages=messages)  # type: ignore[arg-type]
    else:
        batches = read_json(opened, path, ending)  # type: ignore[arg-type]
    for batch in batches:
        yield from reading.add(batch.rows, task.stream)
        for position, reason, raw_bytes in batch.refused:
            reading.refuse(task.stream, position, reason, raw_bytes)
    return "incomplete" if ending.broken else str(task.state)


class _Counted:
    """A file whose bytes are counted and fingerprinted as they are read."""

    def __init__(self, opened: IO[bytes]) -> None:
        self._opened = opened
        self._digest = hashlib.sha256()
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._opened.read(size)
        self._digest.update(data)
        self._size += len(data)
        return data

    def finish(self) -> tuple[int, str]:
        """Size and SHA-256 of the whole file."""
        while self.read(8 * 1024 * 1024):
            pass
        return self._size, self._digest.hexdigest()
