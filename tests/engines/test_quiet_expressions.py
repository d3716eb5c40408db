"""How engines spell what must not fail."""

from __future__ import annotations

import pytest
import sqlglot

from cdp.warehouse.engines.quiet_expressions import spelled_quietly


def spelled(sql: str, dialect: str) -> str:
    return spelled_quietly(sqlglot.parse_one(sql, dialect="duckdb"), dialect).lower()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a + b * c", "try_add(a, try_multiply(b, c))"),
        ("a - 1", "try_subtract(a, 1)"),
        ("lower(a) || b", "lower(a) || b"),
        ("strptime(a, '%Y-%m-%d')", "try_to_timestamp(a, 'yyyy-m-d')"),
    ],
)
def test_spark_tries_operators_and_moments_one_by_one(sql: str, expected: str) -> None:
    assert spelled(sql, "spark") == expected


@pytest.mark.parametrize("dialect", ["duckdb", "snowflake", "bigquery"])
def test_others_calculate_as_it_is_written(dialect: str) -> None:
    assert spelled("a + b * c", dialect) == "a + b * c"
