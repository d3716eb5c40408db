"""Bytes to lines, in blocks and without a loop over rows.

Belongs here: decompression, byte-order marks, splitting, and the account of how a file ended. Does
not belong here: what a line means.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from ingestion.envelope import MAX_ROW_BYTES

BLOCK = 16 * 1024 * 1024
PIECE = 128 * 1024

_KEPT = MAX_ROW_BYTES + 2
"""Bytes of an unfinished line: more than a row may have, also where the last is of a line end."""


@dataclass(frozen=True)
class LineBlock:
    """Consecutive lines of a file.

    Attributes:
        lines: binary, without line ends.
        first: number of the first line, from 1.
    """

    lines: pa.Array
    first: int


@dataclass
class Ending:
    """How the file ended, known when its last block has been read.

    Attributes:
        lines: lines in the file, blank ones included, the unfinished last one too.
        whole_lines: those of them that a line end closes.
        broken: whether compression ended early or was damaged.
    """

    lines: int = 0
    whole_lines: int = 0
    broken: bool = False


def read_lines(raw: BinaryIO, ending: Ending) -> Iterator[LineBlock]:
    """Yield the lines of a file, plain or gzip, UTF-8 or UTF-16 by its byte-order mark.

    Damage of the compression ends the lines where it begins; `ending` says so, and the bytes before
    it that make no whole line come as the last line. Of a line that does not end within a block, as
    much is kept as shows that it is larger than any row may be.
    """
    pending = b""
    number = 1
    for block in read_blocks(raw, ending):
        cut = block.rfind(b"\n")
        if cut < 0:
            pending = _begun(pending, block)
            continue
        if pending:
            first = block.find(b"\n")
            block = _begun(pending, block[:first]) + block[first:]
            cut = block.rfind(b"\n")
        whole, pending = block[: cut + 1], _begun(b"", block[cut + 1 :])
        lines = _split(whole)
        yield LineBlock(lines, number)
        number += len(lines)
    ending.whole_lines = number - 1
    if pending:
        last = pending if len(pending) == _KEPT else pending.rstrip(b"\r")
        yield LineBlock(pa.array([last], pa.binary()), number)
        number += 1
    ending.lines = number - 1


def _begun(line: bytes, more: bytes) -> bytes:
    """A line that goes on, no longer than it takes to be refused."""
    return line + more[: _KEPT - len(line)]


def read_blocks(raw: BinaryIO, ending: Ending) -> Iterator[bytes]:
    """The bytes of a file, plain or gzip, as UTF-8, a bounded number at a time.

    Damage of the compression ends them where it begins; `ending` says so.
    """
    return _decoded(_decompressed(raw, ending))


def _split(data: bytes) -> pa.Array:
    """Lines of a block as a binary array: their bytes back to back, without the line ends."""
    if b"\r\n" in data:
        data = data.replace(b"\r\n", b"\n")
    buffer = np.frombuffer(data, np.uint8)
    # In pieces that stay in the processor's cache, or the pass costs several times as much.
    ends = np.concatenate(
        [
            np.flatnonzero(buffer[start : start + PIECE] == 10) + start
            for start in range(0, len(buffer), PIECE)
        ]
    )
    offsets = np.zeros(len(ends) + 1, np.int32)
    # Each line end that is taken out moves what comes after it by one.
    offsets[1:] = ends - np.arange(len(ends))
    return pa.Array.from_buffers(
        pa.binary(),
        len(ends),
        [None, pa.py_buffer(offsets), pa.py_buffer(data.replace(b"\n", b""))],
    )


def _decompressed(raw: BinaryIO, ending: Ending) -> Iterator[bytes]:
    head = raw.read(2)
    rest = _Prefixed(head, raw)
    if head != b"\x1f\x8b":
        while block := rest.read(BLOCK):
            yield block
        return
    stream = gzip.GzipFile(fileobj=rest)  # type: ignore[call-overload]
    while True:
        try:
            block = stream.read1(BLOCK)
        except (EOFError, OSError, zlib.error):
            ending.broken = True
            return
        if not block:
            return
        # `read1` hands out what one round of decompression gave; gather it to full blocks.
        gathered = [block]
        size = len(block)
        while size < BLOCK:
            try:
                block = stream.read1(BLOCK)
            except (EOFError, OSError, zlib.error):
                ending.broken = True
                yield b"".join(gathered)
                return
            if not block:
                break
            gathered.append(block)
            size += len(block)
        yield b"".join(gathered)


def _decoded(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Take off a UTF-8 mark; turn UTF-16 into UTF-8.

    Halves of characters become bytes that are no UTF-8, and so does what is left of one at the end:
    whose row they stand in is refused for it.
    """
    decoder: codecs.IncrementalDecoder | None = None
    first = True
    for block in blocks:
        if first:
            first = False
            if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                decoder = codecs.getincrementaldecoder("utf-16")(errors="surrogatepass")
            elif block.startswith(codecs.BOM_UTF8):
                block = block[3:]
        yield decoder.decode(block).encode("utf-8", "surrogatepass") if decoder else block
    if decoder and (rest := decoder.getstate()[0]):
        yield b"\xff" + rest


class _Prefixed:
    """A reader that first gives back the bytes that were looked at."""

    def __init__(self, head: bytes, raw: BinaryIO) -> None:
        self._head, self._raw = head, raw

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._raw.read(size)
        if size < 0:
            head, self._head = self._head, b""
            return head + self._raw.read()
        head, self._head = self._head[:size], self._head[size:]
        return head + (self._raw.read(size - len(head)) if size > len(head) else b"")
