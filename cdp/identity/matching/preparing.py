"""Records in the form that they are compared in.

Belongs here: deriving attributes, cleaning values by their kind, one row for each way of reading a
record, numbered in an order that follows from what the rows say. Does not belong here: which pairs
are compared, Splink.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from itertools import product

import pyarrow as pa
import pyarrow.compute as pc

from cdp.config.matching import Kind, MatchingModel
from cdp.config.matching_terms import Derivation
from cdp.identity.matching.connecting import own_database
from cdp.identity.matching.errors import MatchingError
from cdp.identity.names import plain_name

NODE, SOURCE, UID = "node", "source_dataset", "uid"
"""Columns of a prepared table beside its values: whose record, of which source, its number."""

FIRST_LANDING = "first_landing_number"
"""A column of records that may be there: when they landed. Then a prepared table has it too."""

Clean = Callable[[str], str | None]


def value_column(attribute: str) -> str:
    """The column of an attribute's values: never a word of SQL, nor a column of Splink's own."""
    return f"v_{attribute}"


def prepared(records: pa.Table, model: MatchingModel) -> pa.Table:
    """The records of a model's sources, as they are compared.

    Args:
        records: `node` BIGINT, `source` text, and the model's `read_attributes()` as text; perhaps
            `first_landing_number` BIGINT.

    Returns:
        `uid` BIGINT, `node`, `source_dataset`, and a `value_column` for each attribute that is
        compared or looked for; with it, the `first_landing_number` of the first that said so. Rows
        that say the same of one node stand once; rows without any value are left out. The numbers
        follow what rows say, so that they do not depend on the order of rows, nor but for rows
        alike on the nodes.
    """
    attributes = model.read_attributes()
    missing = sorted({NODE, "source", *attributes} - set(records.column_names))
    if missing:
        raise MatchingError(
            f"records for the matching model '{model.name}' lack: {', '.join(missing)}; "
            f"they have: {', '.join(records.column_names)}"
        )
    ours = records.filter(pc.is_in(records["source"], pa.array(model.sources, pa.string())))
    if ours[NODE].null_count:
        raise MatchingError("a record to be matched has no node")
    told = {name: ours[name].cast(pa.string()).combine_chunks() for name in attributes}
    wanted = sorted({*model.compare, *(cut.attribute for cut in model.cuts())})
    parts = []
    for read, counts in _readings(told, model):
        columns = {
            value_column(name): _mapped(read[name], _CLEAN[model.compare.get(name, "exact")])
            for name in wanted
        }
        part = pa.table(
            {NODE: ours[NODE].cast(pa.int64()), SOURCE: ours["source"].cast(pa.string()), **columns}
        )
        if FIRST_LANDING in ours.column_names:
            part = part.append_column(FIRST_LANDING, ours[FIRST_LANDING].cast(pa.int64()))
        parts.append(part if counts is None else part.filter(counts))
    return _numbered(pa.concat_tables(parts), [value_column(name) for name in wanted])


def _readings(
    told: Mapping[str, pa.Array], model: MatchingModel
) -> list[tuple[dict[str, pa.Array], pa.Array | None]]:
    """Every way to read the records by the alternatives of derived attributes, and for which
    records each way counts (None for all)."""
    derivations = model.derivations()
    ways = []
    for choice in product(*(range(len(each)) for each in derivations.values())):
        read = dict(told)
        counts: pa.Array | None = None
        for (name, alternatives), index in zip(derivations.items(), choice, strict=True):
            read[name] = _derived(read, alternatives[index])
            if index:
                there = pc.is_valid(read[name])
                counts = there if counts is None else pc.and_(counts, there)
        ways.append((read, counts))
    return ways


def _derived(read: Mapping[str, pa.Array], derivation: Derivation) -> pa.Array:
    values = read[derivation.attribute]
    return values if derivation.how is None else _mapped(values, _DERIVE[derivation.how])


def _mapped(values: pa.Array, function: Clean) -> pa.Array:
    """Each distinct value is worked out once."""
    encoded = values.dictionary_encode()
    words = [None if each is None else function(each) for each in encoded.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(encoded.indices)


def _numbered(rows: pa.Table, columns: list[str]) -> pa.Table:
    says = ", ".join(columns)
    landed = FIRST_LANDING in rows.column_names
    first = f", min({FIRST_LANDING}) AS {FIRST_LANDING}" if landed else ""
    with own_database() as con:
        con.register("rows_", rows)
        return con.execute(
            f"""
            WITH distinct_rows AS (
                SELECT {NODE}, {SOURCE}, {says} {first} FROM rows_
                WHERE coalesce({says}) IS NOT NULL
                GROUP BY {NODE}, {SOURCE}, {says}
            )
            SELECT row_number() OVER (ORDER BY {says}, {SOURCE}, {NODE}) AS {UID}, *
            FROM distinct_rows ORDER BY {UID}
            """
        ).to_arrow_table()


def _squeezed(text: str) -> str | None:
    return " ".join(text.split()).casefold() or None


_ISO_DATE = re.compile(r"^\s*(\d{4})-?(\d{2})-?(\d{2})(?:[T ].*)?\s*$", re.ASCII)


def _date(text: str) -> str | None:
    found = _ISO_DATE.match(text)
    try:
        return date(*(int(part) for part in found.groups())).isoformat() if found else None
    except ValueError:
        return None


def _phone(text: str) -> str | None:
    digits = re.sub(r"[^0-9]", "", text)
    return digits if len(digits) >= 5 else None


def _joined(text: str) -> str | None:
    return (plain_name(text) or "").replace(" ", "") or None


_CLEAN: dict[Kind, Clean] = {
    "name": plain_name,
    "exact": _squeezed,
    "email": _squeezed,
    "date": _date,
    "phone": _phone,
    "postcode": _joined,
    "text": plain_name,
    "handle": _joined,
}


def _words(text: str | None) -> list[str]:
    return (plain_name(text) or "").split()


def _first_word(text: str) -> str | None:
    return next(iter(_words(text)), None)


def _last_word(text: str) -> str | None:
    words = _words(text)
    return words[-1] if len(words) > 1 else None


_BRACKETS_IN_BRACKETS = 3
_IN_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>|\{[^{}]*\}")


def _outside_brackets(text: str) -> str | None:
    outside = text
    for _ in range(_BRACKETS_IN_BRACKETS):
        outside = _IN_BRACKETS.sub(" ", outside)
    return None if outside == text else plain_name(outside)


_NO_REPLY = re.compile(r"^(?:\d+\+)?([^@+]+)@users\.noreply\.[^@]+$", re.IGNORECASE)


def _login(text: str) -> str | None:
    found = _NO_REPLY.match(text.strip())
    return found[1] if found else None


def _local_part(text: str) -> str | None:
    local, _, domain = text.strip().rpartition("@")
    return local if local and domain and not _NO_REPLY.match(text.strip()) else None


def _words_of_address(text: str) -> str | None:
    words = _words(_login(text) or _local_part(text))
    is_name = len(words) > 1 and all(word.isalpha() for word in words)
    return " ".join(words) if is_name else None


_DERIVE: dict[str, Clean] = {
    "plain": plain_name,
    "outside brackets of": _outside_brackets,
    "first word of": _first_word,
    "last word of": _last_word,
    "local part of": _local_part,
    "words of": _words_of_address,
    "login of": _login,
}
