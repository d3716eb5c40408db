"""Identifiers as people write them: `type:value`.

Belongs here: reading that form. Does not belong here: asking the warehouse (`looking_up`), the
spelling that the rules of a type give a value (`spelling`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")
"""What a type looks like; whatever does not may be somebody's value, and is told to nobody."""


@dataclass(frozen=True, order=True)
class Identifier:
    """One identifier: its type and its value."""

    type: str
    value: str


class NoIdentifier(ValueError):
    """A text is not `type:value`, or names a type that there is not. Tells no value."""


def readings(text: str) -> Iterator[Identifier]:
    """All that `type:value` may mean, the longest type first: a type may have colons itself, as
    `email:sha256` has.

    Raises:
        NoIdentifier: the text has no type, or no value.
    """
    places = [place for place, sign in enumerate(text) if sign == ":"]
    found = [
        Identifier(text[:place], text[place + 1 :])
        for place in reversed(places)
        if _TYPE.fullmatch(text[:place]) and text[place + 1 :].strip()
    ]
    if not found:
        raise NoIdentifier(
            "an identifier is written as type:value, for instance email:ada@example.com"
        )
    yield from found


def no_type(name: str, known: Collection[str]) -> NoIdentifier:
    """The complaint that a type is not known, with the nearest that is."""
    import difflib

    if not _TYPE.fullmatch(name):
        return NoIdentifier(f"the type of the identifier is none; known: {_listed(known)}")
    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), list(lower), 1)
    hint = f" (did you mean '{lower[near[0]]}'?)" if near else ""
    return NoIdentifier(f"no identifier type is called '{name}'; known: {_listed(known)}{hint}")


def _listed(known: Collection[str]) -> str:
    return ", ".join(sorted(known)) or "none yet"
