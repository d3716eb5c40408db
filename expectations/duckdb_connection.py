"""Great Expectations on the store's own connection.

Belongs here: handing a cursor of the store's instance to Great Expectations through SQLAlchemy, and
the cure of one defect that this needs. Does not belong here: any expectation.

Making a context and a data source costs more than a small suite, so one is made for the process and
each gate lends it the cursor of its warehouse.

The defect: Great Expectations 1.24 reads the rows of a result after it has given the connection
back (`SqlAlchemyExecutionEngine.execute_query` returns from inside `with self.get_connection()`),
and DuckDB drops a result that has not been read when the connection is rolled back, as SQLAlchemy's
pool does with every connection it gets back. As shipped every expectation fails with "list index
out of range". The cure: `_BufferingCursor` fetches all rows as soon as a statement has run, so
nothing is left to be dropped. Great Expectations itself is not touched.

To be removed when `execute_query` reads inside its connection's scope, or duckdb-engine's cursor
buffers by itself: then `creator` may return `duckdb_engine.ConnectionWrapper(cursor)`.
`tests/expectations/test_duckdb_connection.py` says when that is so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import RLock
from typing import Any

import duckdb

_lock = RLock()
_lent: list[duckdb.DuckDBPyConnection] = []
"""The cursor that the data source reads through now, as the last item."""


@contextmanager
def datasource(cursor: duckdb.DuckDBPyConnection) -> Iterator[Any]:
    """A data source of Great Expectations that reads through the cursor and opens nothing itself.

    What it has learnt of a table it keeps, so a table must not change its columns under one name;
    a query is looked at anew each time.

    Args:
        cursor: of the store's instance, standing in the warehouse; left open.
    """
    with _lock:
        _lent.append(cursor)
        try:
            made = _datasource()
            yield made
        finally:
            for name in [asset.name for asset in _datasource().assets]:
                _datasource().delete_asset(name)
            _lent.pop()


@cache
def _datasource() -> Any:
    import great_expectations as gx
    from duckdb_engine import ConnectionWrapper, CursorWrapper
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from sqlalchemy.pool import StaticPool

    class _BufferingCursor(CursorWrapper):
        def __init__(self, connection: duckdb.DuckDBPyConnection, owner: Any) -> None:
            super().__init__(connection, owner)
            self._connection = connection
            self._rows: list[Any] = []
            self.description: Any = None

        def execute(self, statement: str, parameters: Any = None, context: Any = None) -> None:
            super().execute(statement, parameters, context)
            self.description = self._connection.description
            self._rows = self._connection.fetchall() if self.description else []

        def fetchall(self) -> list[Any]:
            rows, self._rows = self._rows, []
            return rows

        def fetchmany(self, size: int | None = None) -> list[Any]:
            size = 1 if size is None else size
            rows, self._rows = self._rows[:size], self._rows[size:]
            return rows

        def fetchone(self) -> Any:
            return self._rows.pop(0) if self._rows else None

    class _StoresConnection(ConnectionWrapper):
        def cursor(self) -> _BufferingCursor:
            return _BufferingCursor(_lent[-1], self)

        def __getattr__(self, name: str) -> Any:
            return getattr(_lent[-1], name)

        def close(self) -> None:
            """The cursor is the store's; who opened it closes it."""

    context: Any = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context.data_sources.add_sql(
        "warehouse",
        connection_string="duckdb:///:memory:",
        create_temp_table=False,
        kwargs={"creator": lambda: _StoresConnection(_lent[-1]), "poolclass": StaticPool},
    )
