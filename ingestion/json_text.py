"""Where the parts of JSON text stand, found without building them.

Belongs here: one pass over bytes that tells structure from texts, however deep it is nested, and
what follows from it: the items of a list, the objects of an answer. Does not belong here: whether a
row may land (`judging`).

The pass is columnwise: quotes, brackets and commas are looked up with numpy, and depth is a running
sum. So neither the length nor the depth of what comes costs more than its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

_Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
_Places = np.ndarray[tuple[int], np.dtype[np.int64]]

_STEP = 4 * 1024 * 1024
"""Bytes looked at together: what is found about them takes up to forty times their place."""

_BLANK = b" \t\r\n"
_COMMA, _QUOTE, _BACKSLASH, _LIST_ENDS = b',"\\]'

_DEPTH = np.zeros(256, np.int8)
_DEPTH[list(b"[{")] = 1
_DEPTH[list(b"]}")] = -1
_IS_MARK = bytes(byte in b"[{]}," for byte in range(256))


@dataclass
class _Texts:
    """Whether the bytes that come next stand within a text, and behind a backslash."""

    inside: bool = False
    escaped: bool = False


def _marks(data: _Bytes, texts: _Texts) -> _Places:
    """Positions of the brackets and commas that stand in no text; `texts` moves on."""
    quotes = np.flatnonzero(data == _QUOTE)
    slashes = np.flatnonzero(data == _BACKSLASH)
    if len(slashes) or texts.escaped:
        quotes = _unescaped(quotes, slashes, len(data), texts)
    marks = np.flatnonzero(np.frombuffer(data.tobytes().translate(_IS_MARK), bool))
    inside = (np.searchsorted(quotes, marks) + texts.inside) % 2 == 1
    texts.inside ^= len(quotes) % 2 == 1
    found: _Places = marks[~inside]
    return found


def _unescaped(quotes: _Places, slashes: _Places, length: int, texts: _Texts) -> _Places:
    """The quotes that an even number of backslashes, or none, precedes."""
    if texts.escaped:
        # A backslash before these bytes: it counts as one at -1.
        slashes = np.concatenate(([-1], slashes))
    begins = np.ones(len(slashes), bool)
    begins[1:] = np.diff(slashes) > 1
    firsts = slashes[begins]
    # The run of backslashes that may end right before each of these places.
    places = np.concatenate((quotes, [length]))
    behind = np.searchsorted(slashes, places) - 1
    touches = (behind >= 0) & (slashes[np.maximum(behind, 0)] == places - 1)
    first = firsts[np.maximum(np.searchsorted(firsts, places) - 1, 0)]
    escaped = touches & ((places - first) % 2 == 1)
    texts.escaped = bool(escaped[-1])
    found: _Places = quotes[~escaped[:-1]]
    return found


def depth(text: bytes) -> int:
    """How deep objects and lists are nested."""
    texts = _Texts()
    deepest = now = 0
    for start in range(0, len(text), _STEP):
        data = np.frombuffer(text, np.uint8, min(_STEP, len(text) - start), start)
        change = np.cumsum(_DEPTH[data[_marks(data, texts)]], dtype=np.int64)
        if len(change):
            deepest = max(deepest, now + int(change.max()))
            now += int(change[-1])
    return deepest


@dataclass
class Items:
    """The items of a text that holds a list, while its bytes come in blocks.

    An item is what stands between two commas of the list, whether it is JSON or not: what is wrong
    with one costs no other. Of an item that is longer than `longest`, a little more is kept. A text
    that holds no list is one item.

    Attributes:
        longest: bytes of an item that are worth keeping.
        state: `before` the first byte, in a `list`, `after` it, or in a `single` value.
        count: items that have been told.
    """

    longest: int
    state: str = "before"
    count: int = 0
    _texts: _Texts = field(default_factory=_Texts)
    _depth: int = 1
    _parted: bool = False
    _begun: bytes = b""

    def feed(self, block: bytes) -> Iterator[pa.Array]:
        """Take in the next bytes; yield the items, binary, that end within them."""
        if self.state == "before":
            block = block.lstrip(_BLANK)
            if not block:
                return
            self.state = "list" if block.startswith(b"[") else "single"
            block = block[1:] if self.state == "list" else block
        for start in range(0, len(block), _STEP):
            part = block[start : start + _STEP]
            if self.state == "list":
                found = self._ended_in(part)
                self.count += len(found)
                yield pa.array(found, pa.binary())
            else:
                self._keep(part)

    def rest(self) -> bytes:
        """What stands there and was told as no item: a value that is no list, an item that the end
        of the text cut off, or what stands behind the list."""
        return self._begun.strip(_BLANK)

    def _ended_in(self, part: bytes) -> list[bytes]:
        data = np.frombuffer(part, np.uint8)
        marks = _marks(data, self._texts)
        kinds = data[marks]
        level = self._depth + np.cumsum(_DEPTH[kinds], dtype=np.int64)
        # A bracket that closes what was never opened belongs to the item in which it stands; only
        # one of a list ends the list.
        lowest = np.minimum.accumulate(np.minimum(level, 1))
        fresh = np.flatnonzero(lowest < np.concatenate(([1], lowest[:-1])))
        ends = fresh[kinds[fresh] == _LIST_ENDS]
        end = int(ends[0]) if len(ends) else len(marks)
        level = level[:end] + (1 - lowest[:end])
        self._depth = int(level[-1]) if len(level) else self._depth
        stops = marks[:end][(kinds[:end] == _COMMA) & (level == 1)].tolist()
        self._parted |= bool(stops)
        if end < len(marks):
            stops.append(int(marks[end]))
            self.state = "after"
        if not stops:
            self._keep(part)
            return []
        # What is sought has been found for all at once; what is left is to cut the bytes.
        self._keep(part[: stops[0]])
        found = [self.rest()]
        if self.state == "after" and not self._parted and not found[0]:
            found = []
        found += [part[start + 1 : stop].strip(_BLANK) for start, stop in pairwise(stops)]
        self._begun = b""
        self._keep(part[stops[-1] + 1 :])
        return found

    def _keep(self, part: bytes) -> None:
        self._begun += part[: max(0, self.longest + 1 - len(self._begun))]


class Object(dict[str, Any]):
    """An object of an answer, which knows its own text byte by byte."""

    text: bytes = b""


def parse(content: bytes, deepest: int = 200) -> Any:
    """What a JSON text says, each object with its text.

    Numbers are exact. What is nested deeper than `deepest` is null, though not in the texts, and
    bytes that are no text are replaced, though not there either: so a row that nobody can read is
    known by its text, and keeps nobody from reading the others.

    Raises:
        ValueError: it is no JSON.
    """
    content = _as_utf8(content)
    places, levels, kinds = _brackets(content)
    shallow = levels <= deepest
    objects: list[Object] = []

    def note(pairs: list[tuple[str, Any]]) -> Object:
        objects.append(Object(pairs))
        return objects[-1]

    value = json.loads(
        _without_deep(content, places[levels == deepest + 1]).decode("utf-8", "replace"),
        object_pairs_hook=note,
        parse_float=_number(Decimal),
        parse_int=_number(int),
        strict=False,
    )
    # Brackets of one level open and close in turns, and objects are told in the order of their end.
    order = np.argsort(levels[shallow], kind="stable")
    pairs = places[shallow][order].reshape(-1, 2)
    pairs = pairs[kinds[shallow][order].reshape(-1, 2)[:, 0] == ord("{")]
    pairs = pairs[np.argsort(pairs[:, 1])]
    for each, (start, end) in zip(objects, pairs.tolist(), strict=True):
        each.text = content[start : end + 1]
    return value


def _as_utf8(content: bytes) -> bytes:
    coding = json.detect_encoding(content)
    if coding.startswith("utf-8"):
        return content.removeprefix(b"\xef\xbb\xbf")
    return content.decode(coding, "replace").encode("utf-8", "replace")


def _brackets(content: bytes) -> tuple[_Places, _Places, _Bytes]:
    """Places of the brackets, the level of what each opens or closes, and the brackets."""
    texts = _Texts()
    data = np.frombuffer(content, np.uint8)
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(data), _STEP):
        found.append(_marks(data[start : start + _STEP], texts) + start)
    places = np.concatenate(found)
    places = places[data[places] != _COMMA]
    kinds = data[places]
    change = _DEPTH[kinds]
    return places, np.cumsum(change, dtype=np.int64) + (change < 0), kinds


def _without_deep(content: bytes, places: _Places) -> bytes:
    """The text with null in the place of whatever opens and closes at these places."""
    if not len(places):
        return content
    ends = [0, *(places[1::2] + 1).tolist()]
    pieces = [content[end:start] for end, start in zip(ends, places[::2].tolist(), strict=False)]
    return b"null".join([*pieces, content[ends[-1] :] if len(places) % 2 == 0 else b""])


def _number(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Numbers as such, and as text where they are too long for it."""

    def read(text: str) -> Any:
        try:
            return kind(text)
        except (ValueError, ArithmeticError):
            return text

    return read
