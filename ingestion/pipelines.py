"""dlt's pipelines: one a source, with a state of its own, loading into the inbox.

Belongs here: how dlt is configured, where it loads to on which target, and running it in steps that
a kill may part. Does not belong here: what is read, or what becomes of the inbox.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

import dlt
from dlt.common.runtime.collector_base import Collector

from cdp.warehouse.fault_points import reached
from cdp.warehouse.settings import Settings
from ingestion.cursor_bounds import is_ahead
from ingestion.failures import loading, reading
from ingestion.inbox import drop_trace, drop_unfinished, inbox_schema, inbox_url, pipeline_name


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
        # Both end by sleeping once more before they see that nothing is left to do.
        "load.run_sleep": 0.0,
        "normalize.run_sleep": 0.0,
        "extract.next_item_mode": "fifo",
        # Cursors are kept in the pipeline's own folder. Where that is lost, sources are read from
        # their beginning, and what has landed is a duplicate.
        "restore_from_destination": False,
        # Rows are in Arrow tables already; a package is one file a table, not thousands.
        "data_writer.buffer_max_items": 200_000,
        "data_writer.file_max_items": 5_000_000,
        "normalize.parquet_normalizer.add_dlt_load_id": False,
    }.items():
        dlt.config[key] = value
    logging.getLogger("dlt").setLevel(logging.CRITICAL)


class _Watch(Collector):
    """Hears when a file of a package has reached the inbox, before dlt closes the package."""

    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        if name == "Jobs" and inc == 1 and total is None and label is None:
            reached("landing.after_inbox")

    def _start(self, step: str) -> None:
        """Nothing is shown."""

    def _stop(self) -> None:
        """Nothing is shown."""


def pipeline(source: str, settings: Settings) -> dlt.Pipeline:
    """The pipeline of a source, loading into its inbox."""
    configure(settings)
    destination, dataset = _DESTINATIONS[settings.target](source, settings)
    made: dlt.Pipeline = dlt.pipeline(
        pipeline_name=pipeline_name(source),
        destination=destination,
        dataset_name=dataset,
        pipelines_dir=str(settings.dlt_dir),
        progress=_Watch(),
    )
    return made


def _files(source: str, settings: Settings) -> tuple[Any, str]:
    """dlt's filesystem destination, a folder for each source: Parquet files to be promoted from."""
    assert settings.inbox is not None, "the inbox of this target is files"
    return (
        dlt.destinations.filesystem(
            bucket_url=inbox_url(settings.inbox),
            layout="{table_name}/{load_id}.{file_id}.{ext}",
        ),
        source,
    )


def _snowflake(source: str, settings: Settings) -> tuple[Any, str]:
    """Tables of the warehouse, a schema for each source."""
    from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials

    phrase = settings.snowflake_private_key_passphrase
    credentials = SnowflakeCredentials()
    credentials.database = str(settings.snowflake_database)
    credentials.host = str(settings.snowflake_account)
    credentials.username = settings.snowflake_user
    credentials.warehouse = settings.snowflake_warehouse
    credentials.role = settings.snowflake_role
    credentials.private_key_path = str(settings.snowflake_private_key_path)
    credentials.private_key_passphrase = phrase.get_secret_value() if phrase else None
    # A staged file holds rows of people; nothing but the table may keep them.
    return (
        dlt.destinations.snowflake(credentials=credentials, keep_staged_files=False),
        inbox_schema(source),
    )


def _bigquery(source: str, settings: Settings) -> tuple[Any, str]:
    """dlt's own destination, a dataset for each source: each file is one load job."""
    keyfile = settings.bigquery_keyfile
    destination: Any = dlt.destinations.bigquery
    return (
        destination(
            # Without a key file dlt, too, looks for the credentials of the machine.
            credentials=keyfile.read_text(encoding="utf-8") if keyfile else None,
            project_id=settings.bigquery_project,
            location=settings.bigquery_location,
        ),
        inbox_schema(source),
    )


_DESTINATIONS: Mapping[str, Callable[[str, Settings], tuple[Any, str]]] = {
    "duckdb": _files,
    "spark": _files,
    "snowflake": _snowflake,
    "bigquery": _bigquery,
}
"""By target: the destination that is the inbox, and the name of a source's dataset there."""


def resource_hints(table: str) -> dict[str, Any]:
    """The hints of a resource that feeds a table of the inbox."""
    return {
        "table_name": table,
        "write_disposition": "append",
        "schema_contract": {"tables": "evolve", "columns": "evolve", "data_type": "freeze"},
    }


def forget_what_lies_ahead(running: dlt.Pipeline, latest: datetime) -> None:
    """Take away last values of cursors that lie beyond a moment: nothing is ever newer than those.

    What their streams have is read once more, and what of it is known is a duplicate.
    """

    def ahead(state: Any) -> list[tuple[dict[str, Any], str]]:
        return [
            (cursors, path)
            for source in state.get("sources", {}).values()
            for resource in source.get("resources", {}).values()
            for cursors in [resource.get("incremental", {})]
            for path, kept in cursors.items()
            if is_ahead(kept.get("last_value"), latest)
        ]

    if not ahead(running.state):
        return
    with running.managed_state() as state:
        for cursors, path in ahead(state):
            del cursors[path]


def finish_pending(running: dlt.Pipeline, source: str, settings: Settings) -> bool:
    """Load what an earlier, killed run had extracted; whether there was any."""
    had_any = False
    # A run with pending packages loads those alone, so this ends when none is left.
    while running.has_pending_data:
        had_any = True
        with _leaving_nothing(source, settings):
            _load(running, source, settings)
    return had_any


def extract_and_load(
    running: dlt.Pipeline, source: str, resources: Iterable[Any], settings: Settings
) -> None:
    """Read the resources into a package on disk, then load it into the inbox.

    Raises:
        SourceFailed: the source could not be read; nothing of it stays behind.
    """
    with _leaving_nothing(source, settings):
        with reading(source):
            running.extract(list(resources), loader_file_format="parquet")
        reached("landing.after_extract")
        _load(running, source, settings)


def _load(running: dlt.Pipeline, source: str, settings: Settings) -> None:
    """Load what is extracted. A file system says nothing of rows where it fails."""
    with loading(source) if settings.inbox is None else nullcontext():
        running.normalize()
        running.load()


@contextmanager
def _leaving_nothing(source: str, settings: Settings) -> Iterator[None]:
    """Around a step of dlt: however it ends, no row stays where nothing takes it away again."""
    try:
        yield
    finally:
        drop_unfinished(source, settings)
        drop_trace(source, settings)
