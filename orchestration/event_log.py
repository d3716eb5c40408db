"""Dagster's event log in SQLite, for the process that runs a job itself.

Belongs here: keeping connections and facts about the schema for as long as the process lives, and
telling the UI of what was written. Does not belong here: any event, any table: files and tables are
those of Dagster's own storage, so that the UI and its daemon read them with it.

Dagster's storage opens a database, compiles its statements and looks at its schema anew for each of
the hundreds of events of a run, which took half of a run with nothing new; each has two
transactions besides, where a step reports tens of tables at once. To be removed when Dagster's own
storage keeps its connections and writes batches.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import RLock
from typing import Any

import sqlalchemy
import sqlalchemy.event
from dagster import AssetKey, EventLogEntry, EventLogRecord
from dagster._core.events import DagsterEventType
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.base import AssetRecord
from dagster_shared.record import copy
from sqlalchemy.engine import Connection, Engine

INDEX = "index"
"""The database of what is asked across runs; each run has one of its own besides."""

BUSY_SECONDS = 60

_COME_IN_ROWS = {
    DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.STEP_OUTPUT,
}
"""Events of which one is followed by another at once; they are written with what follows."""

MOST_WAITING = 200

RECORDS_HOLD_FOR = 60.0
"""Seconds. Steps ask for the record of each table that another of their tables is built from, one
by one. Those that this process writes are put in their place at once, those that a run will write
are read anew when it has said so, and nobody else writes any but who wipes an asset by hand."""


class EventLog(SqliteEventLogStorage):
    """The storage that `dagster.yaml` has by default, on connections that stay open."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: dict[str, Engine] = {}
        self._facts: dict[tuple[str, str], bool] = {}
        self._opening = RLock()
        self._waiting: list[EventLogEntry] = []
        self._writing = RLock()
        self._held: dict[str, Connection] | None = None
        self._records: dict[AssetKey, AssetRecord] = {}
        self._records_read_at = -math.inf
        super().__init__(base_dir, inst_data)

    @staticmethod
    def from_config_value(inst_data: Any, config_value: Any) -> EventLog:
        """Made by Dagster from the configuration that `orchestration.instance` writes."""
        return EventLog(inst_data=inst_data, **config_value)

    def store_event(self, event: EventLogEntry) -> None:
        """Write an event, or keep it for the moment in which the next one comes."""
        with self._writing:
            self._waiting.append(event)
            if (
                event.dagster_event is None
                or event.dagster_event.event_type not in _COME_IN_ROWS
                or len(self._waiting) >= MOST_WAITING
            ):
                self._write_waiting()

    def _write_waiting(self) -> None:
        """Write what waits, a transaction for each database."""
        with self._writing:
            if self._held is not None or not self._waiting:
                return
            events, self._waiting = self._waiting, []
            runs = {event.run_id for event in events}
            with ExitStack() as stack:
                held = {shard: stack.enter_context(self._opened(shard)) for shard in (INDEX, *runs)}
                self._held = held
                stack.callback(self._let_go)
                try:
                    for event in events:
                        super().store_event(event)
                except BaseException:
                    # Rolled back, so they wait again, before what comes next.
                    self._waiting = events + self._waiting
                    raise

    def _store_asset_event(self, conn: Connection, event: EventLogEntry, event_id: int) -> None:
        super()._store_asset_event(conn, event, event_id)
        told = event.dagster_event
        known = self._records.get(told.asset_key) if told and told.asset_key else None
        if told is None or not told.is_step_materialization or known is None:
            self._records_read_at = -math.inf
            return
        latest = EventLogRecord(storage_id=event_id, event_log_entry=event)
        entry = copy(known.asset_entry, last_materialization_record=latest)
        self._records[known.asset_entry.asset_key] = copy(known, asset_entry=entry)

    def get_asset_records(
        self, asset_keys: Sequence[AssetKey] | None = None
    ) -> Sequence[AssetRecord]:
        """What is known of assets; of a single one, as all were read a moment ago."""
        if asset_keys is None or len(asset_keys) != 1:
            return super().get_asset_records(asset_keys)
        with self._writing:
            self._write_waiting()
            if time.monotonic() > self._records_read_at + RECORDS_HOLD_FOR:
                read_at = time.monotonic()
                records = super().get_asset_records()
                self._records = {each.asset_entry.asset_key: each for each in records}
                self._records_read_at = read_at
            return [self._records[key] for key in asset_keys if key in self._records]

    def _let_go(self) -> None:
        self._held = None

    def run_connection(self, run_id: str | None = None) -> Any:
        """A transaction in the database of a run."""
        assert run_id is not None, "the events of each run are in a database of their own"
        return self._transaction(run_id)

    def index_connection(self) -> Any:
        """A transaction in the database of what is asked across runs."""
        return self._transaction(INDEX)

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[Connection]:
        with self._writing:
            # Whoever asks finds what has been told before.
            self._write_waiting()
            held = self._held[shard] if self._held else None
            if held is not None:
                yield held
                return
        with self._opened(shard) as connection:
            yield connection

    @contextmanager
    def _opened(self, shard: str) -> Iterator[Connection]:
        with self._engine(shard).begin() as connection:
            yield connection
        if shard != INDEX:
            # Whoever watches the run waits for this file to change, and the log is another file.
            os.utime(self.path_for_shard(shard))

    def _engine(self, shard: str) -> Engine:
        with self._opening:
            if shard not in self._engines:
                # Dagster's own way of opening makes the tables where they are missing.
                known = (
                    super().index_connection() if shard == INDEX else super().run_connection(shard)
                )
                with known:
                    pass
                engine = sqlalchemy.create_engine(
                    self.conn_string_for_shard(shard),
                    connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
                )
                sqlalchemy.event.listen(engine, "connect", _relax)
                self._engines[shard] = engine
            return self._engines[shard]

    # --- what does not change while the process lives ------------------------------------------

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table."""
        return self._fact("table", table_name, lambda: super(EventLog, self).has_table(table_name))

    def has_asset_key_col(self, column_name: str) -> bool:
        """Whether the table of assets has a column."""
        return self._fact(
            "column", column_name, lambda: super(EventLog, self).has_asset_key_col(column_name)
        )

    def _has_asset_key_index_cols_on_connection(self, conn: Connection) -> bool:
        # Asked at every event of an asset, by reading the schema.
        return self.has_asset_key_col("last_materialization_timestamp")

    def has_secondary_index(self, name: str) -> bool:
        """Whether a migration of data is done."""
        return self._fact("index", name, lambda: super(EventLog, self).has_secondary_index(name))

    def _fact(self, kind: str, name: str, look: Any) -> bool:
        # What is not there yet may come; what is there stays.
        if not self._facts.get((kind, name)):
            self._facts[kind, name] = look()
        return self._facts[kind, name]

    def dispose(self) -> None:
        """Close all connections; SQLite folds its logs into the files."""
        self._write_waiting()
        super().dispose()
        with self._opening:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


def _relax(connection: Any, record: Any) -> None:
    """With a write-ahead log, `NORMAL` loses the last events in a power cut, never the file."""
    connection.execute("PRAGMA synchronous = NORMAL")
