"""Rows of JSON text to envelopes, columnwise.

Belongs here: the checks that hold for JSON of any source, and handing rows to the SQL of their
format. Only rows that fail a columnwise check are looked at one by one. Does not belong here:
reading bytes (`ingestion.files`), what an event is (`ingestion.events`), keys and types of other
rows (`ingestion.rows`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.byte_checks import look
from ingestion.envelope import INBOX, MAX_DEPTH
from ingestion.object_keys import doubled


@dataclass(frozen=True)
class RawRows:
    """Rows as they were read.

    Attributes:
        texts: binary, one JSON text a row.
        positions: text, where each row stood.
    """

    texts: pa.Array
    positions: pa.Array


@dataclass(frozen=True)
class Verdicts:
    """What a format says of rows whose bytes and text are in order.

    Attributes:
        query: a query over `good` (`ordinal`, `position`, `text`) that gives `ordinal`, `text`,
            `reason` (null where the row may land), `row_key`, `occurred_at`, `received_at`,
            `detail`, and the row's `keys` (see `object_keys.keys_of`).
        objects: the paths of the objects that the keys are of.
        parameters: the values of its parameters.
    """

    query: str
    objects: Sequence[str]
    parameters: Mapping[str, object] = field(default_factory=dict)


BODY = pa.schema([field for field in INBOX if field.name not in ("load_id", "stream")])
"""Columns of the inbox that a format decides."""


def judge(
    rows: RawRows,
    ordinals: pa.Array,
    cursor: duckdb.DuckDBPyConnection,
    verdicts: Verdicts,
) -> pa.Table:
    """Tell rows that may land from those that are quarantined.

    Args:
        ordinals: the number of each row in its load.

    Returns:
        A table of `BODY`, one row per row given, in their order.
    """
    found = look(rows.texts)
    refused = dict(found.refused)
    for index in found.nested.tolist():
        if index not in refused and _depth(rows.texts[index].as_py()) > MAX_DEPTH:
            refused[index] = "too_deep"
    refused |= _not_json(rows.texts, [each for each in found.lax.tolist() if each not in refused])
    good = pa.table({"ordinal": ordinals, "position": rows.positions, "text": rows.texts})
    if refused:
        keep = np.ones(len(good), bool)
        keep[list(refused)] = False
        good = good.filter(pa.array(keep))
    good = good.set_column(2, "text", good["text"].cast(pa.string()))
    if not refused:
        return _judged(cursor, good, verdicts)
    bad = [_refusal(rows, ordinals, index, reason) for index, reason in sorted(refused.items())]
    parts = [pa.Table.from_pylist(bad, schema=BODY)]
    if len(good):
        parts.append(_judged(cursor, good, verdicts))
    return pa.concat_tables(parts).sort_by("ordinal")


_JUDGED = """
CREATE OR REPLACE TEMPORARY TABLE judged_rows AS
SELECT ordinal, reason, detail, keys,
       CASE WHEN reason IS NULL THEN row_key END AS row_key,
       CASE WHEN reason IS NULL THEN occurred_at END AS occurred_at,
       CASE WHEN reason IS NULL THEN received_at END AS received_at,
       CASE WHEN reason IS NULL THEN md5(text) END AS payload_hash
FROM ({query})
"""


def _judged(cursor: duckdb.DuckDBPyConnection, good: pa.Table, verdicts: Verdicts) -> pa.Table:
    """The format's verdicts as rows of `BODY`.

    The texts themselves stay where they are: only what was found out crosses from the engine. It
    goes by a table because the engine fills one with all its threads, and hands out a result with
    one.
    """
    cursor.register("good", _in_parts(good))
    try:
        cursor.execute(_JUDGED.format(query=verdicts.query), verdicts.parameters)
        found = cursor.execute("SELECT * FROM judged_rows ORDER BY ordinal").to_arrow_table()
    finally:
        cursor.unregister("good")
    found = _without_doubled_keys(
        found, doubled(found["keys"], good["text"], verdicts.objects, cursor)
    )
    lands = pc.is_null(found["reason"])
    none = pa.scalar(None, pa.string())
    text = good["text"]
    everything = found["reason"].null_count == len(good)
    columns = {
        "position": good["position"],
        "payload": text if everything else pc.if_else(lands, text, none),
        "raw_bytes": pa.nulls(len(good), pa.binary())
        if everything
        else pc.if_else(lands, none, text).cast(pa.binary()),
        "is_deleted": pa.repeat(pa.scalar(False), len(good)),
        "replay_of": pa.nulls(len(good), pa.string()),
    }
    return pa.table(
        [
            (columns[name] if name in columns else found[name]).cast(kind)
            for name, kind in zip(BODY.names, BODY.types, strict=True)
        ],
        schema=BODY,
    )


def _without_doubled_keys(found: pa.Table, lists: pa.Array) -> pa.Table:
    """The verdicts, with rows refused that have such lists of keys."""
    if not len(lists):
        return found
    hit = pc.and_(
        pc.is_in(found["keys"], value_set=lists),
        pc.invert(
            pc.is_in(found["reason"], value_set=pa.array(["malformed_json", "not_an_object"]))
        ),
    )
    for name in ("reason", "detail", "row_key", "occurred_at", "received_at", "payload_hash"):
        index = found.schema.get_field_index(name)
        kind = found.schema.field(index).type
        refused = pa.scalar("duplicate_key_in_object" if name == "reason" else None, kind)
        found = found.set_column(index, name, pc.if_else(hit, refused, found[name]))
    return found


ROWS_IN_PART = 8192


def _in_parts(table: pa.Table) -> pa.Table:
    """The same rows in parts, which the engine's threads share out; nothing is copied."""
    return pa.Table.from_batches(
        table.combine_chunks().to_batches(max_chunksize=ROWS_IN_PART), table.schema
    )


def _refusal(rows: RawRows, ordinals: pa.Array, index: int, reason: str) -> dict[str, object]:
    return refusal(
        ordinal=ordinals[index].as_py(),
        position=rows.positions[index].as_py(),
        reason=reason,
        raw_bytes=rows.texts[index].as_py(),
    )


def refusal(
    *, ordinal: int, position: str, reason: str, raw_bytes: bytes, detail: str | None = None
) -> dict[str, object]:
    """One quarantined row, as a row of `BODY`."""
    return {
        "ordinal": ordinal,
        "position": position,
        "reason": reason,
        "detail": detail,
        "raw_bytes": raw_bytes,
        "is_deleted": False,
    }


_LAX = re.compile(
    rb"\\u(0000|[dD][89a-fA-F])|(\A|[:\[,])\s*-?([nN][aA][nN]|[iI][nN][fF])|,\s*[}\]]"
)
"""What the engine's reader takes and JSON does not allow, or no text column can hold: NUL and half
characters as escapes, numbers that are none, trailing commas. It may stand inside a text too."""


def _not_json(texts: pa.Array, suspects: list[int]) -> dict[int, str]:
    """Reasons of the suspects whose text JSON does not allow, by index."""
    refused = {}
    for index in suspects:
        text = texts[index].as_py()
        if _LAX.search(text) and (reason := _look_closely(text)):
            refused[index] = reason
    return refused


def _look_closely(text: bytes) -> str | None:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return "malformed_json"
    told = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in told.replace("\\\\", ""):
        return "nul_byte"
    try:
        told.encode("utf-8")
    except UnicodeEncodeError:
        # Half of a surrogate pair: valid as an escape, but no text that can be stored.
        return "invalid_utf8"
    return None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _depth(text: bytes) -> int:
    """How deep objects and lists are nested, without building them."""
    deepest = depth = 0
    in_text = escaped = False
    for byte in text:
        if in_text:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_text = False
        elif byte == 0x22:
            in_text = True
        elif byte in (0x7B, 0x5B):
            depth += 1
            deepest = max(deepest, depth)
        elif byte in (0x7D, 0x5D):
            depth -= 1
    return deepest
