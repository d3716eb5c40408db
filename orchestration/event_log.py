"""Dagster's event log in SQLite, for the process that runs a job itself.

Belongs here: keeping connections and facts about the schema for as long as the process lives, and
telling the UI of what was written. Does not belong here: any event, any table: files and tables are
those of Dagster's own storage, so that the UI and its daemon read them with it.

Dagster's storage opens a database, compiles its statements and looks at its schema anew for each of
the hundreds of events of a run, which took half of a run with nothing new. To be removed when
Dagster's own storage keeps its connections.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import sqlalchemy
import sqlalchemy.event
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy.engine import Connection, Engine

INDEX = "index"
"""The database of what is asked across runs; each run has one of its own besides."""

BUSY_SECONDS = 60


class EventLog(SqliteEventLogStorage):
    """The storage that `dagster.yaml` has by default, on connections that stay open."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: dict[str, Engine] = {}
        self._facts: dict[tuple[str, str], bool] = {}
        self._opening = RLock()
        super().__init__(base_dir, inst_data)

    @staticmethod
    def from_config_value(inst_data: Any, config_value: Any) -> EventLog:
        """Made by Dagster from the configuration that `orchestration.instance` writes."""
        return EventLog(inst_data=inst_data, **config_value)

    def run_connection(self, run_id: str | None = None) -> Any:
        """A transaction in the database of a run."""
        assert run_id is not None, "the events of each run are in a database of their own"
        return self._transaction(run_id)

    def index_connection(self) -> Any:
        """A transaction in the database of what is asked across runs."""
        return self._transaction(INDEX)

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[Connection]:
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
        super().dispose()
        with self._opening:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


def _relax(connection: Any, record: Any) -> None:
    """With a write-ahead log, `NORMAL` loses the last events in a power cut, never the file."""
    connection.execute("PRAGMA synchronous = NORMAL")
