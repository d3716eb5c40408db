"""dbt on the Spark session of this process.

Belongs here: what dbt-spark's method `session` lacks. Does not belong here: starting the session
(`spark_session`), the SQL of a model or a materialization (`dbt_project/macros/engine/spark/`).

Four things, each to be removed when dbt-spark does it:

- a statement runs on the session as it is: dbt-spark asks for one with its own properties at each
  statement, which turns ANSI off for the whole process, so that a cast that fails gives null;
- a model in Python runs here: dbt-spark only knows how to send one to Databricks;
- tables and columns are looked up in the catalogue: dbt-spark lays out a macro and describes each
  table of a schema to know its name, which takes seconds a schema;
- rows can be kept for later statements: a temporary view of Spark is its query, which an iteration
  that reads what it made before would have worked out from its beginning at each step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_MARK = "_tributary_runs_here"


def run_on_the_session() -> None:
    """Let dbt-spark work on the Spark session that this process has started."""
    # dbt takes seconds to import, which nobody should pay who only imports this.
    from dbt.adapters.spark import session
    from dbt.adapters.spark.impl import SparkAdapter

    if hasattr(SparkAdapter, _MARK):
        return
    session.Cursor.execute = _execute  # type: ignore[method-assign,assignment]
    adapter: Any = SparkAdapter
    adapter.python_submission_helpers = property(lambda _: {"session": _PythonModel})
    adapter.default_python_submission_method = property(lambda _: "session")
    adapter.list_relations_without_caching = _relations
    adapter.get_columns_in_relation = _columns
    adapter.keep_rows = _keep_rows
    # What a macro may call is a set that dbt makes with the class.
    adapter._available_ = adapter._available_ | {"keep_rows"}
    setattr(adapter, _MARK, True)


def keep(name: str, frame: DataFrame) -> None:
    """Keep the rows of a frame under a name, whatever becomes of what they were made from."""
    # Where a worker is lost, so are its rows: the model fails, and the run is repeated.
    frame.localCheckpoint(eager=True).createOrReplaceTempView(name)


def _session() -> SparkSession:
    """The session of the process; the active one is a thread's, and dbt works in threads."""
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()


def _keep_rows(adapter: Any, name: str, query: str) -> None:
    """The rows of a query, kept under a name, for a macro."""
    with _quiet_about_rows():
        keep(name, _session().sql(query))


def _execute(cursor: Any, sql: str, *parameters: Any) -> None:
    with _quiet_about_rows():
        cursor._df = _session().sql(sql % parameters if parameters else sql)


@contextmanager
def _quiet_about_rows() -> Iterator[None]:
    """Let what dbt tells of an error hold no value of a row."""
    from dbt_common.exceptions import DbtRuntimeError
    from pyspark.errors import AnalysisException, ParseException, PySparkException

    try:
        yield
    except (AnalysisException, ParseException) as error:
        raise DbtRuntimeError(str(error)) from error
    except PySparkException as error:
        raise DbtRuntimeError(_kind(error)) from None


def _kind(error: Any) -> str:
    """The kind of an error that came up among rows, without its text, which may hold values."""
    found = error.getCondition() or type(error).__name__
    return f"[{found}] (its text may hold values of rows, and is told nowhere)"


class _PythonModel:
    """Runs the code of a Python model in this process."""

    def __init__(self, parsed_model: dict[str, Any], credentials: Any) -> None:
        self._name = parsed_model["alias"]

    def submit(self, compiled_code: str) -> None:
        code = compile(compiled_code, f"<model {self._name}>", "exec")
        exec(code, {"__name__": self._name, "spark": _session(), "keep": keep})  # noqa: S102


def _relations(adapter: Any, schema_relation: Any) -> list[Any]:
    """Tables and views of a schema; every table of the warehouse is one of Delta."""
    session, schema = _session(), schema_relation.schema
    if not session.catalog.databaseExists(schema):
        return []
    views = {row.viewName for row in session.sql(f"show views in {schema}").collect()}
    return [
        adapter.Relation.create(
            schema=schema,
            identifier=row.tableName,
            type="view" if row.tableName in views else "table",
            is_delta=row.tableName not in views,
        )
        for row in session.sql(f"show tables in {schema}").collect()
        if not row.isTemporary
    ]


def _columns(adapter: Any, relation: Any) -> list[Any]:
    """Columns in their order, with their full types; none where the relation is not there."""
    from pyspark.errors import AnalysisException

    try:
        fields = _session().table(relation.render()).schema.fields
    except AnalysisException:
        return []
    return [adapter.Column(field.name, field.dataType.simpleString()) for field in fields]
