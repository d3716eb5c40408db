"""The warehouse, whatever engine holds it, and the lock that makes one writer.

Belongs here: what every engine can be asked (`Session`, `Warehouse`), the operating-system lock,
and choosing the engine by the setting `target`. Does not belong here: how an engine does it
(`cdp.warehouse.engines`), any table's meaning.

Statements are written in DuckDB's dialect; another engine is given them in its own. Nothing that is
written through a session asks which engine it is.
"""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from filelock import FileLock, Timeout

from cdp.warehouse.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

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

Table = tuple[str, str]
"""Schema and name."""

Relations = Mapping[Table, Mapping[str, str]]
"""Tables and views, each with its columns in their order and their types by DuckDB's names."""

Parameters = Sequence[Any] | Mapping[str, Any] | None
"""Values of a statement's `?` in their order, or of its `$name`."""

Left = tuple[str, str, Parameters]
"""Rows that a killed try may have left: their table, the condition on them, its parameters."""


class WarehouseBusy(RuntimeError):
    """Another run holds the warehouse and did not finish in the time allowed."""


class Session(ABC):
    """Statements of one connection, which see the temporary tables that others of it have made."""

    @abstractmethod
    def execute(self, sql: str, parameters: Parameters = None) -> None:
        """Run one statement, or several parted by semicolons when there are no parameters."""

    @abstractmethod
    def rows(self, sql: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        """All rows of a query; moments are naive UTC."""

    @abstractmethod
    def arrow(self, sql: str, parameters: Parameters = None) -> pa.Table:
        """All rows of a query as an Arrow table; moments are naive UTC."""

    @abstractmethod
    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows to a table, all of them or none."""

    @abstractmethod
    def temporary(self, name: str, query: str, parameters: Parameters = None) -> None:
        """Keep the rows of a query under a name, in place of any other of that name."""

    @abstractmethod
    def lay(self, name: str, rows: pa.Table) -> None:
        """Keep rows under a name, to be joined."""

    @abstractmethod
    def files(self, name: str, paths: Sequence[str]) -> None:
        """Let Parquet files be read under a name."""

    def scalar(self, sql: str, parameters: Parameters = None) -> Any:
        """The first column of the first row, or None when there is no row."""
        rows = self.rows(sql, parameters)
        return rows[0][0] if rows else None


class Warehouse(Session):
    """An opened warehouse, held by this process alone until it is closed.

    It is a session itself, whose statements may each run on a connection of their own.
    """

    failures: tuple[type[Exception], ...]
    """What the engine raises where a statement cannot be run."""

    at_once: ClassVar[int] = 1
    """How many queries it may be asked at once, each on a thread: more than one where a query waits
    for others than for this machine."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    def session(self) -> AbstractContextManager[Session]:
        """A connection for statements that belong together."""

    @abstractmethod
    def transaction(self, undo: Sequence[Left] = ()) -> AbstractContextManager[Session]:
        """A connection inside one transaction: committed at the end, rolled back on any error.

        Args:
            undo: what a killed try of the same may have left where the engine commits each
                statement by itself, and is taken away there first. The last statement is what makes
                the others count then, and whoever reads must go by it.
        """

    @abstractmethod
    def desk(self) -> duckdb.DuckDBPyConnection:
        """A connection of the embedded engine for rows that are in no warehouse yet."""

    @abstractmethod
    def has_table(self, schema: str, name: str) -> bool:
        """Whether a table or view of that name exists."""

    @abstractmethod
    def relations(self) -> Relations:
        """All tables and views."""

    @abstractmethod
    def views(self) -> frozenset[Table]:
        """Which of them are views."""

    def kept_as(self, declared: str) -> frozenset[str]:
        """The types that a column may have which is declared to be of one, by DuckDB's names."""
        return frozenset({declared})

    @abstractmethod
    def checkpoint(self) -> None:
        """Put what has been written into the form in which it is read fastest."""

    # A session's methods, each on a connection of its own.

    def execute(self, sql: str, parameters: Parameters = None) -> None:
        with self.session() as session:
            session.execute(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        with self.session() as session:
            return session.rows(sql, parameters)

    def arrow(self, sql: str, parameters: Parameters = None) -> pa.Table:
        with self.session() as session:
            return session.arrow(sql, parameters)

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        with self.transaction() as session:
            session.insert(table, rows)

    def temporary(self, name: str, query: str, parameters: Parameters = None) -> None:
        raise TypeError("what is temporary is of one session; open one with `session()`")

    def lay(self, name: str, rows: pa.Table) -> None:
        raise TypeError("what is temporary is of one session; open one with `session()`")

    def files(self, name: str, paths: Sequence[str]) -> None:
        raise TypeError("what is temporary is of one session; open one with `session()`")


_HELD = threading.RLock()


@contextmanager
def open_warehouse(settings: Settings, wait_seconds: float | None = None) -> Iterator[Warehouse]:
    """Hold the warehouse of a deployment for writing, waiting for whoever holds it now.

    Args:
        settings: the deployment.
        wait_seconds: how long to wait; `settings.lock_wait_seconds` when not given.

    Raises:
        BadTarget: the chosen engine cannot be used here; nothing has been written.
        WarehouseBusy: it was held by another run for all that time.
    """
    if settings.target != "duckdb":
        from cdp.warehouse.engines.checking import check_target

        # Before it is held, which leaves files in the data home.
        check_target(settings)
    with held_warehouse(settings, wait_seconds) as until, _opened(settings, until) as warehouse:
        yield warehouse


@contextmanager
def held_warehouse(settings: Settings, wait_seconds: float | None = None) -> Iterator[float]:
    """Keep every other run from the warehouse without opening it; see `open_warehouse`.

    Yields:
        until when (`time.monotonic`) whoever asked would wait.

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
            yield until
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


def _opened(settings: Settings, until: float) -> AbstractContextManager[Warehouse]:
    """The target's engine. Each is imported by who needs it, for its packages may be missing."""
    if settings.target == "duckdb":
        from cdp.warehouse.engines import embedded

        return embedded.opened(settings, until)
    if settings.target == "spark":
        from cdp.warehouse.engines import lake

        return lake.opened(settings)
    if settings.target == "snowflake":
        from cdp.warehouse.engines import snowflake_store

        return snowflake_store.opened(settings)
    from cdp.warehouse.engines import bigquery_store

    return bigquery_store.opened(settings)
