"""The lake: Delta tables that Spark reads and writes.

Belongs here: a Spark session as the warehouse's, and the types of its columns by DuckDB's names.
Does not belong here: the session's properties (`spark_session`), the dialect (`translation`).

Delta commits each statement by itself and has no transaction over several tables: see
`translated_session`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cdp.warehouse.engines.desk import desk_of
from cdp.warehouse.engines.spark_session import session_of
from cdp.warehouse.engines.translated_session import TranslatedSession
from cdp.warehouse.engines.translation import translated
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
    import duckdb
    from pyspark.sql import DataFrame, SparkSession

DIALECT = "spark"


class LakeSession(TranslatedSession):
    """Statements of the one Spark session; what is temporary is a view whose rows are kept."""

    dialect = DIALECT

    def __init__(self, spark: SparkSession, made: set[str] | None = None) -> None:
        super().__init__(set() if made is None else made)
        self.spark = spark

    def frame(self, sql: str, parameters: Parameters = None) -> DataFrame:
        """The rows of a query, or what a statement answers, as Spark has them."""
        (statement,) = translated(sql, DIALECT, parameters)
        return self.spark.sql(statement)

    def run(self, statement: str) -> None:
        self.spark.sql(statement)

    def fetched(self, statement: str) -> pa.Table:
        return _naive(self.spark.sql(statement).toArrow())

    def append(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        schema = self.spark.table(table).schema
        whole = [tuple(map(_of_utc, row)) for row in rows]
        self.spark.createDataFrame(whole, schema).write.insertInto(table)

    def temporary(self, name: str, query: str, parameters: Parameters = None) -> None:
        (statement,) = translated(query, DIALECT, parameters)
        # A view is computed anew wherever it is read, and what it reads may have changed by then.
        kept = self.spark.sql(statement).localCheckpoint(eager=True)
        kept.createOrReplaceTempView(name)

    def lay(self, name: str, rows: pa.Table) -> None:
        self.spark.createDataFrame(_zoned(rows)).createOrReplaceTempView(name)

    def files(self, name: str, paths: Sequence[str]) -> None:
        self.spark.read.parquet(*paths).createOrReplaceTempView(name)


class Lake(Warehouse):
    """The lake of a deployment."""

    at_once = 8

    def __init__(self, settings: Settings, spark: SparkSession) -> None:
        # Imported by who needs it: the package is a part that not every deployment has.
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        super().__init__(settings)
        self.failures = (PySparkException, Py4JJavaError)
        self.spark = spark
        self._made: set[str] = set()

    @cached_property
    def _instance(self) -> duckdb.DuckDBPyConnection:
        return desk_of(self.settings, self.settings.spark_dir / "desk")

    def desk(self) -> duckdb.DuckDBPyConnection:
        return self._instance.cursor()

    @contextmanager
    def session(self) -> Iterator[LakeSession]:
        yield LakeSession(self.spark, self._made)

    @contextmanager
    def transaction(self, undo: Sequence[Left] = ()) -> Iterator[LakeSession]:
        session = LakeSession(self.spark, self._made)
        session.take_away(undo)
        yield session

    def frame(self, query: str) -> DataFrame:
        """The rows of a query as Spark has them, for tools that take them so."""
        return LakeSession(self.spark).frame(query)

    def has_table(self, schema: str, name: str) -> bool:
        return bool(self.spark.catalog.tableExists(f"{schema}.{name}"))

    def relations(self) -> Relations:
        return _Relations(self.spark, self._listed())

    def views(self) -> frozenset[Table]:
        return frozenset(table for table, is_view in self._listed().items() if is_view)

    def checkpoint(self) -> None:
        """A commit of Delta is whole as it is."""

    def _listed(self) -> dict[Table, bool]:
        """Every table and view of the stages' schemas: whether it is a view."""
        found: dict[Table, bool] = {}
        for schema in SCHEMAS:
            views = {row.viewName for row in self.spark.sql(f"SHOW VIEWS IN {schema}").collect()}
            for row in self.spark.sql(f"SHOW TABLES IN {schema}").collect():
                if not row.isTemporary:
                    found[schema, row.tableName] = row.tableName in views
        return found


class _Relations(Mapping[Table, Mapping[str, str]]):
    """Tables whose columns are looked up when they are asked for, each by a call of its own."""

    def __init__(self, spark: SparkSession, tables: Mapping[Table, bool]) -> None:
        self._spark = spark
        self._tables = tables
        self._known: dict[Table, dict[str, str]] = {}

    def __getitem__(self, table: Table) -> Mapping[str, str]:
        if table not in self._tables:
            raise KeyError(table)
        if table not in self._known:
            schema = self._spark.table(".".join(table)).schema
            self._known[table] = {
                field.name: type_name(field.dataType.simpleString()) for field in schema.fields
            }
        return self._known[table]

    def __iter__(self) -> Iterator[Table]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "binary": "BLOB",
    "timestamp_ntz": "TIMESTAMP",
}


def type_name(kind: str) -> str:
    """The name that DuckDB has for a type of Spark."""
    return _TYPES.get(kind, kind.upper())


@contextmanager
def opened(settings: Settings) -> Iterator[Lake]:
    """The lake, with its schemas, until the end of the block; the caller holds the lock."""
    with session_of(settings) as spark:
        for schema in SCHEMAS:
            spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        yield Lake(settings, spark)


def _of_utc(value: Any) -> Any:
    """A moment with its zone; without one Spark takes it to be of the machine's."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _naive(rows: pa.Table) -> pa.Table:
    """The rows with moments as the warehouse keeps them: of UTC, without a zone."""
    return _moments(rows, None)


def _zoned(rows: pa.Table) -> pa.Table:
    """The rows with moments as Spark takes them for such: of UTC, and saying so."""
    return _moments(rows, "UTC")


def _moments(rows: pa.Table, zone: str | None) -> pa.Table:
    return rows.cast(
        pa.schema([field.with_type(_in_zone(field.type, zone)) for field in rows.schema])
    )


def _in_zone(kind: pa.DataType, zone: str | None) -> pa.DataType:
    """A type whose moments are of a zone, also those inside it."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=zone)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_in_zone(field.type, zone)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_in_zone(kind.value_type, zone)))
    return kind
