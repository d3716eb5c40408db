"""Great Expectations works on the store's own connection, and opens nothing beside it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import duckdb
import pytest

from cdp.warehouse.settings import PROJECT_ROOT
from expectations.duckdb_connection import datasource
from expectations.gates import validate
from expectations.judging import judge
from expectations.measuring import measure
from expectations.profiles import PROFILES
from tests.expectations.tiny_warehouse import TinyWarehouse


def test_a_gate_opens_no_file_and_no_second_instance_of_the_store(
    tiny: TinyWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    connect = duckdb.connect

    def spy(*arguments: Any, **options: Any) -> Any:
        opened.append(arguments)
        return connect(*arguments, **options)

    monkeypatch.setattr(duckdb, "connect", spy)
    attached = "SELECT database_name, path FROM duckdb_databases() ORDER BY ALL"
    before = tiny.store.rows(attached)
    assert validate("profiles", tiny.store, tiny.run).passed
    # duckdb-engine asks an empty instance, once a process, for the names of DuckDB's settings.
    assert [arguments for arguments in opened if arguments != (":memory:",)] == []
    assert tiny.store.rows(attached) == before


def test_expectations_on_a_table_of_the_warehouse_work_through_the_cursor(
    tiny: TinyWarehouse,
) -> None:
    """Not only on the measures: rows are read, counted and compared as on any engine."""
    import great_expectations as gx

    with tiny.store.desk() as cursor, datasource(cursor) as warehouse:
        asset = warehouse.add_table_asset("p", table_name=PROFILES[1], schema_name=PROFILES[0])
        batch = asset.add_batch_definition_whole_table("p").get_batch()
        suite = gx.ExpectationSuite(
            name="p",
            expectations=[
                gx.expectations.ExpectTableRowCountToEqual(value=2),
                gx.expectations.ExpectColumnValuesToNotBeNull(column="total_spent"),
                gx.expectations.ExpectColumnValuesToBeBetween(column="order_count", max_value=0),
            ],
        )
        results = batch.validate(suite, result_format="BOOLEAN_ONLY").results
    assert [result.success for result in results] == [True, True, False]


def test_without_the_buffering_cursor_great_expectations_loses_its_results(
    tiny: TinyWarehouse,
) -> None:
    """When this fails the defect is mended, and `expectations/duckdb_connection.py` can lose its
    cursor."""
    import great_expectations as gx
    from duckdb_engine import ConnectionWrapper
    from sqlalchemy.pool import StaticPool

    with tiny.store.desk() as cursor:
        context: Any = gx.get_context(mode="ephemeral")
        warehouse = context.data_sources.add_sql(
            "plain",
            connection_string="duckdb:///:memory:",
            create_temp_table=False,
            kwargs={"creator": lambda: ConnectionWrapper(cursor), "poolclass": StaticPool},
        )
        asset = warehouse.add_table_asset("p", table_name=PROFILES[1], schema_name=PROFILES[0])
        suite = gx.ExpectationSuite(
            name="p", expectations=[gx.expectations.ExpectTableRowCountToEqual(value=2)]
        )
        batch = asset.add_batch_definition_whole_table("p").get_batch()
        assert not batch.validate(suite, result_format="BOOLEAN_ONLY").success


def test_a_judgement_leaves_nothing_behind(tiny: TinyWarehouse) -> None:
    from expectations.checks import Check

    check = Check("has rows", "profiles.dim_profiles", "count(*)", "profiles.dim_profiles", low=1)
    tables = {PROFILES: {"profile_id": "BIGINT"}}
    with tiny.store.desk() as cursor:
        (result,) = judge(tiny.store, "profiles", measure(tiny.store, [check], tables))
        assert cursor.execute("SELECT count(*) FROM profiles.dim_profiles").fetchone() == (2,)
        assert cursor.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE temporary"
        ).fetchone() == (0,)
    assert result.observed["violations"] == 2
    assert not result.passed


def test_importing_the_gates_does_not_import_great_expectations() -> None:
    script = (
        "import sys, expectations.gates, expectations.serving; "
        "sys.exit(any(name in sys.modules for name in ('great_expectations', 'duckdb_engine')))"
    )
    finished = subprocess.run([sys.executable, "-c", script], cwd=PROJECT_ROOT, check=False)
    assert finished.returncode == 0
