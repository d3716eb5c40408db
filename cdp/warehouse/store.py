"""Opening and locking the embedded warehouse.

Belongs here: the operating-system lock that makes one writer, the one DuckDB instance of the
process, and attaching the warehouse file to it under a fixed catalogue name. Every other module
works on cursors that this one hands out, so that dlt, dbt and Great Expectations share one
configuration (DuckDB refuses a file to a second one) and encryption can be added in one place.
Does not belong here: any table's meaning.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from cdp.warehouse.settings import Settings

CATALOG = "warehouse"
"""The name under which the warehouse file is attached, whatever the file is called."""

INSTANCE = ":memory:tributary"
"""The process-wide DuckDB instance; DuckDB shares instances of one name inside a process."""

SCHEMAS = (
    "raw",
    "staging",
    "identity",
    "profiles",
    "segments",
    "governance",
    "activation",
    "serving",
)


class WarehouseBusy(RuntimeError):
    """Another run holds the warehouse and did not finish in the time allowed."""


class Warehouse:
    """An opened warehouse, held by this process alone until it is closed."""

    def __init__(self, settings: Settings, instance: duckdb.DuckDBPyConnection) -> None:
        self.settings = settings
        self._instance = instance

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own inside the shared instance, standing in the warehouse."""
        cursor = self._instance.cursor()
        cursor.execute(f"USE {CATALOG}")
        return cursor

    def execute(self, sql: str, params: Sequence[Any] | None = None) -> None:
        """Run one statement, or several parted by semicolons when there are no parameters."""
        with self.cursor() as cursor:
            cursor.execute(sql, params)

    def rows(self, sql: str, params: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.cursor() as cursor:
            return cursor.execute(sql, params).fetchall()

    def scalar(self, sql: str, params: Sequence[Any] | None = None) -> Any:
        """The first column of the first row, or None when there is no row."""
        with self.cursor() as cursor:
            row = cursor.execute(sql, params).fetchone()
        return None if row is None else row[0]

    def has_table(self, schema: str, name: str) -> bool:
        """Whether a table or view of that name exists."""
        found = self.scalar(
            "SELECT count(*) FROM information_schema.tables "
            f"WHERE table_catalog = '{CATALOG}' AND table_schema = ? AND table_name = ?",
            [schema, name],
        )
        return bool(found)

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor inside one transaction: committed at the end, rolled back on any error."""
        with self.cursor() as cursor:
            cursor.execute("BEGIN TRANSACTION")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file."""
        self.execute(f"CHECKPOINT {CATALOG}")


_HELD = threading.RLock()


@contextmanager
def open_warehouse(settings: Settings, wait_seconds: float | None = None) -> Iterator[Warehouse]:
    """Hold the warehouse of a deployment for writing, waiting for whoever holds it now.

    Args:
        settings: the deployment.
        wait_seconds: how long to wait; `settings.lock_wait_seconds` when not given.

    Raises:
        WarehouseBusy: it was held by another run for all that time.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    wait = settings.lock_wait_seconds if wait_seconds is None else wait_seconds
    until = time.monotonic() + wait
    # The thread lock comes first: a file lock says nothing between threads of one process.
    if not _HELD.acquire(timeout=wait):
        raise WarehouseBusy(_busy(wait, f"process {os.getpid()}, this one"))
    try:
        lock = FileLock(settings.lock_file, timeout=wait, poll_interval=0.05)
        try:
            lock.acquire()
        except Timeout as error:
            raise WarehouseBusy(_busy(wait, _holder(settings))) from error
        try:
            _say_who_holds(settings)
            with _attached(settings, until) as warehouse:
                yield warehouse
        finally:
            _holder_file(settings).unlink(missing_ok=True)
            lock.release()
    finally:
        _HELD.release()


def _say_who_holds(settings: Settings) -> None:
    """Leave word for whoever waits in vain, in one piece. What a killed holder has left is replaced
    by the next one."""
    now = datetime.now(UTC)
    word = _holder_file(settings).with_suffix(f".holder-{os.getpid()}")
    word.write_text(f"process {os.getpid()}, since {now:%Y-%m-%d %H:%M:%S} UTC", encoding="utf-8")
    word.replace(_holder_file(settings))


def _holder(settings: Settings) -> str:
    """What the holder of the file lock said of itself; nothing while it has not yet."""
    try:
        return _holder_file(settings).read_text(encoding="utf-8")
    except OSError:
        return ""


def _holder_file(settings: Settings) -> Path:
    return settings.lock_file.with_suffix(".holder")


def _busy(wait: float, holder: str) -> str:
    return (
        f"the warehouse is held by another run{f' ({holder})' if holder else ''} and was not free "
        f"within {wait:g} seconds; wait for that run, or raise CDP_LOCK_WAIT_SECONDS"
    )


@contextmanager
def _attached(settings: Settings, until: float) -> Iterator[Warehouse]:
    spill = _empty_spill(settings)
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
            warehouse = Warehouse(settings, instance)
            for schema in SCHEMAS:
                warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.{schema}")
            yield warehouse
        finally:
            _detach(instance)
    finally:
        instance.close()


def _empty_spill(settings: Settings) -> Path:
    """The folder for what memory does not hold, without what a killed process has left in it: rows
    of people that nothing else would ever take away. The caller holds the lock."""
    spill = settings.home / "spill"
    shutil.rmtree(spill, ignore_errors=True)
    spill.mkdir(mode=0o700, exist_ok=True)
    return spill


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
