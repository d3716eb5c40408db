"""Trying quarantined rows again, each exactly once more.

Belongs here: handing quarantined bytes to today's rules. A row that may land now lands, and its
quarantine entry is marked in the same transaction; one that is refused again stays as it was. Does
not belong here: mending rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from cdp.config.sources import load_sources
from cdp.warehouse.runs import Run, utc_now
from cdp.warehouse.store import Warehouse
from ingestion.envelope import INBOX, Read
from ingestion.judging import RawRows
from ingestion.landing import new_load_id, recover
from ingestion.promotion import LoadReport, ensure_tables, promote
from ingestion.reading import Reading

REPLAYABLE = (
    "reason NOT IN ('key_conflict', 'truncated_file', 'unreadable_file') "
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
        f"SELECT stream, position, raw_bytes, quarantine_id FROM raw.quarantine "
        f"WHERE source = ? AND {REPLAYABLE} ORDER BY stream, quarantine_id",
        [source_name],
    )
    if not waiting:
        return report
    reading = Reading(source, new_load_id(source_name), utc_now(), run.as_of, warehouse.cursor())
    tables = list(_retried(waiting, reading))
    mended = [table for table in tables if len(table)]
    if not mended:
        return report
    from ingestion import pipelines
    from ingestion.landing import inbox_resources

    count = sum(len(table) for table in mended)
    reading.reads.append(Read(reading.load_id, "", None, count))
    running = pipelines.pipeline(source_name, warehouse.settings)
    resources = inbox_resources(reading, lambda: iter(mended))
    pipelines.extract_and_load(running, source_name, resources)
    return report.plus(promote(source_name, warehouse, run))


def _retried(waiting: list[tuple[str, str, bytes, str]], reading: Reading) -> Iterator[pa.Table]:
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
