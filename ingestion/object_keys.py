"""Keys that stand twice in an object, so that what they hold depends on who reads them.

Belongs here: which objects of a row are looked into (those that something is read from), their keys
as one text a row, and telling rows apart by it. Does not belong here: any other check of a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import duckdb
import numpy as np
import pyarrow as pa

from ingestion.values import literal

_STEP = re.compile(r'\.(?:"[^"]*"|[^."\[]+)|\[\d+\]')


def parents(paths: Iterable[str]) -> list[str]:
    """Paths of the objects in which the values of the paths stand, outermost first."""
    found = {"$": None}
    for path in paths:
        steps = _STEP.findall(path)
        for count in range(1, len(steps)):
            if not steps[count].startswith("["):
                found["$" + "".join(steps[:count])] = None
    return list(found)


def keys_of(objects: Iterable[str]) -> str:
    """SQL of the keys in the JSON object `text` and in those within it, as one text: the same for
    rows whose objects have the same keys in the same order."""
    return f"CAST({_lists_of(objects)} AS VARCHAR)"


def _lists_of(objects: Iterable[str]) -> str:
    listed = ", ".join(literal(path) for path in objects)
    return f"TRY(json_keys(text, [{listed}]))"


def doubled(
    keys: pa.ChunkedArray,
    texts: pa.ChunkedArray,
    objects: Iterable[str],
    cursor: duckdb.DuckDBPyConnection,
) -> pa.Array:
    """Those of the keys (as `keys_of` has them) of which one stands twice in an object.

    Rows share few lists of keys, so that of each list one row is looked into.

    Args:
        texts: the rows themselves, in the order of `keys`.
    """
    encoded = keys.combine_chunks().dictionary_encode()
    places, firsts = np.unique(encoded.indices.drop_null(), return_index=True)
    # Among the rows that have keys at all; back to their places among all rows.
    firsts = np.flatnonzero(encoded.indices.is_valid())[firsts]
    one_each = pa.table({"place": places, "text": texts.take(pa.array(firsts))})
    cursor.register("one_row_each", one_each)
    try:
        found = cursor.execute(
            f"""
            SELECT place FROM one_row_each
            WHERE len(list_filter(
                {_lists_of(objects)}, lambda keys: len(list_distinct(keys)) < len(keys)
            )) > 0
            """
        ).to_arrow_table()["place"]
    finally:
        cursor.unregister("one_row_each")
    return encoded.dictionary.take(found.combine_chunks())
