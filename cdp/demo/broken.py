"""Lines that no collector should have written, each with the reason it is to be refused for.

Belongs here: malformed and contradictory lines. Does not belong here: odd lines that are lawful
(`cases`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator

import numpy as np

from cdp.demo.lines import Act, SingleLine
from cdp.demo.messages import iso
from cdp.demo.people import DAY, Window

_REPEATS = 12


def _message(nth: str, at: int, **changed: object) -> dict[str, object]:
    """A message that would be fine; `changed` spoils it, None removes a member."""
    message: dict[str, object] = {
        "anonymousId": f"nobody-{nth}",
        "messageId": f"broken-{nth}",
        "type": "track",
        "event": "Product Viewed",
        "properties": {"product_id": "P0001"},
        "timestamp": iso(at),
        **changed,
    }
    return {name: value for name, value in message.items() if value is not None}


def _good(nth: str, at: int) -> bytes:
    return json.dumps(_message(nth, at)).encode()


def _deep(nth: str, at: int) -> bytes:
    text = json.dumps(_message(nth, at, properties={"x": 0}))
    return text.replace("0}", "[" * 3_000 + "]" * 3_000 + "}", 1).encode()


def _changed(**changed: object) -> Callable[[str, int], bytes]:
    return lambda nth, at: json.dumps(_message(nth, at, **changed)).encode()


_KINDS: tuple[tuple[str, Callable[[str, int], bytes]], ...] = (
    ("malformed_json", lambda nth, at: _good(nth, at)[:-7]),
    ("malformed_json", lambda nth, at: _good(nth, at)[:-1] + b",}"),
    ("malformed_json", lambda nth, at: _good(nth, at).replace(b'"', b"'")),
    ("malformed_json", lambda nth, at: _good(nth, at) + _good(f"{nth}-again", at)),
    ("malformed_json", lambda nth, at: b"<html><body>502 Bad Gateway</body></html>"),
    ("not_an_object", lambda nth, at: b'"a bare string"'),
    ("not_an_object", lambda nth, at: b"42"),
    ("not_an_object", lambda nth, at: b"null"),
    ("not_an_object", lambda nth, at: b"[" + _good(nth, at) + b"]"),
    ("invalid_utf8", lambda nth, at: _good(nth, at).replace(b"P0001", b"P\xff\xfe1")),
    ("invalid_utf8", lambda nth, at: _good(nth, at).replace(b"P0001", "Größe".encode("latin-1"))),
    ("nul_byte", lambda nth, at: _good(nth, at).replace(b"P0001", b"P\x001")),
    ("nul_byte", _changed(properties={"product_id": "P\x001"})),
    ("too_deep", _deep),
    ("unknown_type", _changed(type="purchase")),
    ("unknown_type", _changed(type=None)),
    ("missing_identity", _changed(anonymousId=None)),
    ("bad_message_id", _changed(messageId={"id": 7})),
    ("bad_message_id", _changed(messageId="m" * 300)),
    ("time_out_of_range", _changed(timestamp="99999-01-01T00:00:00.000Z")),
    ("unreadable_time", _changed(timestamp="yesterday, about noon")),
    (
        "duplicate_key_in_object",
        lambda nth, at: _good(nth, at).replace(
            b'{"anonymousId"', b'{"anonymousId": "x", "anonymousId"', 1
        ),
    ),
)


def broken_lines(rng: np.random.Generator, window: Window) -> Iterator[SingleLine]:
    """Every kind of broken line several times, strewn over the window."""
    span = window.end - window.start
    for number, (reason, build) in enumerate(_KINDS):
        for repeat in range(_REPEATS):
            at = window.start + int(rng.random() * (span - DAY // 24))
            data = build(f"{number:02d}-{repeat:02d}", at)
            yield SingleLine(at, data, outcome="quarantined", reason=reason)
    yield from _conflicts(rng, window)


def _conflicts(rng: np.random.Generator, window: Window) -> Iterator[SingleLine]:
    """A message id used again for something else: the first one stays."""
    span = window.end - window.start
    for repeat in range(_REPEATS):
        at = window.start + int(rng.random() * span * 0.9)
        nth = f"conflict-{repeat:02d}"
        visitor = str(uuid.uuid5(uuid.NAMESPACE_OID, nth))
        message = _message(nth, at, anonymousId=visitor)
        message_id = str(message["messageId"])
        yield SingleLine(
            at,
            json.dumps(message).encode(),
            message_id=message_id,
            visitor=visitor,
            person_id=f"case:{nth}",
            act=Act(at, "other"),
        )
        other = {**message, "event": "Product Added", "timestamp": iso(window.end - DAY // 48)}
        yield SingleLine(
            at + 1_000,
            json.dumps(other).encode(),
            outcome="quarantined",
            reason="key_conflict",
            message_id=message_id,
        )
