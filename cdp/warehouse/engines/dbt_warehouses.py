"""dbt on Snowflake and on BigQuery, as this project uses it.

Belongs here: what dbt-snowflake and dbt-bigquery lack. Does not belong here: signing in (the
profile, in `modelling`), the SQL of a model or a materialization (`dbt_project/macros/engine/`).

Three things, each to be removed when the adapters do it:

- a model in Python runs in this process and asks the engine over the adapter's own connection: the
  adapters only know how to send one to Snowpark or Dataproc, which would have to be given the
  packages of this project;
- a session of Snowflake's is of UTC, whatever its account or user says: dbt-snowflake has no word
  for it, and hands on what its credentials sign in with;
- what the engine says about rows is told to nobody: its text may hold any value of a row, and dbt
  tells every text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cdp.warehouse.engines.bigquery_rows import fetched, load
from cdp.warehouse.engines.frames import QueryFrame

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

_MARK = "_tributary_runs_here"

_ROWS_A_STATEMENT = 10_000
"""Snowflake takes some sixteen thousand rows in one list of values."""


def run_on_snowflake() -> None:
    """Let dbt-snowflake run Python models in this process."""
    # dbt takes seconds to import, which nobody should pay who only imports this.
    from dbt.adapters.snowflake.connections import (
        SnowflakeConnectionManager,
        SnowflakeCredentials,
    )
    from dbt.adapters.snowflake.impl import SnowflakeAdapter

    if hasattr(SnowflakeAdapter, _MARK):
        return
    manager: Any = SnowflakeConnectionManager
    manager.exception_handler = _quiet_about_rows(manager.exception_handler, snowflake_kind)
    credentials: Any = SnowflakeCredentials
    credentials.auth_args = _of_utc(credentials.auth_args)
    _submit_here(SnowflakeAdapter, _Snowflake)


def _of_utc(auth_args: Any) -> Any:
    """What a connection is made with, and the zone of its session."""

    def with_zone(credentials: Any) -> dict[str, Any]:
        return {**auth_args(credentials), "timezone": "UTC"}

    return with_zone


def run_on_bigquery() -> None:
    """Let dbt-bigquery run Python models in this process."""
    from dbt.adapters.bigquery.connections import BigQueryConnectionManager
    from dbt.adapters.bigquery.impl import BigQueryAdapter

    if hasattr(BigQueryAdapter, _MARK):
        return
    manager: Any = BigQueryConnectionManager
    manager.exception_handler = _quiet_about_rows(manager.exception_handler, bigquery_kind)
    _submit_here(BigQueryAdapter, _BigQuery)


def _submit_here(adapter_class: Any, session: Any) -> None:
    from dbt.adapters.contracts.connection import AdapterResponse

    def submit(adapter: Any, parsed_model: dict[str, Any], compiled_code: str) -> AdapterResponse:
        name = parsed_model["alias"]
        handle = adapter.connections.get_thread_connection().handle
        code = compile(compiled_code, f"<model {name}>", "exec")
        exec(code, {"__name__": name, "session": session(handle)})  # noqa: S102
        return AdapterResponse("OK")

    adapter_class.submit_python_job = submit
    setattr(adapter_class, _MARK, True)


class _Snowflake:
    """What a Python model is given as its session: a connection of Snowflake's client."""

    except_distinct = "EXCEPT"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def table(self, name: str) -> QueryFrame:
        return QueryFrame(self, name)

    def arrow(self, query: str) -> pa.Table:
        with self._connection.cursor() as cursor:
            rows = cursor.execute(query).fetch_arrow_all(force_return_table=True)
        return of_this_projects_types(rows.rename_columns([n.lower() for n in rows.column_names]))

    def keep(self, rows: pa.Table, name: str) -> None:
        """Leave rows in a temporary table for the statements that follow."""
        columns = ", ".join(f"{field.name} {snowflake_type(field.type)}" for field in rows.schema)
        places = ", ".join(["%s"] * rows.num_columns)
        with self._connection.cursor() as cursor:
            cursor.execute(f"CREATE OR REPLACE TEMPORARY TABLE {name} ({columns})")
            for batch in rows.to_batches(max_chunksize=_ROWS_A_STATEMENT):
                values = [tuple(row.values()) for row in batch.to_pylist()]
                if values:
                    cursor.executemany(f"INSERT INTO {name} VALUES ({places})", values)


class _BigQuery:
    """What a Python model is given as its session: a client of BigQuery."""

    except_distinct = "EXCEPT DISTINCT"

    def __init__(self, client: Client) -> None:
        self._client = client

    def table(self, name: str) -> QueryFrame:
        return QueryFrame(self, f"`{_plain(name)}`")

    def arrow(self, query: str) -> pa.Table:
        return of_this_projects_types(fetched(self._client.query(query)))

    def keep(self, rows: pa.Table, name: str) -> None:
        """Leave rows in a table for the statements that follow, which drop it."""
        load(self._client, rows, _plain(name))


def _plain(name: str) -> str:
    return name.replace("`", "")


def of_this_projects_types(rows: pa.Table) -> pa.Table:
    """Whole numbers of 64 bits, moments without a zone, whatever types the engine sent."""

    def shared(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
            return pa.int64()
        return pa.timestamp("us") if pa.types.is_timestamp(kind) else kind

    return rows.cast(pa.schema([pa.field(field.name, shared(field.type)) for field in rows.schema]))


def snowflake_type(kind: pa.DataType) -> str:
    """What Snowflake calls the type of a column."""
    if pa.types.is_integer(kind):
        return "BIGINT"
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_floating(kind):
        return "DOUBLE"
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "BINARY"
    if pa.types.is_date(kind):
        return "DATE"
    return "TIMESTAMP_NTZ" if pa.types.is_timestamp(kind) else "VARCHAR"


def _quiet_about_rows(handler: Any, kind_of: Any) -> Any:
    """dbt's handler of errors, ahead of which an error about rows loses its text."""

    @contextmanager
    def quiet(manager: Any, sql: str) -> Iterator[None]:
        from dbt_common.exceptions import DbtDatabaseError

        with handler(manager, sql):
            try:
                yield
            except Exception as error:
                kind = kind_of(error)
                if kind is None:
                    raise
                told = f"{kind} (its text may hold values of rows, and is told nowhere)"
                raise DbtDatabaseError(told) from None

    return quiet


def snowflake_kind(error: Exception) -> str | None:
    """The number of an error among rows; none for one about a statement, or of another library."""
    state = str(getattr(error, "sqlstate", None))
    # What is said of a name that is not there, or of a statement's text, is of no row.
    of_statements = state.startswith("42") or state == "02000"
    # Among rows whatever its state: "duplicate row" has that of a statement, and quotes the row.
    of_statements = of_statements and (getattr(error, "errno", None) or 0) < 100_000
    if not type(error).__module__.startswith("snowflake.") or of_statements:
        return None
    return f"Snowflake's error {getattr(error, 'errno', None)}"


def bigquery_kind(error: Exception) -> str | None:
    """The reason of an error among rows. One about a statement says where in it."""
    reasons = getattr(error, "errors", None)
    if not type(error).__module__.startswith("google.") or not isinstance(reasons, list | tuple):
        return None
    texts = [str(each.get("message", "")) for each in reasons]
    if texts and all(re.search(r" at \[\d+:\d+\]", text) for text in texts):
        return None
    return f"BigQuery's error {', '.join(str(each.get('reason')) for each in reasons)}"
