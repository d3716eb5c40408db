"""The one spelling that values of a type are compared in.

Belongs here: what each normaliser makes of a value. Does not belong here: which type has which
normaliser (the seed `identifier_types`), which values there are (the models).

SQL spells what it spells alike on every engine (`exact`, `lower`, `email`; the macro `spelled`);
the others are spelled here and joined. For an identifier that no model has seen, this module knows
all of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

import pyarrow as pa

from cdp.identity.names import parts_of_name

SCHEMA = pa.schema(
    [
        ("normaliser", pa.string()),
        ("raw_value", pa.string()),
        ("identifier_value", pa.string()),
    ]
)
"""Grain: one row per normaliser and text. The spelling is null where the text cannot be one."""

SCOPED_NAME = "scoped_name"
"""The normaliser of a name that tells somebody within a scope: `scope:name`."""

_BLANKS = "".join(chr(code) for code in (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B)))
_BLANKS += "\u202f\u205f\u3000"
"""What the macro `trimmed` takes away: blanks of every script, neither tabs nor ends of lines."""


def normaliser_of(kind: str, normaliser: str) -> str:
    """The normaliser that decides for a type: names of the type `name` stand within scopes."""
    return SCOPED_NAME if (kind, normaliser) == ("name", "name") else normaliser


def spelled(
    value: str,
    normaliser: str,
    default_country: str,
    min_parts: Mapping[str, int | None] | None = None,
) -> str | None:
    """A value in the spelling that its normaliser gives it; None where it cannot be one.

    Args:
        normaliser: exact, lower, email, phone, name, `SCOPED_NAME` or text.
        default_country: ISO 3166 country of phone numbers that name none.
        min_parts: the scopes that there are, with the words that a name must have in each; without
            it, names count in any scope.
    """
    match normaliser:
        case "lower" | "email":
            return lowered(value) or None
        case "phone":
            # Imported by who needs it, as few do: the library has tables of every country.
            from cdp.identity.phones import e164

            return e164(value, default_country)
        case "name":
            return parts_of_name(value).plain_name
        case "scoped_name":
            return _scoped(value, min_parts)
        case "text":
            return plain_text(value)
        case _:
            return value


def lowered(value: str) -> str:
    """A value without blanks around it and in small letters, as the macros `trimmed` and `lowered`
    write it: each letter by itself."""
    return "".join(map(_small, value.strip(_BLANKS)))


def plain_text(value: str) -> str | None:
    """Free text without what spellings of it differ in: case, white space, forms of one letter.

    Accents and punctuation stay: in free text they tell things apart.
    """
    # Folding may undo the form, and the form bring letters that fold.
    folded = value
    for _ in range(2):
        folded = unicodedata.normalize("NFKC", folded).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split()) or None


def spellings_of(texts: pa.Table, scopes: pa.Table, default_country: str) -> pa.Table:
    """Spell texts.

    Args:
        texts: `normaliser` text, `raw_value` text.
        scopes: the seed `identity_scopes`; of a scope that stands there twice, the larger
            `min_name_parts` holds.
        default_country: ISO 3166 country of phone numbers that name none.

    Returns:
        A table of `SCHEMA`.
    """
    min_parts: dict[str, int | None] = {}
    for row in scopes.to_pylist():
        told = (min_parts.get(row["scope"]), row["min_name_parts"])
        min_parts[row["scope"]] = max((each for each in told if each is not None), default=None)
    normalisers = texts["normaliser"].to_pylist()
    values = texts["raw_value"].to_pylist()
    spellings = [
        spelled(value, normaliser, default_country, min_parts)
        for normaliser, value in zip(normalisers, values, strict=True)
    ]
    return pa.table([normalisers, values, spellings], schema=SCHEMA)


def _small(letter: str) -> str:
    if letter == "\u0130":
        return "i"
    small = letter.lower()
    return small if len(small) == 1 else letter


def _scoped(value: str, min_parts: Mapping[str, int | None] | None) -> str | None:
    scope, colon, name = value.partition(":")
    if not colon or (min_parts is not None and scope not in min_parts):
        return None
    read = parts_of_name(name)
    wanted = None if min_parts is None else min_parts[scope]
    if read.plain_name is None or read.parts < (wanted or 1):
        return None
    return f"{scope}:{read.plain_name}"
