"""Rows that a Python model works on, whatever engine holds them.

Belongs here: the few steps that Python models take, for relations of DuckDB, frames of Spark, and
queries of an engine that answers with Arrow tables (Snowflake, BigQuery).
Does not belong here: what a model computes, or any step that SQL can take in a model of its own.

A step says what is to be done; it is done when the model hands its rows over, or when something is
asked of them. On Spark, rows stay with the workers: functions go to them, group by group. From
Snowflake and BigQuery the rows that a function reads come to this process, and what it makes of
them goes back: there, code would run only with packages that the engine has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import DataFrame

Step = Callable[[pa.Table], pa.Table]
GroupStep = Callable[[pa.Table, pa.Table], pa.Table]


class Frame(ABC):
    """Rows of named columns. Conditions and columns are given as SQL that every engine reads."""

    @abstractmethod
    def filter(self, condition: str) -> Frame:
        """The rows for which a condition holds."""

    @abstractmethod
    def select(self, *columns: str) -> Frame:
        """These columns, each an expression."""

    @abstractmethod
    def distinct(self) -> Frame:
        """Each row once."""

    @abstractmethod
    def minus(self, other: Frame) -> Frame:
        """Each row once that the other has not."""

    @abstractmethod
    def named(self, name: str) -> Frame:
        """The same rows under a name that a join's condition may use."""

    @abstractmethod
    def join(self, other: Frame, condition: str) -> Frame:
        """Pairs of rows for which a condition holds, both frames being named."""

    @abstractmethod
    def ordered(self, column: str) -> Frame:
        """The rows in the order of a column, where an engine keeps an order at all."""

    @abstractmethod
    def value(self, column: str) -> Any:
        """A column of the one row that there is."""

    @abstractmethod
    def largest(self, column: str) -> Any:
        """The largest value of a column; None where there is no row."""

    @abstractmethod
    def arrow(self) -> pa.Table:
        """The rows themselves; for small tables."""

    @abstractmethod
    def written(self, table: pa.Table) -> Any:
        """Rows that this process has made, for dbt to write where the frame's rows are."""

    @abstractmethod
    def map(self, step: Step, schema: pa.Schema) -> Any:
        """What a function makes of the rows, in any portions, for dbt to write."""

    @abstractmethod
    def solved_with(self, other: Frame, key: str, step: GroupStep, schema: pa.Schema) -> Any:
        """What a function makes of the rows of both, where rows of one key are always together."""


class Answering(Protocol):
    """A connection that answers a query with an Arrow table."""

    except_distinct: str
    """How the engine writes a difference of two queries, each row once."""

    def arrow(self, query: str) -> pa.Table:
        """The rows of a query, columns in small letters."""
        ...


def of(rows: Any) -> Frame:
    """What dbt hands a Python model: `dbt.ref(...)`."""
    if isinstance(rows, Frame):
        return rows
    if type(rows).__module__.startswith("pyspark."):
        return _SparkFrame(rows)
    return _DuckDBFrame(rows)


def of_table(session: Any, name: Any) -> Frame:
    """A table by its name, which no model depends on: `dbt.this`."""
    if type(session).__module__.startswith("pyspark."):
        return _SparkFrame(session.table(str(name)))
    if not hasattr(session, "query"):
        return of(session.table(str(name)))
    return _DuckDBFrame(session.query(f"select * from {name}"))


class _DuckDBFrame(Frame):
    """A relation of DuckDB, which is a query until it is asked for rows."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._rows = relation

    def filter(self, condition: str) -> Frame:
        return _DuckDBFrame(self._rows.filter(condition))

    def select(self, *columns: str) -> Frame:
        return _DuckDBFrame(self._rows.project(", ".join(columns)))

    def distinct(self) -> Frame:
        return _DuckDBFrame(self._rows.distinct())

    def minus(self, other: Frame) -> Frame:
        assert isinstance(other, _DuckDBFrame)
        return _DuckDBFrame(self._rows.except_(other._rows))

    def named(self, name: str) -> Frame:
        return _DuckDBFrame(self._rows.set_alias(name))

    def join(self, other: Frame, condition: str) -> Frame:
        assert isinstance(other, _DuckDBFrame)
        return _DuckDBFrame(self._rows.join(other._rows, condition))

    def ordered(self, column: str) -> Frame:
        return _DuckDBFrame(self._rows.order(column))

    def value(self, column: str) -> Any:
        row = self._rows.project(column).fetchone()
        assert row is not None
        return row[0]

    def largest(self, column: str) -> Any:
        row = self._rows.aggregate(f"max({column})").fetchone()
        assert row is not None
        return row[0]

    def arrow(self) -> pa.Table:
        return self._rows.to_arrow_table()

    def written(self, table: pa.Table) -> pa.Table:
        return table

    def map(self, step: Step, schema: pa.Schema) -> pa.Table:
        return step(self.arrow())

    def solved_with(self, other: Frame, key: str, step: GroupStep, schema: pa.Schema) -> pa.Table:
        return step(self.arrow(), other.arrow())


class _SparkFrame(Frame):
    """A frame of Spark."""

    def __init__(self, frame: DataFrame) -> None:
        self._rows = frame

    def filter(self, condition: str) -> Frame:
        return _SparkFrame(self._rows.filter(condition))

    def select(self, *columns: str) -> Frame:
        return _SparkFrame(self._rows.selectExpr(*columns))

    def distinct(self) -> Frame:
        return _SparkFrame(self._rows.distinct())

    def minus(self, other: Frame) -> Frame:
        assert isinstance(other, _SparkFrame)
        return _SparkFrame(self._rows.subtract(other._rows))

    def named(self, name: str) -> Frame:
        return _SparkFrame(self._rows.alias(name))

    def join(self, other: Frame, condition: str) -> Frame:
        from pyspark.sql.functions import expr

        assert isinstance(other, _SparkFrame)
        return _SparkFrame(self._rows.join(other._rows, expr(condition)))

    def ordered(self, column: str) -> Frame:
        return self

    def value(self, column: str) -> Any:
        row = self._rows.selectExpr(column).first()
        assert row is not None
        return row[0]

    def largest(self, column: str) -> Any:
        return self.select(f"max({column}) as largest").value("largest")

    def arrow(self) -> pa.Table:
        return self._rows.toArrow()

    def written(self, table: pa.Table) -> DataFrame:
        return self._rows.sparkSession.createDataFrame(table)

    def map(self, step: Step, schema: pa.Schema) -> DataFrame:
        from pyspark.sql.pandas.types import from_arrow_schema

        def portions(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield from step(pa.Table.from_batches([batch])).to_batches()

        return self._rows.mapInArrow(portions, from_arrow_schema(schema))

    def solved_with(self, other: Frame, key: str, step: GroupStep, schema: pa.Schema) -> DataFrame:
        from pyspark.sql.pandas.types import from_arrow_schema

        assert isinstance(other, _SparkFrame)
        # Named anew, since Spark cannot tell apart columns that both frames have from one table.
        one, another = (rows.toDF(*rows.columns) for rows in (self._rows, other._rows))
        together = one.groupBy(key).cogroup(another.groupBy(key))
        return together.applyInArrow(step, from_arrow_schema(schema))


class QueryFrame(Frame):
    """A query of an engine, which is asked when rows are wanted."""

    def __init__(self, engine: Answering, source: str) -> None:
        """
        Args:
            source: what stands behind `FROM`.
        """
        self._engine = engine
        self._source = source

    def _of(self, query: str, name: str = "given") -> QueryFrame:
        return QueryFrame(self._engine, f"({query}) AS {name}")

    def _query(self, columns: str = "*") -> str:
        return f"SELECT {columns} FROM {self._source}"

    def filter(self, condition: str) -> Frame:
        return self._of(f"{self._query()} WHERE {condition}")

    def select(self, *columns: str) -> Frame:
        return self._of(self._query(", ".join(columns)))

    def distinct(self) -> Frame:
        return self._of(self._query("DISTINCT *"))

    def minus(self, other: Frame) -> Frame:
        assert isinstance(other, QueryFrame)
        return self._of(f"{self._query()} {self._engine.except_distinct} {other._query()}")

    def named(self, name: str) -> Frame:
        return self._of(self._query(), name)

    def join(self, other: Frame, condition: str) -> Frame:
        assert isinstance(other, QueryFrame)
        return QueryFrame(self._engine, f"{self._source} INNER JOIN {other._source} ON {condition}")

    def ordered(self, column: str) -> Frame:
        return self._of(f"{self._query()} ORDER BY {column}")

    def value(self, column: str) -> Any:
        (value,) = self._engine.arrow(self._query(f"{column} AS wanted")).column(0).to_pylist()
        return value

    def largest(self, column: str) -> Any:
        return self.value(f"MAX({column})")

    def arrow(self) -> pa.Table:
        return self._engine.arrow(self._query())

    def written(self, table: pa.Table) -> pa.Table:
        return table

    def map(self, step: Step, schema: pa.Schema) -> pa.Table:
        return step(self.arrow())

    def solved_with(self, other: Frame, key: str, step: GroupStep, schema: pa.Schema) -> pa.Table:
        return step(self.arrow(), other.arrow())
