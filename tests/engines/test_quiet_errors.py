"""What an engine says of a statement is told, and what it says of rows is not."""

from __future__ import annotations

import pytest

from cdp.warehouse.engines.bigquery_rows import as_declared
from cdp.warehouse.engines.dbt_warehouses import snowflake_kind
from cdp.warehouse.engines.translated_session import StatementFailed
from ingestion.failures import LoadingFailed, loading


@pytest.mark.parametrize(
    ("number", "state", "told"),
    [
        (2003, "42S02", None),
        (1003, "42000", None),
        # "Duplicate row detected during DML action. Row Values: [...]"
        (100090, "42P18", "Snowflake's error 100090"),
        (100038, "22018", "Snowflake's error 100038"),
    ],
    ids=["no such table", "no such syntax", "two rows for one", "no number"],
)
def test_an_error_of_snowflakes_among_rows_is_told_by_its_number(
    number: int, state: str, told: str | None
) -> None:
    errors = pytest.importorskip(
        "snowflake.connector.errors", reason="needs what `make engines` installs"
    )
    error = errors.ProgrammingError(msg="anna@example.com", errno=number, sqlstate=state)
    assert snowflake_kind(error) == told


@pytest.mark.parametrize("kind", ["INTEGER", "NUMERIC", "TIMESTAMP"])
def test_a_value_that_is_none_of_its_column_is_not_told(kind: str) -> None:
    bigquery = pytest.importorskip(
        "google.cloud.bigquery", reason="needs what `make engines` installs"
    )
    with pytest.raises(StatementFailed, match="for column age") as told:
        as_declared([["anna@example.com"]], [bigquery.SchemaField("age", kind)])
    assert "anna" not in str(told.value)
    assert told.value.__cause__ is None


@pytest.mark.parametrize(
    ("raised", "told"), [(ImportError, ImportError), (OSError, LoadingFailed)], ids=str
)
def test_a_loading_that_fails_is_told_from_a_fault_of_a_program(
    raised: type[Exception], told: type[Exception]
) -> None:
    with pytest.raises(told), loading("shop"):
        raise raised("anna@example.com")
