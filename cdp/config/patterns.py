"""Regular expressions that every engine reads alike.

Belongs here: the part of their languages that is common, and the complaint about the rest. Does
not belong here: what patterns stand for, how an engine is asked (`macros/engine/`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_ESCAPES = frozenset("dDwWsSbBnrt")
_COUNT = re.compile(r"\{\d+(,\d*)?\}")


class NoPattern(ValueError):
    """A text is no regular expression, or not the same one on every engine."""


def check_pattern(pattern: str) -> None:
    """Let a pattern pass that means the same in RE2 (DuckDB, BigQuery), Java (Spark) and Snowflake.

    Raises:
        NoPattern: says what is wrong and what to write instead.
    """
    import duckdb

    try:
        _engine().cursor().execute("SELECT regexp_matches('', $1)", [pattern]).fetchone()
    except duckdb.Error as error:
        said = str(error).splitlines()[0].partition(": ")[2] or str(error)
        raise NoPattern(f"expected a regular expression: {said}") from None
    _check_portable(pattern)


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    # Imported by who needs it, as the declarations are read by everybody.
    import duckdb

    return duckdb.connect(":memory:")


def _check_portable(pattern: str) -> None:
    rest = pattern.removeprefix("(?i)")
    place, in_class, repeats = 0, False, False
    while place < len(rest):
        sign, following = rest[place], rest[place + 1 : place + 3]
        length, repeated = 1, False
        if sign == "\\":
            _check_escape(following[:1])
            length = 2
        elif in_class:
            in_class = sign != "]"
            if sign == "[" or (sign == "&" and following[:1] == "&"):
                raise NoPattern(_IN_CLASS.format(sign))
        elif sign == "[":
            in_class = True
            if following.removeprefix("^")[:1] == "]":
                raise NoPattern(_IN_CLASS.format("]"))
        elif sign == "(" and following[:1] == "?" and following != "?:":
            raise NoPattern(
                "of what begins with '(?' engines have '(?:' alone in common, and '(?i)' in front"
            )
        elif sign in "*+?":
            repeated = True
            if repeats:
                raise NoPattern(f"not every engine has '{sign}' behind a repetition; leave it out")
        elif sign == "{":
            found, repeated = _COUNT.match(rest, place), True
            if not found:
                raise NoPattern("engines read '{' in ways of their own; write '\\{'")
            length = len(found[0])
        place, repeats = place + length, repeated


_IN_CLASS = "engines read '{0}' there within [] in ways of their own; write '\\{0}'"


def _check_escape(letter: str) -> None:
    if letter.isalnum() and letter not in _ESCAPES:
        raise NoPattern(f"not every engine has '\\{letter}'; write what it stands for as [...]")
