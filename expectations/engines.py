"""Great Expectations on the engine that holds the warehouse.

Belongs here: which of its engines validates, by the target, and handing it a query of the
warehouse. Does not belong here: what is expected (a suite is the same for all), how one engine is
opened.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from cdp.warehouse.store import Warehouse
from expectations.duckdb_connection import datasource

if TYPE_CHECKING:
    from cdp.warehouse.engines.bigquery_store import BigQuery
    from cdp.warehouse.engines.lake import Lake
    from cdp.warehouse.engines.snowflake_store import SnowflakeWarehouse


def batch_of(warehouse: Warehouse, name: str, query: str) -> AbstractContextManager[Any]:
    """The rows of a query as a batch that a suite can be validated on."""
    return _ENGINES[warehouse.settings.target](warehouse, name, query)


@contextmanager
def _by_duckdb(warehouse: Warehouse, name: str, query: str) -> Iterator[Any]:
    with warehouse.desk() as cursor, datasource(cursor) as source:
        asset = source.add_query_asset(name, query=query)
        yield asset.add_batch_definition_whole_table(name).get_batch()


@contextmanager
def _by_spark(warehouse: Warehouse, name: str, query: str) -> Iterator[Any]:
    source = _spark_source()
    asset = source.add_dataframe_asset(name)
    try:
        definition = asset.add_batch_definition_whole_dataframe(name)
        frame = cast("Lake", warehouse).frame(query)
        yield definition.get_batch(batch_parameters={"dataframe": frame})
    finally:
        source.delete_asset(name)


@cache
def _spark_source() -> Any:
    return _new_context().data_sources.add_spark("warehouse")


@contextmanager
def _by_snowflake(warehouse: Warehouse, name: str, query: str) -> Iterator[Any]:
    # Imported by who needs it: the packages are a part that not every deployment has.
    from sqlalchemy.pool import StaticPool

    from cdp.warehouse.engines.translation import translated

    (statement,) = translated(query, "snowflake")
    sources = _context().data_sources
    # One of its own, which Great Expectations closes when it likes.
    with closing(cast("SnowflakeWarehouse", warehouse).connection()) as connection:
        with warnings.catch_warnings():
            # Its own source for Snowflake signs in by itself, and takes no connection.
            warnings.filterwarnings("ignore", message="You are using a generic SQLDatasource")
            source = sources.add_sql(
                "warehouse",
                connection_string="snowflake://",
                create_temp_table=False,
                kwargs={"creator": lambda: connection, "poolclass": StaticPool},
            )
        try:
            asset = source.add_query_asset(name, query=statement)
            yield asset.add_batch_definition_whole_table(name).get_batch()
        finally:
            sources.delete("warehouse")


@cache
def _context() -> Any:
    return _new_context()


def _new_context() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context: Any = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


@contextmanager
def _by_bigquery(warehouse: Warehouse, name: str, query: str) -> Iterator[Any]:
    # Imported by who needs it: the packages are a part that not every deployment has.
    from google.cloud.bigquery import dbapi

    from cdp.warehouse.engines.translation import translated

    (statement,) = translated(query, "bigquery")
    house = cast("BigQuery", warehouse)
    # The other way of reading needs a package and a permission more.
    connection: Any = dbapi.Connection(client=house.client, prefer_bqstorage_client=False)  # type: ignore[no-untyped-call]
    sources = _context().data_sources
    source = sources.add_sql(
        "warehouse",
        # No client is made: the store's own is handed in.
        connection_string=f"bigquery://{house.client.project}?user_supplied_client=True",
        create_temp_table=False,
        kwargs={"creator": lambda: connection},
    )
    try:
        asset = source.add_query_asset(name, query=statement)
        yield asset.add_batch_definition_whole_table(name).get_batch()
    finally:
        sources.delete("warehouse")


_ENGINES: Mapping[str, Callable[[Warehouse, str, str], AbstractContextManager[Any]]] = {
    "duckdb": _by_duckdb,
    "spark": _by_spark,
    "snowflake": _by_snowflake,
    "bigquery": _by_bigquery,
}
