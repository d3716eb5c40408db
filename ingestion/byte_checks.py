"""What the bytes of rows tell before anybody parses them.

Belongs here: passes over whole blocks of bytes that find the few rows which need a look of their
own. Does not belong here: that look (`judging`), and whatever takes a parser.

Passes are made in pieces that stay in the processor's cache; over a whole block they cost several
times as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.envelope import MAX_DEPTH, MAX_ROW_BYTES

PIECE = 128 * 1024

Places = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_SPACE, _COMMA, _MINUS, _COLON, _BRACKET, _BACKSLASH = (ord(each) for each in " ,-:[\\")
_SMALL = 0x20
"""The bit that parts a small letter from its capital, `[` from `{` and `]` from `}`."""


@dataclass(frozen=True)
class ByteFindings:
    """What a block of rows holds, by the rows' indexes.

    Attributes:
        refused: reasons of rows that their bytes alone forbid.
        nested: rows with so many brackets that they may be nested too deeply.
        lax: rows that may hold what the engine's reader takes and JSON does not allow: a comma
            before a closing bracket, numbers that are none, escapes of NUL and of half characters.
    """

    refused: dict[int, str]
    nested: Places
    lax: Places


def look(texts: pa.Array) -> ByteFindings:
    """Look through the bytes of rows.

    Args:
        texts: binary, one row each.
    """
    none = np.array([], np.int64)
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
    start, stop = (int(offsets[0]), int(offsets[-1])) if len(texts) else (0, 0)
    if start == stop:
        return ByteFindings({}, none, none)
    data = np.frombuffer(texts.buffers()[2], np.uint8)[start:stop]
    offsets = offsets - start
    nul, opened, lax = (np.concatenate(found) for found in zip(*_found(data), strict=True))
    refused: dict[int, str] = {}
    for index in np.flatnonzero(np.diff(offsets) > MAX_ROW_BYTES).tolist():
        refused[index] = "too_large"
    for index in _rows_at(nul, offsets):
        refused.setdefault(index, "nul_byte")
    if not _is_utf8(texts):
        for index, text in enumerate(texts):
            if not _is_utf8(pa.array([text.as_py()], pa.binary())):
                refused.setdefault(index, "invalid_utf8")
    brackets = np.diff(np.searchsorted(opened, offsets))
    suspects = np.union1d(_rows_at(lax, offsets), _lax_beginnings(data, offsets))
    return ByteFindings(refused, np.flatnonzero(brackets > MAX_DEPTH), suspects)


def _lax_beginnings(data: Bytes, offsets: npt.NDArray[np.int32]) -> Places:
    """Rows that may be nothing but a number that is none; blanks may stand before it."""
    filled = np.flatnonzero(np.diff(offsets))
    first = data[offsets[filled]]
    small = first | _SMALL
    odd: Places = filled[
        (small == ord("n")) | (small == ord("i")) | (first == _MINUS) | (first <= _SPACE)
    ]
    return odd


def _found(data: Bytes) -> Iterator[tuple[Places, Places, Places]]:
    """Places of NUL, of opening brackets, and of what JSON may not allow, piece by piece."""
    for start in range(0, len(data), PIECE):
        piece = data[start : start + PIECE]
        small: Bytes = np.bitwise_or(piece, np.uint8(_SMALL))
        lax = np.concatenate([_lax_values(data, start, piece, small), _escapes(data, start, piece)])
        nul = np.flatnonzero(piece == 0) if not piece.all() else lax[:0]
        yield nul + start, np.flatnonzero(small == ord("{")) + start, np.sort(lax)


def _lax_values(data: Bytes, start: int, piece: Bytes, small: Bytes) -> Places:
    """Places after which a value may stand that is none, or none where one should."""
    leads = (piece == _COMMA) | (piece == _COLON) | (piece == _BRACKET)
    odd = (small == ord("}")) | (small == ord("n")) | (small == ord("i")) | (piece == _MINUS)
    odd |= piece < _SPACE
    # One space is common after a comma or a colon; more of them get the row its look.
    blank = piece == _SPACE
    odd[:-1] |= blank[:-1] & (odd | blank)[1:]
    places = np.flatnonzero(leads[:-1] & odd[1:]) + start
    # Where the piece ends before the value does, the next piece has the rest of it.
    if leads[-1]:
        places = np.append(places, start + len(piece) - 1)
    elif len(piece) > 1 and leads[-2] and blank[-1]:
        places = np.append(places, start + len(piece) - 2)
    suspects: Places = places[_is_lax(data, places)]
    return suspects


def _is_lax(data: Bytes, places: Places) -> npt.NDArray[np.bool_]:
    """Which of the places are more than what JSON has there all the time."""
    last = len(data) - 1
    at = np.minimum(places + 1, last)
    at = np.where(data[at] == _SPACE, np.minimum(at + 1, last), at)
    value, after = data[at] | _SMALL, data[np.minimum(at + 1, last)]
    closes = value == ord("}")
    empty = closes & (data[places] != _COMMA)
    null = (value == ord("n")) & (after | _SMALL == ord("u"))
    number = (data[at] == _MINUS) & (after >= ord("0")) & (after <= ord("9"))
    usual: npt.NDArray[np.bool_] = empty | null | number
    return ~usual


def _escapes(data: Bytes, start: int, piece: Bytes) -> Places:
    """Places of escapes that no text column can hold: NUL and halves of characters."""
    places = np.flatnonzero(piece == _BACKSLASH) + start
    if not len(places):
        return places
    letter, *digits = (data[np.minimum(places + step, len(data) - 1)] for step in range(1, 5))
    zeros = (digits[0] == ord("0")) & (digits[1] == ord("0")) & (digits[2] == ord("0"))
    half = (digits[0] | _SMALL == ord("d")) & (
        (digits[1] == ord("8")) | (digits[1] == ord("9")) | (digits[1] >= ord("A"))
    )
    suspects: Places = places[(letter == ord("u")) & (zeros | half)]
    return suspects


def _rows_at(places: Places, offsets: npt.NDArray[np.int32]) -> Places:
    """Indexes of the rows in which the places lie, each once."""
    return np.unique(np.searchsorted(offsets, places, "right") - 1)


def _is_utf8(texts: pa.Array) -> bool:
    try:
        texts.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True
