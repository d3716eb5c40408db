"""Constants of mappings: what each type of the contract takes, and the text that staging casts.

Belongs here: reading one value that stands in `sources.yml` by the type of its column. Does not
belong here: where it stands (`cdp.config.sources`), or SQL (`cdp.config.staging_columns`).
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from cdp.config.contract import ColumnType

Value = str | int | float | bool

_BOOLEANS = {
    **dict.fromkeys(("true", "t", "1", "yes", "y"), "true"),
    **dict.fromkeys(("false", "f", "0", "no", "n"), "false"),
}

EXPECTED: dict[ColumnType, str] = {
    "text": "text",
    "identifier": "text or a whole number, and no blank",
    "code": "a name, such as email or marketing",
    "timestamp": "a moment such as 2026-06-01 12:00:00 (in the zone of the source) or "
    "2026-06-01T12:00:00Z",
    "date": "a day such as 2026-06-01",
    "money": "a number of at most 14 digits before the point and 4 behind it, such as 12.50",
    "quantity": "a number of at most 14 digits before the point and 4 behind it, such as 2.5",
    "integer": "a whole number of at most 18 digits",
    "boolean": "true or false",
    "json": "JSON as text",
}
"""What a constant must be, by the type of its column."""


def constant_text(value: Value, kind: ColumnType) -> str:
    """A constant as text that can be cast to the type of its column.

    Raises:
        ValueError: it is none of that type; says what was expected.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        told = _read(text, kind, is_boolean=isinstance(value, bool))
    except (ValueError, InvalidOperation, RecursionError):
        told = None
    if told is None or "\0" in told:
        raise ValueError(f"expected {EXPECTED[kind]}")
    return told


def _read(text: str, kind: ColumnType, *, is_boolean: bool) -> str | None:
    if kind == "text":
        return text
    if kind == "boolean":
        return _BOOLEANS.get(text.lower())
    if is_boolean:
        return None
    if kind in ("identifier", "code"):
        return text.strip() or None
    if kind == "timestamp":
        return datetime.fromisoformat(text).isoformat(" ")
    if kind == "date":
        return date.fromisoformat(text).isoformat()
    if kind == "json":
        json.loads(text)
        return text
    number = Decimal(text)
    places = 0 if kind == "integer" else 4
    largest = Decimal(10) ** (18 - places)
    if not number.is_finite() or abs(number) >= largest or number != round(number, places):
        return None
    return format(number, "f")
