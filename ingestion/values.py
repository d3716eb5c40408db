"""SQL of single values of rows: ids and times.

Belongs here: the landing side of what staging makes of a value, so that what lands is what staging
can read. Its other side are `json_id`, `text_id` and `as_utc` of `dbt_project/macros/engine/`; a
test holds them to each other. Does not belong here: which values a row has, or what follows.
"""

from __future__ import annotations

_NO_ID = '^\\s*([{]("|[}])|\\[|(true|false)\\s*$)'
"""The form that objects, lists and booleans have as text."""

_TELLS_ZONE = "\\d:.*(Z|UTC|[+-]\\d{2}(:?\\d{2}){0,2})\\s*$"


def literal(value: str) -> str:
    """A text as SQL has it."""
    return "'" + value.replace("'", "''") + "'"


def json_id(value: str, path: str) -> str:
    """SQL of an id, `value` having been extracted from the JSON in `text` at `path`."""
    # Comparing is cheaper than taking the first letter out.
    odd = f"({value} < ']' OR {value} >= '{{' OR {value} IN ('true', 'false'))"
    return (
        f"nullif(trim(CASE WHEN {value} >= '[' AND {odd} "
        f"THEN CASE WHEN json_type(text, {literal(path)}) = 'VARCHAR' THEN {value} END "
        f"ELSE {value} END), '')"
    )


def text_id(value: str) -> str:
    """SQL of an id that was computed as text."""
    return (
        f"CASE WHEN NOT regexp_matches({value}, {literal(_NO_ID)}) "
        f"THEN nullif(trim({value}), '') END"
    )


def finite(moment: str) -> str:
    """SQL of a moment; null where it fails, and for an infinity, which has no microseconds."""
    return f"TRY(make_timestamp(epoch_us({moment})))"


def utc(text: str, zone: str) -> str:
    """SQL of a time as UTC; null for what is none, and for an infinity, which is no moment.

    Args:
        text: SQL of its text.
        zone: the zone of times that name none. The session's own is UTC.
    """
    zoned = f"try_cast({text} AS TIMESTAMPTZ)::TIMESTAMP"
    if zone == "UTC":
        return finite(zoned)
    # A cast to timestamp would drop an offset, and takes no other name of a zone than UTC.
    local = f"try_cast({text} AS TIMESTAMP)"
    moment = f"timezone({literal(zone)}, {local})"
    earlier = f"{moment} - INTERVAL 1 HOUR"
    return finite(
        "CASE "
        f"WHEN regexp_matches({text}, {literal(_TELLS_ZONE)}, 'i') THEN {zoned} "
        f"WHEN {local} IS NULL THEN {zoned} "
        # Of an hour that comes twice, the first.
        f"WHEN timezone({literal(zone)}, {earlier}) = {local} THEN timezone('UTC', {earlier}) "
        f"ELSE timezone('UTC', {moment}) END"
    )
