"""The bytes of a CSV file as whole records, a bounded number at a time.

Belongs here: where records end, quotes considered, and what to do where one does not end. Does not
belong here: what a record says (`ingestion.files.csv_rows`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ingestion.envelope import MAX_ROW_BYTES
from ingestion.files.lines import BLOCK, Ending, read_blocks

_QUOTE = 0x22


@dataclass(frozen=True)
class Part:
    """Consecutive records, and what behind them is none.

    Attributes:
        content: whole records; of the last part also what stands behind the last line end.
        refused: reason and bytes of one record behind them that cannot be read.
        last: whether the file ends here.
    """

    content: bytes
    refused: tuple[str, bytes] | None = None
    last: bool = False


def read_parts(raw: BinaryIO, delimiter: str, ending: Ending) -> Iterator[Part]:
    """The records of a file, in parts of some megabytes.

    A record that does not end within a block costs its first line alone: either a quote was opened
    that nothing closes, and the lines after it are rows, or the line is longer than any row may be.
    """
    pending, line_end, skipping = b"", b"", False
    for block in read_blocks(raw, ending):
        line_end = line_end or (b"\n" if b"\n" in block else b"\r")
        if skipping:
            _, found, block = block.partition(line_end)
            skipping = not found
        data = pending + block
        while True:
            end = _end_of_records(data, delimiter, line_end)
            content, data = data[:end], data[end:]
            if len(data) <= BLOCK:
                break
            line, found, data = data.partition(line_end)
            skipping = not found
            reason = "too_large" if len(line) > MAX_ROW_BYTES else "malformed_row"
            yield Part(content, (reason, line[: MAX_ROW_BYTES + 1].rstrip(b"\r")))
        if content:
            yield Part(content)
        pending = data
    if ending.broken:
        end = pending.rfind(line_end or b"\n") + 1
        yield Part(pending[:end], ("truncated_file", pending[end:]), last=True)
    else:
        yield Part(pending, last=True)


def _end_of_records(data: bytes, delimiter: str, line_end: bytes) -> int:
    """Where the last record ends that ends in these bytes, which begin with one."""
    if b'"' not in data:
        return data.rfind(line_end) + 1
    array = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(array == _QUOTE)
    if not _open_and_close_in_turns(array, quotes, delimiter):
        return _end_by_reading(data, delimiter)
    ends = np.flatnonzero(array == line_end[0])
    ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return int(ends[-1]) + 1 if len(ends) else 0


def _open_and_close_in_turns(array: np.ndarray, quotes: np.ndarray, delimiter: str) -> bool:
    """Whether every quote stands where it opens or closes a value: then a line end behind an even
    number of them ends a record. A quote in the midst of a value is a letter."""
    beside = np.frombuffer(f'{delimiter}"\r\n'.encode(), np.uint8)
    before = array[quotes[0::2] - 1]
    after = array[np.minimum(quotes[1::2] + 1, len(array) - 1)]
    opens = np.isin(before, beside)
    opens[:1] |= quotes[0] == 0
    return bool(opens.all() and np.isin(after, beside).all())


def _end_by_reading(data: bytes, delimiter: str) -> int:
    text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
    begins = end = 0
    for _ in csv.reader(text, delimiter=delimiter):
        # The last record may go on behind these bytes.
        begins, end = end, text.tell()
    return len(text.getvalue()[:begins].encode("utf-8", "surrogateescape"))
