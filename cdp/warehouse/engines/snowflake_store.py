"""Snowflake: the schemas of one database, over its own client.

Belongs here: connections to the account as the warehouse's sessions, and the types of columns by
DuckDB's names. Does not belong here: signing in and whether it can be done (`checking`), the
dialect (`translation`), dbt's connection (`dbt_warehouses`).

Snowflake holds several statements on rows in one transaction, and commits before and after each
statement that makes or drops something, temporary tables included. So a transaction here is whole
between two such statements, and what a killed try may have left is taken away first.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from cdp.warehouse.engines.checking import snowflake_login
from cdp.warehouse.engines.dbt_warehouses import (
    of_this_projects_types,
    snowflake_kind,
    snowflake_type,
)
from cdp.warehouse.engines.desk import desk_of, empty_spill
from cdp.warehouse.engines.translated_session import StatementFailed, TranslatedSession
from cdp.warehouse.engines.translation import literal_text, translated
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import (
    SCHEMAS,
    Left,
    Parameters,
    Relations,
    Table,
    Warehouse,
)

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

DIALECT = "snowflake"

HOME = "PUBLIC"
"""Where temporary tables lie; every database has it."""

_ROWS_OF_VALUES = 10_000
"""Snowflake takes some sixteen thousand rows in one list of values,"""

_LONGEST = 500_000
"""and one statement of a million characters."""

_COMMITS = re.compile(r"\s*(CREATE|ALTER|DROP|TRUNCATE|COMMENT|GRANT|REVOKE)\b", re.IGNORECASE)
_MAKES_A_SCHEMA = re.compile(r"\s*CREATE\s+(OR\s+REPLACE\s+)?SCHEMA\b", re.IGNORECASE)


class SnowflakeSession(TranslatedSession):
    """Statements of one connection."""

    dialect = DIALECT

    def __init__(self, connection: SnowflakeConnection, made: set[str], spill: Path) -> None:
        super().__init__(made)
        self.connection = connection
        self._spill = spill
        self._in_transaction = False

    def run(self, statement: str) -> None:
        """Run a statement of Snowflake's own dialect."""
        commits = self._in_transaction and _COMMITS.match(statement)
        with self._cursor() as cursor:
            if commits:
                # It would do so itself, and let what follows be commits of their own.
                cursor.execute("COMMIT")
            cursor.execute(statement)
            if _MAKES_A_SCHEMA.match(statement):
                # The session has moved there.
                cursor.execute(f"USE SCHEMA {HOME}")
            if commits:
                cursor.execute("BEGIN")

    def told(self, statement: str) -> list[dict[str, Any]]:
        """What a statement of Snowflake's own dialect answers, by columns in small letters. What
        SHOW says comes in no other form."""
        with self._cursor() as cursor:
            rows = cursor.execute(statement).fetchall()
            names = [column.name.lower() for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def fetched(self, statement: str) -> pa.Table:
        with self._cursor() as cursor:
            rows = cursor.execute(statement).fetch_arrow_all(force_return_table=True)
        named = rows.rename_columns([name.lower() for name in rows.column_names])
        return of_this_projects_types(named)

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        # A file on a stage takes longer than any number of rows that the core adds one by one.
        self.append(table, rows)

    def append(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        statements = list(_insertions(table, rows))
        with nullcontext() if len(statements) == 1 or self._in_transaction else self.transaction():
            for statement in statements:
                self.run(statement)

    def temporary(self, name: str, query: str, parameters: Parameters = None) -> None:
        (statement,) = translated(query, DIALECT, parameters)
        self.run(f"CREATE OR REPLACE TEMPORARY TABLE {name} AS {statement}")

    def lay(self, name: str, rows: pa.Table) -> None:
        columns = ", ".join(f"{each.name} {snowflake_type(each.type)}" for each in rows.schema)
        self.run(f"CREATE OR REPLACE TEMPORARY TABLE {name} ({columns})")
        if len(rows):
            self._load(name, rows)

    def files(self, name: str, paths: Sequence[str]) -> None:
        import pyarrow.parquet

        self.lay(name, pa.concat_tables([pyarrow.parquet.read_table(each) for each in paths]))

    def _load(self, table: str, rows: pa.Table) -> None:
        """Rows as a file of a stage of their own, which goes with it."""
        import pyarrow.parquet

        self.run(f"CREATE OR REPLACE TEMPORARY STAGE {_STAGE}")
        # A file of rows, which nobody else on this machine may read. What a kill leaves of it goes
        # when the warehouse is next opened.
        with tempfile.TemporaryDirectory(dir=self._spill) as folder:
            path = Path(folder) / f"{table}.parquet"
            pyarrow.parquet.write_table(rows, path)
            self.run(f"PUT 'file://{path}' @{_STAGE} OVERWRITE = TRUE AUTO_COMPRESS = FALSE")
        self.run(
            f"COPY INTO {table} FROM @{_STAGE} "
            "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE "
            "NULL_IF = ()) "
            "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
        )
        self.run(f"DROP STAGE {_STAGE}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements of the block, or none; BEGIN to COMMIT."""
        with self._cursor() as cursor:
            cursor.execute("BEGIN")
        self._in_transaction = True
        try:
            yield
        except BaseException:
            with self._cursor() as cursor:
                cursor.execute("ROLLBACK")
            raise
        finally:
            self._in_transaction = False
        with self._cursor() as cursor:
            cursor.execute("COMMIT")

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        import snowflake.connector.errors

        try:
            with self.connection.cursor() as cursor:
                yield cursor
        except snowflake.connector.errors.Error as error:
            kind = snowflake_kind(error)
            if kind is None:
                raise
            raise StatementFailed(kind) from None


_STAGE = "tributary_arriving"


class SnowflakeWarehouse(Warehouse):
    """The database of a deployment. Connections are made as sessions need them, and kept."""

    def __init__(self, settings: Settings) -> None:
        # Imported by who needs it: the package is a part that not every deployment has.
        from snowflake.connector.errors import Error

        super().__init__(settings)
        self.failures = (Error, StatementFailed)
        self._login = snowflake_login(settings)
        self._spill = empty_spill(settings)
        self._made: set[str] = set()
        """Statements that have made a table where it was missing; nobody else takes one away."""
        self._idle: list[SnowflakeConnection] = []
        self._all: list[SnowflakeConnection] = []

    @cached_property
    def _instance(self) -> duckdb.DuckDBPyConnection:
        return desk_of(self.settings, self._spill)

    def desk(self) -> duckdb.DuckDBPyConnection:
        return self._instance.cursor()

    def connection(self) -> SnowflakeConnection:
        """A new connection, whose moments without a zone are of UTC; the caller closes it."""
        import snowflake.connector

        return snowflake.connector.connect(
            **self._login,
            schema=HOME,
            autocommit=True,
            # While models are built, for hours it may be, the store's own connections are idle.
            client_session_keep_alive=True,
            session_parameters={"TIMEZONE": "UTC", "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ"},
        )

    @contextmanager
    def session(self) -> Iterator[SnowflakeSession]:
        # A session within a session has a connection of its own: each sees its own transaction.
        if self._idle:
            connection = self._idle.pop()
        else:
            connection = self.connection()
            self._all.append(connection)
        try:
            yield SnowflakeSession(connection, self._made, self._spill)
        finally:
            self._idle.append(connection)

    @contextmanager
    def transaction(self, undo: Sequence[Left] = ()) -> Iterator[SnowflakeSession]:
        with self.session() as session:
            session.take_away(undo)
            with session.transaction():
                yield session

    def has_table(self, schema: str, name: str) -> bool:
        return bool(
            self.scalar(
                "SELECT count(*) FROM information_schema.columns "
                "WHERE table_schema = ? AND table_name = ?",
                [schema.upper(), name.upper()],
            )
        )

    def relations(self) -> Relations:
        found: dict[Table, dict[str, str]] = {}
        for schema, table, column, kind, digits, scale in self.rows(
            "SELECT table_schema, table_name, column_name, data_type, numeric_precision, "
            "numeric_scale FROM information_schema.columns "
            f"WHERE table_schema IN ({_STAGES}) ORDER BY 1, 2, ordinal_position"
        ):
            columns = found.setdefault((schema.lower(), table.lower()), {})
            columns[column.lower()] = type_name(kind, digits, scale)
        return found

    def views(self) -> frozenset[Table]:
        return frozenset(
            (schema.lower(), name.lower())
            for schema, name in self.rows(
                "SELECT table_schema, table_name FROM information_schema.views "
                f"WHERE table_schema IN ({_STAGES})"
            )
        )

    def kept_as(self, declared: str) -> frozenset[str]:
        # Whole numbers of every size are of one type.
        whole = declared in ("TINYINT", "SMALLINT", "INTEGER")
        return frozenset({"BIGINT" if whole else declared})

    def checkpoint(self) -> None:
        """A commit of Snowflake is whole as it is."""

    def close(self) -> None:
        """Let go of all connections."""
        for connection in self._all:
            connection.close()


_STAGES = ", ".join(f"'{schema.upper()}'" for schema in SCHEMAS)

_ALL_SCHEMAS = "SELECT schema_name FROM information_schema.schemata"

_TYPES = {
    "TEXT": "VARCHAR",
    "FLOAT": "DOUBLE",
    "BINARY": "BLOB",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_TZ": "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP_LTZ": "TIMESTAMP WITH TIME ZONE",
}


def type_name(kind: str, digits: int | None = None, scale: int | None = None) -> str:
    """The name that DuckDB has for a type of Snowflake, whose whole numbers are all of one type."""
    if kind in ("NUMBER", "DECIMAL"):
        return f"DECIMAL({digits},{scale})" if scale else "BIGINT"
    return _TYPES.get(kind, kind)


@contextmanager
def opened(settings: Settings) -> Iterator[SnowflakeWarehouse]:
    """The warehouse, with its schemas, until the end of the block; the caller holds the lock."""
    warehouse = SnowflakeWarehouse(settings)
    try:
        there = {row[0] for row in warehouse.rows(_ALL_SCHEMAS)}
        for schema in SCHEMAS:
            if schema.upper() not in there:
                warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        yield warehouse
    finally:
        warehouse.close()


def _insertions(table: str, rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """The statements that add rows, none of them longer than Snowflake takes."""
    (place,) = translated(f"SELECT * FROM {table}", DIALECT)
    begins = f"INSERT INTO {place.removeprefix('SELECT * FROM ')} VALUES "
    waiting: list[str] = []
    length = 0
    for row in rows:
        values = ", ".join(literal_text(value, DIALECT) for value in row)
        if waiting and (length + len(values) > _LONGEST or len(waiting) >= _ROWS_OF_VALUES):
            yield begins + ", ".join(waiting)
            waiting, length = [], 0
        waiting.append(f"({values})")
        length += len(values) + 4
    if waiting:
        yield begins + ", ".join(waiting)
