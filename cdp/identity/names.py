"""Names of people in the spelling that they are compared in.

Belongs here: what spellings of one name have in common. Does not belong here: which rows have
names, what equal names mean.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("plain_name", pa.string()),
        ("given_name", pa.string()),
        ("surname", pa.string()),
        ("parts", pa.int64()),
    ]
)
"""Grain: one row per name as it was told. Its plain spelling, the first word of that, the last
where there are several, and how many there are; of a name without a letter or digit nothing and
0."""

_BETWEEN_WORDS = re.compile(r"[\W_]+")


def plain_name(text: str | None) -> str | None:
    """A name without what its spellings differ in: accents, case, punctuation, blanks.

    Returns:
        Words of letters and digits with one blank between them; None where none are left.
    """
    if text is None:
        return None
    # Case is folded first and last: folding makes new accents of some letters ("İ"), and
    # decomposing makes new capitals of some signs ("℡").
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(each for each in decomposed if not unicodedata.combining(each))
    folded = unicodedata.normalize("NFKD", bare.casefold())
    return _BETWEEN_WORDS.sub(" ", folded).strip() or None


@dataclass(frozen=True)
class NameParts:
    """What is read in a name: None where there is no such part."""

    plain_name: str | None
    given_name: str | None
    surname: str | None
    parts: int


def parts_of_name(name: str | None) -> NameParts:
    """Read one name.

    That the first word is the given name and the last the surname holds of most names in most
    languages; it is used for counting different ones, never to join anybody.
    """
    plain = plain_name(name)
    words = plain.split() if plain else []
    return NameParts(
        plain,
        words[0] if words else None,
        words[-1] if len(words) > 1 else None,
        len(words),
    )


def parts_of(names: pa.Table) -> pa.Table:
    """Read names (`name` text): a table of `SCHEMA`."""
    rows = [{"name": name, **asdict(parts_of_name(name))} for name in names["name"].to_pylist()]
    return pa.Table.from_pylist(rows, schema=SCHEMA)
