"""Rows of JSON text to envelopes, columnwise.

Belongs here: the checks that hold for JSON of any source, and handing rows to the SQL of their
format. Only rows that fail a columnwise check are looked at one by one. Does not belong here:
reading bytes (`ingestion.files`), what an event is (`ingestion.events`), keys and types of other
rows (`ingestion.rows`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.envelope import INBOX, MAX_DEPTH, MAX_ROW_BYTES


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
            `detail`.
        parameters: the values of its parameters.
    """

    query: str
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
    refused = _by_bytes(rows.texts)
    good = pa.table({"ordinal": ordinals, "position": rows.positions, "text": rows.texts})
    if refused:
        keep = pa.array([index not in refused for index in range(len(rows.texts))])
        good = good.filter(keep)
    bad = [_refusal(rows, ordinals, index, reason) for index, reason in sorted(refused.items())]
    good = good.set_column(2, "text", good["text"].cast(pa.string()))
    lax = _by_text(good, cursor)
    if lax:
        bad += [
            refusal(
                ordinal=ordinal,
                position=position,
                reason=lax[ordinal],
                raw_bytes=text.encode("utf-8"),
            )
            for ordinal, position, text in zip(
                *(good.filter(_is_in(good["ordinal"], lax)).to_pydict().values()), strict=True
            )
        ]
        good = good.filter(pc.invert(_is_in(good["ordinal"], lax)))
    if not bad:
        return _judged(cursor, good, verdicts)
    parts = [pa.Table.from_pylist(bad, schema=BODY)]
    if len(good):
        parts.append(_judged(cursor, good, verdicts))
    return pa.concat_tables(parts).sort_by("ordinal")


_JUDGED = """
CREATE OR REPLACE TEMPORARY TABLE judged_rows AS
SELECT ordinal, reason, detail,
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
    lands = pc.is_null(found["reason"])
    none = pa.scalar(None, pa.string())
    text = good["text"]
    columns = {
        "position": good["position"],
        "payload": pc.if_else(lands, text, none)
        if found["reason"].null_count < len(good)
        else text,
        "raw_bytes": pc.if_else(lands, none, text).cast(pa.binary()),
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


ROWS_IN_PART = 8192


def _in_parts(table: pa.Table) -> pa.Table:
    """The same rows in parts, which the engine's threads share out; nothing is copied."""
    return pa.Table.from_batches(
        table.combine_chunks().to_batches(max_chunksize=ROWS_IN_PART), table.schema
    )


def _is_in(column: pa.ChunkedArray, ordinals: dict[int, str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(sorted(ordinals), pa.int64()))


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


def _by_bytes(texts: pa.Array) -> dict[int, str]:
    """Reasons of the rows whose bytes alone forbid them, by index.

    Most blocks hold nothing suspicious, so each check first looks at the block as one run of
    bytes; only rows in which it finds something are looked at by themselves.
    """
    if not len(texts):
        return {}
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
    start, stop = int(offsets[0]), int(offsets[-1])
    if start == stop:
        return {}
    data = texts.buffers()[2].slice(start, stop - start).to_pybytes()
    offsets = offsets - start
    refused: dict[int, str] = {}
    for index in np.flatnonzero(np.diff(offsets) > MAX_ROW_BYTES).tolist():
        refused[index] = "too_large"
    for index in _rows_with(b"\x00", data, offsets):
        refused.setdefault(index, "nul_byte")
    if not _is_utf8(data):
        for index, text in enumerate(texts.to_pylist()):
            if not _is_utf8(text):
                refused.setdefault(index, "invalid_utf8")
    for index in _deep(data, offsets) - set(refused):
        if _depth(texts[index].as_py()) > MAX_DEPTH:
            refused[index] = "too_deep"
    return refused


_LAX = r"\\u(0000|[dD][89a-fA-F])|[:\[,]\s*-?(?i:nan|inf)|,\s*[}\]]"
"""What the engine's reader takes and JSON does not allow, or no text column can hold: NUL and half
characters as escapes, numbers that are none, trailing commas. It may stand inside a text too."""


def _by_text(good: pa.Table, cursor: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """Reasons of the rows whose text JSON does not allow, by ordinal."""
    cursor.register("good", _in_parts(good))
    try:
        found = cursor.execute(
            "SELECT ordinal, text FROM good WHERE regexp_matches(text, ?)", [_LAX]
        ).fetchall()
    finally:
        cursor.unregister("good")
    looked = ((ordinal, _look_closely(text.encode("utf-8"))) for ordinal, text in found)
    return {ordinal: reason for ordinal, reason in looked if reason}


def _rows_with(mark: bytes, data: bytes, offsets: np.ndarray) -> set[int]:
    """Indexes of the rows that contain `mark`."""
    found: set[int] = set()
    at = data.find(mark)
    while at >= 0:
        index = int(np.searchsorted(offsets, at, "right")) - 1
        found.add(index)
        at = data.find(mark, int(offsets[index + 1]))
    return found


def _deep(data: bytes, offsets: np.ndarray) -> set[int]:
    """Indexes of the rows with so many brackets that they may be nested too deeply."""
    # In ASCII `{` and `[` differ in one bit alone.
    opened = np.flatnonzero((np.frombuffer(data, np.uint8) | 0x20) == 0x7B)
    counts = np.diff(np.searchsorted(opened, offsets))
    return {int(index) for index in np.flatnonzero(counts > MAX_DEPTH)}


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


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
