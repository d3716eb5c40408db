"""Sets as schemas of the lake: what Spark says differently from other engines.

Belongs here: statements and catalogue of Spark. Does not belong here: what a set is made of
(`schema_shelf`), whether one may be published.

A clone is shallow: it names files of the warehouse's table and copies none. The join with no row of
the pointer ends a branch of a view before its files are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cdp.warehouse.engines.lake import DIALECT, Lake, LakeSession
from cdp.warehouse.engines.schema_shelf import POINTER, POINTER_SAYS, SchemaShelf, Shown
from cdp.warehouse.store import Session, Table, Warehouse


def lake_shelf(warehouse: Warehouse) -> LakeShelf:
    """The shelf of a lake."""
    assert isinstance(warehouse, Lake), "the target is a lake"
    return LakeShelf(warehouse)


class LakeShelf(SchemaShelf):
    """Schemas of Spark's catalogue."""

    dialect = DIALECT

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        super().__init__(lake)

    def _run(self, statement: str) -> None:
        self.lake.spark.sql(statement)

    def _make_pointer(self) -> None:
        self._run(
            f"CREATE TABLE IF NOT EXISTS {POINTER} (set_name STRING, says STRING) "
            f"COMMENT {self._text(POINTER_SAYS)}"
        )

    def _point_at(self, set_name: str, says: str) -> None:
        self._run(f"INSERT OVERWRITE {POINTER} VALUES ({self._text(set_name)}, {self._text(says)})")

    def _quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def _type(self, name: str) -> str:
        return {"VARCHAR": "STRING", "BLOB": "BINARY", "INTEGER": "INT"}.get(name, name)

    def _clone(self, target: str, source: Table) -> None:
        self._run(f"CREATE TABLE {target} SHALLOW CLONE {'.'.join(source)}")

    def _make_schema(self, name: str, description: str = "") -> None:
        comment = f" COMMENT {self._text(description)}" if description else ""
        self._run(f"CREATE SCHEMA {name}{comment}")

    def _make_view(
        self,
        view: str,
        columns: Sequence[tuple[str, str]],
        query: str,
        description: str = "",
        *,
        replace: bool = False,
    ) -> None:
        named = ", ".join(
            f"{self._quoted(name)} COMMENT {self._text(comment)}" for name, comment in columns
        )
        self._run(
            f"CREATE {'OR REPLACE ' if replace else ''}VIEW {view} ({named}) "
            + (f"COMMENT {self._text(description)} " if description else "")
            + f"AS {query}"
        )

    def _schemas(self) -> list[str]:
        return [row[0] for row in self.lake.spark.sql("SHOW SCHEMAS").collect()]

    def relations_in(self, schema: str) -> list[str]:
        rows = self.lake.spark.sql(f"SHOW TABLES IN {schema}").collect()
        return sorted(row.tableName for row in rows if not row.isTemporary)

    def _columns_of(self, schema: str, name: str) -> list[Shown] | None:
        from pyspark.errors import AnalysisException

        try:
            fields = self.lake.spark.table(f"{schema}.{self._quoted(name)}").schema.fields
        except AnalysisException:
            return None
        return [
            Shown(each.name, each.dataType.simpleString(), each.metadata.get("comment", ""))
            for each in fields
        ]

    def _query_of(self, view: Table) -> str:
        rows = self.lake.spark.sql(f"DESCRIBE TABLE EXTENDED {'.'.join(view)}").collect()
        return next(str(row.data_type) for row in rows if row.col_name == "View Text")

    @contextmanager
    def standing_in(self, schema: str) -> Iterator[Session]:
        spark = self.lake.spark
        spark.catalog.setCurrentDatabase(schema)
        try:
            yield LakeSession(spark)
        finally:
            spark.catalog.setCurrentDatabase("default")
