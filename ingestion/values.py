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
    told = f"nullif(trim({value}), '')"
    return (
        f"CASE WHEN {value}[1] IN ('{{', '[') OR {value} IN ('true', 'false') "
        f"THEN CASE WHEN json_type(text, {literal(path)}) = 'VARCHAR' THEN {told} END "
        f"ELSE {told} END"
    )


def text_id(value: str) -> str:
    """SQL of an id that was computed as text."""
    return (
        f"CASE WHEN NOT regexp_matches({value}, {literal(_NO_ID)}) "
        f"THEN nullif(trim({value}), '') END"
    )
