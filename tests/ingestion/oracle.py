"""What becomes of a message, in plain Python: slow, and written apart from the code it judges.

Belongs here: the rules of FORMATS.md for one message at a time. Does not belong here: anything
imported from `ingestion`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

CALLS = {"identify", "track", "page", "screen", "group", "alias"}


def fate(row: bytes, latest: datetime) -> str | None:
    """The reason for which a row is kept out, or None where it lands."""
    if len(row) > 4 * 1024 * 1024:
        return "too_large"
    if b"\x00" in row:
        return "nul_byte"
    try:
        text = row.decode("utf-8")
    except UnicodeDecodeError:
        return "invalid_utf8"
    if _depth(text) > 50:
        return "too_deep"

    def refuse(name: str) -> Any:
        raise ValueError(name)

    try:
        value = json.loads(text, object_pairs_hook=_Object, parse_constant=refuse)
    except (ValueError, RecursionError):
        return "malformed_json"
    found = _text_reason(value)
    if found:
        return found
    if not isinstance(value, dict):
        return "not_an_object"
    if any(isinstance(each, _Object) and each.doubled for each in _read_from(value)):
        return "duplicate_key_in_object"
    return _message(value, latest)


class _Object(dict[str, Any]):
    """An object that knows whether one of its keys stood twice."""

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        super().__init__(members)
        self.doubled = len(self) < len(members)


def _read_from(message: dict[str, Any]) -> Iterator[Any]:
    """The objects of a message whose members mean something, in the form of an engine that reads
    the first of two members of one name."""
    yield message
    properties, context = message.get("properties"), message.get("context")
    yield from (properties, context, message.get("traits"))
    if isinstance(context, dict):
        yield from (context.get(name) for name in ("traits", "page", "campaign"))
    if isinstance(properties, dict):
        products = properties.get("products")
        yield products[0] if isinstance(products, list) and products else None


def _message(value: dict[str, Any], latest: datetime) -> str | None:
    if not isinstance(value.get("type"), str) or value["type"].lower() not in CALLS:
        return "unknown_type"
    message = _id(value, "messageId", "message_id")
    told_message = _told(_first(value, "messageId", "message_id")).strip(" ")
    if len(message or "") > 255 or (message is None and told_message):
        return "bad_message_id"
    ids = _id(value, "userId", "user_id"), _id(value, "anonymousId", "anonymous_id")
    if not any(ids) and not _email(value):
        return "missing_identity"
    names = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
    told = [value.get(name) for name in names]
    if all(each is None for each in told):
        return None
    moment = _happened(told)
    if moment is None:
        return "unreadable_time"
    return None if datetime(1970, 1, 2) <= moment <= latest else "time_out_of_range"


def _happened(told: list[Any]) -> datetime | None:
    """From timestamp, originalTimestamp, sentAt and receivedAt as they were told."""
    time, original, sent, received = (_moment(each) for each in told)
    if told[0] is not None:
        return time
    if told[1] is not None and original is None:
        return None
    if original and sent and received:
        try:
            return received - (sent - original)
        except OverflowError:
            # Beyond the years that Python counts; beyond what may land as well.
            return datetime(1, 1, 1)
    return original or sent or received


def _moment(value: Any) -> datetime | None:
    if value is None or isinstance(value, bool | dict | list):
        return None
    text = _told(value)
    for digits, form in ((12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S")):
        if re.fullmatch(rf"\d{{{digits}}}", text):
            try:
                return (
                    datetime.strptime(text + "Z", form + "%z").astimezone(UTC).replace(tzinfo=None)
                )
            except ValueError:
                return None
    if re.fullmatch(r"\d{13}(\.0+)?", text):
        return datetime(1970, 1, 1) + timedelta(milliseconds=int(text.split(".")[0]))
    if re.fullmatch(r"\d{9,10}(\.\d+)?", text):
        return datetime(1970, 1, 1) + timedelta(seconds=float(text))
    if not re.match(r"\d{4}-\d\d-\d\d|\d{8}T", text):
        return None
    if re.search(r"T\d\d(:?\d\d)?[.,]", text, re.IGNORECASE):
        # Python reads a fraction of an hour or a minute as one of a second.
        return None
    basic = re.match(r"\d{8}T\d{6}[.,](\d*)", text, re.IGNORECASE)
    if basic and not 1 <= len(basic[1]) <= 6:
        # Without separators, microseconds are the most that is read, and a digit the least.
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _email(value: dict[str, Any]) -> bool:
    places = [value.get("traits"), value.get("context")]
    if isinstance(places[1], dict):
        places[1] = places[1].get("traits")
    return any(_id(each, "email") for each in places if isinstance(each, dict))


def _id(value: dict[str, Any], *names: str) -> str | None:
    """The first of the members that is an id."""
    for name in names:
        if isinstance(value.get(name), bool | dict | list):
            continue
        if text := _told(value.get(name)).strip(" "):
            return text
    return None


def _first(value: dict[str, Any], *names: str) -> Any:
    return next((value[name] for name in names if value.get(name) is not None), None)


def _told(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _text_reason(value: Any) -> str | None:
    texts = list(_texts(value))
    if any("\x00" in text for text in texts):
        return "nul_byte"
    if any("\ud800" <= letter <= "\udfff" for text in texts for letter in text):
        return "invalid_utf8"
    return None


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)


def _depth(text: str) -> int:
    deepest = depth = 0
    for part in re.sub(r'"(?:[^"\\]|\\.)*("|$)', "", text, flags=re.S):
        depth += (part in "{[") - (part in "}]")
        deepest = max(deepest, depth)
    return deepest
