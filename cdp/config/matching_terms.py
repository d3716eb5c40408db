"""The words that `matching.yml` makes values of: `email`, `first 3 letters of surname`.

Belongs here: what may be said of an attribute, and reading it. Does not belong here: working it
out for rows (`cdp.identity.matching`), which attributes there are.

The vocabulary is closed: nothing that is written here ever becomes SQL or code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from cdp.config.yaml_text import nearest

ATTRIBUTE = "^[a-z][a-z0-9_]{0,39}$"
MAX_LETTERS = 20

CUTS = {
    "first N letters of": "The first 1 to 20 letters.",
    "last N letters of": "The last 1 to 20 letters or digits.",
}
"""What may stand before an attribute where pairs are looked for."""

DERIVATIONS = {
    "plain": "A text without accents, case and punctuation.",
    "outside brackets of": "The plain text but for what stands in brackets, such as a name without "
    "the company behind it; none where there are no brackets.",
    "first word of": "The first word of the plain text.",
    "last word of": "The last word of the plain text; none where there is but one.",
    "local part of": "What stands before the @ of an address.",
    "words of": "The words of an address's local part as a name would have them; none where "
    "there is but one, or where one has digits.",
    "login of": "The account that a forge's no-reply address (`1234+login@users.noreply.…`) is of.",
}
"""What may stand before an attribute where one is derived of another."""

_ATTRIBUTE = re.compile(ATTRIBUTE)
_CUT = re.compile(r"^(first|last) (\d{1,4}) letters? of (\S+)$")


@dataclass(frozen=True)
class Cut:
    """A value that pairs are looked for by.

    Attributes:
        attribute: whose value.
        letters: how many of its letters count: the first, or if negative the last; None for all.
    """

    attribute: str
    letters: int | None = None


@dataclass(frozen=True)
class Derivation:
    """A value that is made of another: one of the `DERIVATIONS`, or None for the value itself."""

    attribute: str
    how: str | None = None


def read_cut(text: str) -> Cut:
    """Read `surname` or `first 3 letters of surname`.

    Raises:
        ValueError: says what is allowed.
    """
    told = " ".join(text.split())
    found = _CUT.match(told)
    if found and _ATTRIBUTE.match(found[3]) and 1 <= int(found[2]) <= MAX_LETTERS:
        return Cut(found[3], int(found[2]) * (1 if found[1] == "first" else -1))
    if _ATTRIBUTE.match(told):
        return Cut(told)
    raise ValueError(
        f"expected an attribute, or 'first N letters of' or 'last N letters of' one with N from 1 "
        f"to {MAX_LETTERS}, such as 'first 3 letters of last_name'"
    )


def read_derivation(text: str) -> Derivation:
    """Read `email` or `local part of email`.

    Raises:
        ValueError: says what is allowed.
    """
    told = " ".join(text.split())
    if _ATTRIBUTE.match(told):
        return Derivation(told)
    how, _, attribute = told.rpartition(" ")
    if how in DERIVATIONS and _ATTRIBUTE.match(attribute):
        return Derivation(attribute, how)
    raise ValueError(nearest(f"no attribute is derived by '{how}'", DERIVATIONS))


def _cut(text: str) -> str:
    read_cut(text)
    return text


def _derivation(text: str) -> str:
    read_derivation(text)
    return text


CutText = Annotated[str, AfterValidator(_cut)]
DerivationText = Annotated[str, AfterValidator(_derivation)]
AttributeName = Annotated[str, Field(pattern=ATTRIBUTE)]
