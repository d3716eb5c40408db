"""Names of people in the spelling that they are compared in.

Belongs here: what spellings of one name have in common. Does not belong here: which rows have
names, what equal names mean.
"""

from __future__ import annotations

import re
import unicodedata

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
