"""dlt's pipelines: one a source, with a state of its own, loading into the inbox.

Belongs here: how dlt is configured, and running it in steps that a kill may part. Does not belong
here: what is read, or what becomes of the inbox.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import dlt

from cdp.warehouse.fault_points import reached
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import Warehouse
from ingestion.attached_duckdb import destination
from ingestion.failures import reading
from ingestion.inbox import INBOX_DATASET, inbox_table, pipeline_name, reads_table


def configure(settings: Settings) -> None:
    """Set what dlt must not leave to its defaults: no telemetry, no copies of loaded data."""
    settings.dlt_dir.mkdir(parents=True, exist_ok=True)
    for key, value in {
        "runtime.dlthub_telemetry": False,
        "runtime.log_level": "CRITICAL",
        "load.delete_completed_jobs": True,
        "load.truncate_staging_dataset": True,
        "load.workers": 1,
        "normalize.workers": 1,
        "extract.workers": 1,
        "extract.next_item_mode": "fifo",
        # Rows are in Arrow tables already; a package is one file a table, not thousands.
        "data_writer.buffer_max_items": 200_000,
        "data_writer.file_max_items": 5_000_000,
        "normalize.parquet_normalizer.add_dlt_load_id": False,
    }.items():
        dlt.config[key] = value
    logging.getLogger("dlt").setLevel(logging.CRITICAL)


def pipeline(source: str, warehouse: Warehouse) -> dlt.Pipeline:
    """The pipeline of a source, on a cursor of its own."""
    configure(warehouse.settings)
    made: dlt.Pipeline = dlt.pipeline(
        pipeline_name=pipeline_name(source),
        destination=destination(warehouse.cursor()),
        dataset_name=INBOX_DATASET,
        pipelines_dir=str(warehouse.settings.dlt_dir),
        progress=None,  # type: ignore[call-overload]  # its own default
    )
    return made


def resource_hints(source: str, kind: str) -> dict[str, Any]:
    """The hints of a resource that feeds the inbox (`rows`) or the reads (`reads`)."""
    return {
        "table_name": inbox_table(source) if kind == "rows" else reads_table(source),
        "write_disposition": "append",
        "schema_contract": {"tables": "evolve", "columns": "evolve", "data_type": "freeze"},
    }


def finish_pending(running: dlt.Pipeline) -> bool:
    """Load what an earlier, killed run had extracted; whether there was any."""
    had_any = False
    # A run with pending packages loads those alone, so this ends when none is left.
    while running.has_pending_data:
        had_any = True
        running.normalize()
        running.load()
    return had_any


def extract_and_load(running: dlt.Pipeline, source: str, resources: Iterable[Any]) -> None:
    """Read the resources into a package on disk, then load it into the inbox.

    Raises:
        SourceFailed: the source could not be read; nothing of it stays behind.
    """
    try:
        with reading(source):
            running.extract(list(resources), loader_file_format="parquet")
    finally:
        _drop_trace(running)
    reached("landing.after_extract")
    running.normalize()
    running.load()
    _drop_trace(running)


def _drop_trace(running: dlt.Pipeline) -> None:
    """dlt keeps a pickle of its last run, with the text of any error in it."""
    from pathlib import Path

    Path(running.working_dir, "trace.pickle").unlink(missing_ok=True)
