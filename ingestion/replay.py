"""Trying quarantined rows again, each exactly once more.

Belongs here: handing quarantined bytes to today's rules. A row that may land now lands, and its
quarantine entry is marked in the same transaction; one that is refused again stays as it was, and
so does one that is out of date. Does not belong here: mending rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from cdp.config.sources import load_sources
from cdp.warehouse.runs import Run, utc_now
from cdp.warehouse.store import Session, Warehouse
from ingestion.envelope import INBOX, Read
from ingestion.judging import RawRows
from ingestion.landing import new_load_id, recover
from ingestion.promotion import LoadReport, ensure_tables, promote
from ingestion.reading import Reading
from ingestion.returning import key_of

REPLAYABLE = (
    "reason NOT IN ('key_conflict', 'truncated_file', 'unreadable_file', 'too_large_unpacked') "
    "AND replayed_load_id IS NULL AND octet_length(raw_bytes) > 0"
)
"""A conflict would meet the same first landing again; a part of a file is no row."""


def replay(source_name: str, warehouse: Warehouse, run: Run) -> LoadReport:
    """Try the quarantined rows of a source again by the rules that hold now.

    Returns:
        What became of those that are no longer refused; the others are not counted again.
    """
    source = load_sources(warehouse.settings).sources[source_name]
    ensure_tables(source_name, warehouse)
    report = recover(source_name, warehouse, run)
    waiting = warehouse.rows(
        f"SELECT stream, position, raw_bytes, quarantine_id, landed_at FROM raw.quarantine "
        "WHERE source = ? AND stream IN (SELECT unnest(CAST(? AS VARCHAR[]))) "
        f"AND {REPLAYABLE} ORDER BY stream, quarantine_id",
        # Rows of a stream that was renamed or dropped wait until one of that name is declared: no
        # rule holds for them, and they keep no other row from landing.
        [source_name, list(source.streams)],
    )
    if not waiting:
        return report
    reading = Reading(source, new_load_id(source_name), utc_now(), run.as_of, warehouse.desk())
    tables = list(_retried(waiting, reading))
    with warehouse.session() as session:
        mended = [each for each in _up_to_date(tables, waiting, reading, session) if len(each)]
    if not mended:
        return report
    from ingestion import pipelines
    from ingestion.landing import inbox_resources

    count = sum(len(table) for table in mended)
    reading.reads.append(Read(reading.load_id, "", None, count))
    running = pipelines.pipeline(source_name, warehouse.settings)
    resources = inbox_resources(reading, lambda: iter(mended))
    pipelines.extract_and_load(running, source_name, resources, warehouse.settings)
    return report.plus(promote(source_name, warehouse, run))


_Waiting = tuple[str, str, bytes, str, datetime]
"""Stream, position, bytes and id of an entry of the quarantine, and when it was kept out."""


def _retried(waiting: list[_Waiting], reading: Reading) -> Iterator[pa.Table]:
    """The rows that may land now, each with the quarantine entry that it answers."""
    entries = {index: row[3] for index, row in enumerate(waiting)}
    for stream in dict.fromkeys(row[0] for row in waiting):
        rows = [row for row in waiting if row[0] == stream]
        raw = RawRows(
            pa.array([row[2] for row in rows], pa.binary()),
            pa.array([row[1] for row in rows], pa.string()),
        )
        for table in (*reading.add(raw, stream), *reading.flush()):
            table = table.filter(pc.is_null(table["reason"]))
            answered = [entries[ordinal] for ordinal in table["ordinal"].to_pylist()]
            index = INBOX.get_field_index("replay_of")
            yield table.set_column(index, INBOX.field(index), pa.array(answered, pa.string()))


def _up_to_date(
    tables: list[pa.Table], waiting: list[_Waiting], reading: Reading, session: Session
) -> Iterator[pa.Table]:
    """The rows of which nothing newer is known.

    A row without a version is what its newest landing says, and a row that is gone is back when it
    lands: one that was kept out before may do neither.
    """
    since = pa.table(
        {
            "replay_of": pa.array([row[3] for row in waiting], pa.string()),
            "kept_out_at": pa.array([row[4] for row in waiting], pa.timestamp("us")),
        }
    )
    session.lay("kept_out", since)
    for table in tables:
        retried = table.select(["stream", "row_key", "payload_hash", "replay_of"])
        session.lay("retried", retried)
        outdated = session.arrow(
            f"""
            SELECT retried.replay_of
            FROM retried
            INNER JOIN kept_out ON kept_out.replay_of = retried.replay_of
            INNER JOIN raw."{reading.source.name}" AS newer
                ON newer.stream = retried.stream
                AND {key_of("newer.row_key")} = {key_of("retried.row_key")}
                AND newer.landed_at > kept_out.kept_out_at
            WHERE {key_of("retried.row_key")} <> '' AND (
                newer.is_deleted OR ends_with(retried.row_key, chr(31) || retried.payload_hash)
            ) AND NOT EXISTS (
                SELECT 1 FROM raw."{reading.source.name}" AS known
                WHERE known.stream = retried.stream AND known.row_key = retried.row_key
            )
            """
        )["replay_of"]
        yield table.filter(
            pc.invert(pc.is_in(table["replay_of"], value_set=outdated.combine_chunks()))
        )
