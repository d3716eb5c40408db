"""The embedded engine: one DuckDB file, opened by this process alone.

Belongs here: the one DuckDB instance of the process and attaching the warehouse file to it under
a fixed catalogue name. dlt, dbt and Great Expectations share this configuration (DuckDB refuses a
file to a second one), and encryption can be added in one place. Does not belong here: the lock that
makes one writer (`cdp.warehouse.store`), any table's meaning.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import duckdb
import pyarrow as pa

from cdp.warehouse.engines.desk import empty_spill
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import (
    SCHEMAS,
    Left,
    Parameters,
    Relations,
    Session,
    Table,
    Warehouse,
    WarehouseBusy,
)

CATALOG = "warehouse"
"""The name under which the warehouse file is attached, whatever the file is called."""

INSTANCE = ":memory:tributary"
"""The process-wide DuckDB instance; DuckDB shares instances of one name inside a process."""

_ARRIVING = "arriving_rows"


class EmbeddedSession(Session):
    """Statements on one cursor."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self.cursor = cursor

    def execute(self, sql: str, parameters: Parameters = None) -> None:
        self.cursor.execute(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        return self.cursor.execute(sql, parameters).fetchall()

    def arrow(self, sql: str, parameters: Parameters = None) -> pa.Table:
        return self.cursor.execute(sql, parameters).to_arrow_table()

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            places = ", ".join(["?"] * len(rows[0]))
            self.cursor.executemany(f"INSERT INTO {table} VALUES ({places})", rows)

    def temporary(self, name: str, query: str, parameters: Parameters = None) -> None:
        self.cursor.execute(f"CREATE OR REPLACE TEMPORARY TABLE {name} AS {query}", parameters)

    def lay(self, name: str, rows: pa.Table) -> None:
        # A large join filters what it reads by a form (a Bloom filter) that DuckDB cannot hand to
        # Arrow, and fails. To be read from Arrow as they are when it leaves that filter to itself.
        self.cursor.register(_ARRIVING, rows)
        try:
            self.temporary(name, f"SELECT * FROM {_ARRIVING}")
        finally:
            self.cursor.unregister(_ARRIVING)

    def files(self, name: str, paths: Sequence[str]) -> None:
        listed = ", ".join(map(_text, paths))
        self.cursor.execute(
            f"CREATE OR REPLACE TEMPORARY VIEW {name} AS SELECT * FROM read_parquet([{listed}])"
        )


class EmbeddedWarehouse(Warehouse):
    """The attached file."""

    failures = (duckdb.Error,)

    def __init__(self, settings: Settings, instance: duckdb.DuckDBPyConnection) -> None:
        super().__init__(settings)
        self._instance = instance

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own inside the shared instance, standing in the warehouse."""
        cursor = self._instance.cursor()
        cursor.execute(f"USE {CATALOG}")
        return cursor

    def desk(self) -> duckdb.DuckDBPyConnection:
        return self.cursor()

    @contextmanager
    def session(self) -> Iterator[EmbeddedSession]:
        with self.cursor() as cursor:
            yield EmbeddedSession(cursor)

    @contextmanager
    def transaction(self, undo: Sequence[Left] = ()) -> Iterator[EmbeddedSession]:
        with self.cursor() as cursor:
            cursor.execute("BEGIN TRANSACTION")
            try:
                yield EmbeddedSession(cursor)
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def has_table(self, schema: str, name: str) -> bool:
        found = self.scalar(
            "SELECT count(*) FROM information_schema.tables "
            f"WHERE table_catalog = '{CATALOG}' AND table_schema = ? AND table_name = ?",
            [schema, name],
        )
        return bool(found)

    def relations(self) -> Relations:
        found: dict[Table, dict[str, str]] = {}
        for schema, table, column, kind in self.rows(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
            f"WHERE database_name = '{CATALOG}' AND NOT internal "
            "ORDER BY schema_name, table_name, column_index"
        ):
            found.setdefault((schema, table), {})[column] = kind
        return found

    def views(self) -> frozenset[Table]:
        return frozenset(
            (schema, name)
            for schema, name in self.rows(
                "SELECT schema_name, view_name FROM duckdb_views() "
                f"WHERE database_name = '{CATALOG}' AND NOT internal"
            )
        )

    def checkpoint(self) -> None:
        self.execute(f"CHECKPOINT {CATALOG}")


@contextmanager
def opened(settings: Settings, until: float) -> Iterator[EmbeddedWarehouse]:
    """The warehouse file, attached until the end of the block; the caller holds the lock.

    Raises:
        WarehouseBusy: another program had the file open until that moment (`time.monotonic`).
    """
    spill = empty_spill(settings)
    instance = duckdb.connect(INSTANCE)
    try:
        instance.execute(f"SET memory_limit = {_text(settings.memory_limit)}")
        instance.execute(f"SET threads = {int(settings.threads)}")
        instance.execute(f"SET temp_directory = {_text(os.fspath(spill))}")
        # Anything but UTC would make the meaning of a cast depend on the machine. For the instance,
        # since a setting of one session is not that of the cursors made from it.
        instance.execute("SET GLOBAL TimeZone = 'UTC'")
        # The log of a large load is folded in by an explicit checkpoint, not in its midst.
        instance.execute("SET checkpoint_threshold = '256MB'")
        _attach(instance, settings, until)
        try:
            warehouse = EmbeddedWarehouse(settings, instance)
            for schema in SCHEMAS:
                warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.{schema}")
            yield warehouse
        finally:
            _detach(instance)
    finally:
        instance.close()


def _attach(instance: duckdb.DuckDBPyConnection, settings: Settings, until: float) -> None:
    """Attach the file, waiting for a program that reads it past our lock: a shell, say.

    Raises:
        WarehouseBusy: that program had it open for all the time allowed.
    """
    while True:
        try:
            instance.execute(f"ATTACH {_text(os.fspath(settings.warehouse_file))} AS {CATALOG}")
        except duckdb.IOException as error:
            if "Could not set lock on file" not in str(error):
                raise
            if time.monotonic() >= until:
                holder = _HOLDER.search(str(error))
                raise WarehouseBusy(
                    f"another program has {settings.warehouse_file} open"
                    + (f" ({holder[1]})" if holder else "")
                    + "; close it there and run again, and look at what is published instead"
                ) from error
            time.sleep(0.2)
        else:
            return


_HOLDER = re.compile(r"Conflicting lock is held in (.+?\(PID \d+\))")


def _detach(instance: duckdb.DuckDBPyConnection) -> None:
    """Let go of the file; a checkpoint first, so that it stands alone without its log."""
    # Where another cursor has an open transaction, the log keeps what was committed.
    with suppress(duckdb.Error):
        instance.execute(f"CHECKPOINT {CATALOG}")
    instance.execute("USE memory")
    instance.execute(f"DETACH {CATALOG}")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
