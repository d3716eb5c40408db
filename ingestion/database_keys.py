"""The keys that a table has beside those that have landed.

Belongs here: which rows are gone, which are there and have been missed, and when a comparison is
not to be believed. Does not belong here: asking the database for keys or rows (`database`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cdp.config.sources import Stream
from cdp.config.staged import json_path
from cdp.warehouse.store import Session
from ingestion.failures import SourceFailed
from ingestion.judging import BODY
from ingestion.reading import Reading

MANY = 100
"""Of fewer live rows than this, all may be gone at once without a question."""


@dataclass(frozen=True)
class Compared:
    """What a comparison of keys found.

    Attributes:
        alive: how many rows raw holds alive.
        gone: keys that raw holds alive and the table has no more: one text column a key column, and
            the payload and landing number of the version that was the last.
        missed: keys that the table has and raw does not hold alive, though nothing refuses them.
    """

    alive: int
    gone: pa.Table
    missed: pa.Table


def compare(
    name: str,
    stream: Stream,
    reading: Reading,
    session: Session,
    present: list[pa.Table],
    told: list[pa.Table] | None,
) -> Compared:
    """Compare the keys of a table with those that have landed.

    Args:
        present: the key columns of the table, as text.
        told: the keys of rows that this load has read; None where it has read all.
    """
    raw = f'raw."{reading.source.name}"'
    ks = [f"k{index}" for index, _ in enumerate(stream.key, 1)]
    told_ks = ", ".join(
        f"json_extract_string(payload, '{json_path(column, nests=False)}') AS {k}"
        for column, k in zip(stream.key, ks, strict=True)
    )
    session.lay("present_keys", _keys(present, stream))
    session.lay("told_keys", _keys(told or [], stream))
    session.temporary(
        "landed_keys",
        f"""
        WITH landed AS (
            SELECT {told_ks}, is_deleted, landing_number FROM {raw} WHERE stream = ?
        )
        SELECT {", ".join(ks)}, arg_max(is_deleted, landing_number) AS is_deleted,
               max(landing_number) AS landing_number
        FROM landed GROUP BY {", ".join(ks)}
        """,
        [name],
    )
    alive = session.scalar("SELECT count(*) FROM landed_keys WHERE NOT is_deleted")
    gone = session.arrow(
        f"""
        SELECT {_listed("landed_keys", ks)}, last.payload, landed_keys.landing_number
        FROM landed_keys
        INNER JOIN {raw} AS last ON last.landing_number = landed_keys.landing_number
        WHERE NOT landed_keys.is_deleted
            AND NOT EXISTS (SELECT 1 FROM present_keys WHERE {_same("present_keys", ks)})
        ORDER BY landed_keys.landing_number
        """
    )
    missed = pa.table({k: pa.array([], pa.string()) for k in ks})
    if told is not None:
        session.lay("refused_keys", _refused(name, stream, reading, session))
        missed = session.arrow(
            f"""
            WITH settled AS (
                SELECT {", ".join(ks)} FROM landed_keys WHERE NOT is_deleted
                UNION ALL
                SELECT {", ".join(ks)} FROM told_keys
                UNION ALL
                -- What is kept out is kept out however often it is read, unless it was in before.
                SELECT {_listed("refused_keys", ks)} FROM refused_keys ANTI JOIN landed_keys
                ON {_same("refused_keys", ks)}
            )
            SELECT DISTINCT {", ".join(ks)} FROM present_keys
            WHERE {" AND ".join(f"trim({k}) <> ''" for k in ks)}
                AND NOT EXISTS (SELECT 1 FROM settled WHERE {_same("settled", ks, "present_keys")})
            ORDER BY {", ".join(ks)}
            """
        )
    return Compared(int(alive), gone, missed)


def _refused(name: str, stream: Stream, reading: Reading, session: Session) -> pa.Table:
    """The keys of rows of a stream that wait in quarantine, as far as their bytes have them."""
    waiting = session.arrow(
        "SELECT raw_bytes FROM raw.quarantine WHERE source = ? AND stream = ? "
        "AND reason <> 'key_conflict' AND replayed_load_id IS NULL",
        [reading.source.name, name],
    )
    told = ", ".join(
        f"TRY(json_extract_string(decode(raw_bytes), '{json_path(column, nests=False)}')) AS k{at}"
        for at, column in enumerate(stream.key, 1)
    )
    # At the desk: what is no JSON fails in other engines.
    reading.desk.register("waiting", waiting)
    try:
        return reading.desk.execute(f"SELECT {told} FROM waiting").to_arrow_table()
    finally:
        reading.desk.unregister("waiting")


def refuse_what_nobody_believes(found: Compared, stream: Stream, source: str) -> None:
    """An end where most rows seem to be gone at once: more often than a deletion that is a view
    that filters, a right that was withdrawn, or a table that is being filled anew.

    Raises:
        SourceFailed: says what was seen and how to confirm it.
    """
    lost = len(found.gone)
    if found.alive < MANY or lost * 2 <= found.alive or stream.deletes.may_lose_most:
        return
    raise SourceFailed(
        f"source {source}: {lost:,} of the {found.alive:,} live rows of {stream.table} are not in "
        "the table any more, so that none of them was taken for deleted; if they are, set "
        "`deletes.may_lose_most: true` for one run, else look at what the database lets be read"
    )


def tombstones(gone: pa.Table, stream: Stream, reading: Reading) -> pa.Table:
    """Rows of `BODY` that say of each key that it is gone."""
    keys = gone.select([f"k{index}" for index, _ in enumerate(stream.key, 1)]).rename_columns(
        list(stream.key)
    )
    rows = []
    # A tombstone says again what its row said last: whatever the row was part of has to know.
    for index, text in enumerate(gone["payload"].to_pylist()):
        number = gone["landing_number"][index].as_py()
        values = chr(31).join(str(keys[column][index]).strip(" ") for column in stream.key)
        rows.append(
            {
                "ordinal": reading.ordinal + index,
                # The version that it ends is part of the key: the same deletion lands once.
                "row_key": f"d:{values}{chr(31)}{number}",
                "position": f"{stream.table}:gone after {number}",
                "occurred_at": reading.now,
                "payload": text,
                "payload_hash": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
                "is_deleted": True,
            }
        )
    return pa.Table.from_pylist(rows, schema=BODY)


def one_of(
    table: Any, kinds: Mapping[str, Any], columns: Sequence[str], keys: Sequence[tuple[str, ...]]
) -> Any:
    """SQL of whether a row has one of the keys.

    Args:
        kinds: the types that the columns have in the database.
        keys: their texts, as the database told them.
    """
    import sqlalchemy as sa

    sides = []
    for at, name in enumerate(columns):
        values = _as_their_type([key[at] for key in keys], kinds[name])
        # Without a cast around the column, so that its index is of use; where text is all that is
        # known to be the same, every row is looked at.
        side: Any = sa.type_coerce(table.columns[name], kinds[name])
        if values is None:
            side, values = sa.cast(side, sa.String(4000)), [key[at] for key in keys]
        sides.append((side, values))
    if len(sides) == 1:
        return sides[0][0].in_(sides[0][1])
    return sa.or_(
        *(
            sa.and_(*(side == values[index] for side, values in sides))
            for index, _ in enumerate(keys)
        )
    )


def _as_their_type(texts: list[str], kind: Any) -> list[Any] | None:
    """Values as the driver takes them; None for a type of which text says more than the value."""
    import sqlalchemy as sa

    try:
        if isinstance(kind, sa.Integer):
            return [int(text) for text in texts]
        if isinstance(kind, sa.Uuid):
            return [uuid.UUID(text) for text in texts]
    except ValueError:
        # SQLite keeps in a column what it is given.
        return None
    return list(texts) if isinstance(kind, sa.String) and not isinstance(kind, sa.Enum) else None


def _keys(parts: list[pa.Table], stream: Stream) -> pa.Table:
    """The key columns of several tables, all text, called by their places."""
    names = [f"k{index}" for index, _ in enumerate(stream.key, 1)]
    texts = pa.schema([(name, pa.string()) for name in names])
    return pa.concat_tables(
        [
            texts.empty_table(),
            *(part.select(list(stream.key)).rename_columns(names).cast(texts) for part in parts),
        ]
    )


def _listed(table: str, ks: list[str]) -> str:
    return ", ".join(f"{table}.{k}" for k in ks)


def _same(table: str, ks: list[str], other: str = "landed_keys") -> str:
    return " AND ".join(f"{table}.{k} = {other}.{k}" for k in ks)
