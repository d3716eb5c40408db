"""Landing one source: finish what was begun, read what is new, move it to raw.

Belongs here: the order of the steps, which makes a kill at any point harmless. Does not belong
here: reading (`files`, `database`, `rest`), loading (`pipelines`), judging (`promotion`).

A kill leaves either a package on disk, or rows in the inbox, or both. The next landing promotes the
inbox, loads and promotes the package, and only then reads on.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa

from cdp.config.moments import NoMoment
from cdp.config.sources import Source, load_sources
from cdp.warehouse.fault_points import reached
from cdp.warehouse.runs import Run, utc_now
from cdp.warehouse.store import Warehouse
from ingestion import failures
from ingestion.ahead import ahead
from ingestion.envelope import INBOX
from ingestion.events import FUTURE
from ingestion.files.ledger import location, tasks
from ingestion.inbox import READS, ROWS, drop_trace, drop_unfinished, has_package
from ingestion.promotion import LoadReport, ensure_tables, promote
from ingestion.reading import Reading


def land(
    source_name: str,
    warehouse: Warehouse,
    run: Run,
    since: datetime | None = None,
    until: datetime | None = None,
) -> LoadReport:
    """Land what a source has that raw does not.

    Args:
        since: read again from this moment on (naive UTC), whatever was read before.
        until: read again up to before this moment.

    Raises:
        KeyError: no source is declared under that name.
        NoMoment: the range is empty.
        SourceFailed: the source could not be read to its end; nothing of it is in raw.
        DoesNotReconcile: counts differ; nothing of the load is in raw.
    """
    if since and until and since >= until:
        raise NoMoment(f"the range is empty: since {since} is not before until {until}")
    source = load_sources(warehouse.settings).sources[source_name]
    ensure_tables(source_name, warehouse)
    report = recover(source_name, warehouse, run)
    place = location(source, warehouse.settings) if source.kind == "files" else ""
    with failures.reading(source_name, place):
        found = _resources(source, warehouse, run, since, until)
    if found is not None:
        from ingestion import pipelines

        reached("landing.before_extract")
        running = pipelines.pipeline(source_name, warehouse.settings)
        if source.kind != "files":
            pipelines.forget_what_lies_ahead(running, max(utc_now(), run.as_of) + FUTURE)
        pipelines.extract_and_load(running, source_name, found, warehouse.settings)
        report = report.plus(promote(source_name, warehouse, run))
    reached("landing.after_land")
    return report


def has_news(source_name: str, warehouse: Warehouse) -> bool:
    """Whether a source of files has something to read. Other sources tell only when asked."""
    source = load_sources(warehouse.settings).sources[source_name]
    if source.kind != "files":
        return True
    return next(tasks(source, warehouse, utc_now()), None) is not None


def new_load_id(source: str) -> str:
    """An id that sorts by the time of its making."""
    return f"{utc_now():%Y%m%dT%H%M%S%f}-{source}-{secrets.token_hex(3)}"


def recover(source: str, warehouse: Warehouse, run: Run) -> LoadReport:
    """Promote what an earlier run left in a package or in the inbox."""
    settings = warehouse.settings
    # A kill has no last word of its own.
    drop_unfinished(source, settings)
    drop_trace(source, settings)
    if has_package(source, settings):
        from ingestion import pipelines

        # First, since a file that a kill cut off in the inbox is whole once dlt has ended.
        pipelines.finish_pending(pipelines.pipeline(source, settings), source, settings)
    return promote(source, warehouse, run)


def _resources(
    source: Source,
    warehouse: Warehouse,
    run: Run,
    since: datetime | None,
    until: datetime | None,
) -> list[Any] | None:
    """The dlt resources to run, or None where there is nothing to read."""
    reading = Reading(source, new_load_id(source.name), utc_now(), run.as_of, warehouse.desk())
    if source.kind == "files":
        todo = list(tasks(source, warehouse, reading.now, since, until))
        if not todo:
            return None
        from ingestion.files.source import read_task

        def file_rows() -> Iterator[pa.Table]:
            for task in todo:
                yield from read_task(task, source.streams[task.stream], reading)
            yield from reading.flush()
            if not reading.ordinal:
                # dlt makes a table with its first rows; an empty file is recorded all the same.
                yield INBOX.empty_table()

        # Rows are read, judged and written to the package at the same time, each a block ahead.
        return inbox_resources(reading, lambda: ahead(file_rows()))
    if source.kind == "database":
        from ingestion.database import database_rows

        return inbox_resources(reading, *database_rows(reading, warehouse, since, until))
    from ingestion.rest import rest_rows

    return inbox_resources(reading, *rest_rows(reading, warehouse, since, until))


def inbox_resources(reading: Reading, *rows: Any) -> list[Any]:
    """Readers as resources of the inbox, and their account after them."""
    import dlt

    from ingestion.pipelines import resource_hints

    source = reading.source.name
    resources = []
    for index, each in enumerate(rows):
        name = f"rows_{source}" if index == 0 else f"rows_{source}_{index}"
        hints = resource_hints(ROWS)
        if callable(each) and not hasattr(each, "apply_hints"):
            resources.append(dlt.resource(each, name=name, **hints))
        else:
            resources.append(each.apply_hints(**hints) or each)

    def reads() -> Iterator[pa.Table]:
        yield from reading.reads_tables()

    # Resources are taken one after the other, so this one comes when all rows have been counted.
    resources.append(dlt.resource(reads, name=f"reads_{source}", **resource_hints(READS)))
    return resources
