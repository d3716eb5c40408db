"""Statements of the core, written for DuckDB, in the dialects of the other engines."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from cdp.warehouse.engines.translation import literal_text, translated, type_of

DIALECTS = ["spark", "snowflake", "bigquery"]


def one(sql: str, parameters: Any = None, dialect: str = "spark") -> str:
    (statement,) = translated(sql, dialect, parameters)
    return statement


def test_parameters_stand_in_the_order_of_the_text() -> None:
    # In the tree, what is selected comes after where it is selected from.
    sql = "SELECT ? AS a FROM t WHERE b = ? GROUP BY c HAVING max(d) > ? LIMIT 1"
    said = one(sql, ["first", "second", 3])
    assert said == (
        "SELECT 'first' AS a FROM t WHERE b = 'second' GROUP BY c HAVING MAX(d) > 3 LIMIT 1"
    )


def test_named_parameters_go_where_their_names_are() -> None:
    said = one("SELECT a FROM t WHERE b = $low OR c = $high OR d = $low", {"low": 1, "high": 2})
    assert said == "SELECT a FROM t WHERE b = 1 OR c = 2 OR d = 1"


@pytest.mark.parametrize("given", [["one"], ["one", "two", "three"]])
def test_a_parameter_too_many_or_too_few_is_refused(given: list[str]) -> None:
    with pytest.raises(LookupError, match="2 parameters are asked for"):
        translated("SELECT ?, ?", "spark", given)


def test_a_name_without_a_value_is_refused() -> None:
    with pytest.raises(LookupError, match=r"\$b"):
        translated("SELECT $a, $b", "spark", {"a": 1})


def test_a_question_mark_in_a_text_is_no_parameter() -> None:
    assert one("SELECT 'who?' AS a, ? AS b -- why?", [1]).startswith("SELECT 'who?' AS a, 1 AS b")


# The first of them waits for the parser to be imported.
@settings(deadline=None)
@given(st.text(), st.sampled_from(DIALECTS))
def test_any_text_stays_itself_and_becomes_no_sql(value: str, dialect: str) -> None:
    said = one("SELECT a FROM t WHERE b = ?", [value], dialect)
    tree = sqlglot.parse_one(said, dialect=dialect)
    (literal,) = tree.find_all(exp.Literal)
    assert literal.this == value
    assert len(sqlglot.parse(said, dialect=dialect)) == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (-7, "-7"),
        (Decimal("12.3400"), "12.3400"),
        (datetime(2024, 2, 29, 12, 0, 0, 5), "CAST('2024-02-29 12:00:00.000005' AS TIMESTAMP)"),
        (date(2024, 2, 29), "CAST('2024-02-29' AS DATE)"),
    ],
)
def test_a_value_is_written_as_what_it_is(value: Any, said: str) -> None:
    assert one("SELECT ?", [value]) == f"SELECT {said}"


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be a object"):
        translated("SELECT ?", "spark", [object()])


def test_a_list_is_asked_for_as_a_list() -> None:
    sql = "SELECT a FROM t WHERE b IN (SELECT unnest(CAST($names AS VARCHAR[])))"
    assert one(sql, {"names": ["x", "it's"]}) == r"SELECT a FROM t WHERE b IN ('x', 'it\'s')"
    assert one(sql, {"names": []}) == "SELECT a FROM t WHERE b IN (NULL)"


@pytest.mark.parametrize("dialect", ["spark", "snowflake"])
def test_several_columns_are_compared_as_columns(dialect: str) -> None:
    said = one("SELECT a FROM t WHERE (b, c) IN (SELECT (d, e) FROM u)", None, dialect)
    assert said == "SELECT a FROM t WHERE (b, c) IN (SELECT d, e FROM u)"


def test_several_columns_are_one_struct_for_bigquery_which_takes_no_query_of_several() -> None:
    sql = "SELECT a FROM t WHERE (b, c) IN (SELECT (d, e) FROM u)"
    assert one(sql, None, "bigquery") == sql


def test_what_no_pattern_finds_is_empty_and_what_is_not_there_stays_null() -> None:
    said = one("SELECT regexp_extract(a, '(x)', 1) FROM t", None, "bigquery")
    assert said == (
        "SELECT CASE WHEN NOT a IS NULL THEN COALESCE(REGEXP_EXTRACT(a, '(x)'), '') END FROM t"
    )
    twice = one("SELECT regexp_extract(regexp_extract(a, '(x)', 1), 'y')", None, "bigquery")
    assert twice.count("COALESCE(REGEXP_EXTRACT(") == 3


def test_numbers_are_joined_to_texts_and_bytes_are_those_of_utf8_in_bigquery() -> None:
    said = one("SELECT a || ':' || (b || n) || 1, encode(a || b) FROM t", None, "bigquery")
    assert said == ("SELECT CONCAT(a, ':', CONCAT(b, n), 1), CAST(CONCAT(a, b) AS BYTES) FROM t")


def test_types_are_the_engines_own_and_hints_are_left_out() -> None:
    sql = "CREATE TABLE raw.x (a VARCHAR USING COMPRESSION fsst, b TIMESTAMP, c HUGEINT, d BLOB)"
    assert one(sql) == ("CREATE TABLE raw.x (a STRING, b TIMESTAMP, c DECIMAL(38, 0), d BINARY)")


def test_statements_parted_by_semicolons_are_several() -> None:
    assert len(translated("CREATE TABLE a (b INT); CREATE TABLE c (d INT);", "spark")) == 2


def test_nulls_come_last_where_the_engine_would_put_them_first() -> None:
    assert one("SELECT a FROM t ORDER BY a") == "SELECT a FROM t ORDER BY a NULLS LAST"


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery"])
def test_what_is_counted_under_a_condition_is_counted_by_a_case(dialect: str) -> None:
    sql = "SELECT count(*) FILTER (WHERE a), count(DISTINCT b) FILTER (WHERE c > 1) FROM t"
    assert one(sql, None, dialect) == (
        "SELECT COUNT(CASE WHEN a THEN 1 END), COUNT(DISTINCT CASE WHEN c > 1 THEN b END) FROM t"
    )


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery"])
def test_any_value_is_one_that_is_none_of_null(dialect: str) -> None:
    assert one("SELECT any_value(a) FROM t", None, dialect) == "SELECT MAX(a) FROM t"


def test_a_moment_is_one_that_compares_with_those_of_the_models() -> None:
    said = one("SELECT CAST(a AS TIMESTAMP), ? FROM t", [datetime(2024, 2, 29)], "bigquery")
    assert "DATETIME" not in said
    assert said.count("AS TIMESTAMP") == 2


def test_a_moment_of_snowflake_has_no_zone_whatever_the_account_says() -> None:
    said = one("CREATE TABLE t (a TIMESTAMP)", None, "snowflake")
    assert said == "CREATE TABLE t (a TIMESTAMPNTZ)"
    said = one("SELECT ?", [datetime(2024, 2, 29)], "snowflake")
    assert said == "SELECT CAST('2024-02-29 00:00:00' AS TIMESTAMPNTZ)"


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        ("spark", "CAST('2024-02-29 00:00:00' AS TIMESTAMP)"),
        ("snowflake", "CAST('2024-02-29 00:00:00' AS TIMESTAMPNTZ)"),
        # A DATETIME is taken by no column of moments.
        ("bigquery", "CAST('2024-02-29 00:00:00' AS TIMESTAMP)"),
    ],
)
def test_a_moment_that_is_inserted_is_of_the_type_of_its_column(dialect: str, said: str) -> None:
    assert literal_text(datetime(2024, 2, 29), dialect) == said


def test_a_name_that_snowflake_reserves_goes_in_quotation_marks() -> None:
    said = one("CREATE TABLE t (trigger TEXT, rows BIGINT, n BIGINT)", None, "snowflake")
    assert said == 'CREATE TABLE t ("TRIGGER" VARCHAR, "ROWS" BIGINT, n BIGINT)'
    assert one("SELECT r.rows FROM t AS r", None, "snowflake") == 'SELECT r."ROWS" FROM t AS r'


def test_a_quoted_name_is_the_one_that_snowflake_makes_of_an_unquoted_one() -> None:
    said = one('SELECT "a" FROM raw."orders" AS o', None, "snowflake")
    assert said == 'SELECT "A" FROM raw."ORDERS" AS o'


def test_a_text_becomes_bytes_where_bytes_are_kept() -> None:
    said = one("SELECT encode(a) FROM t", None, "snowflake")
    assert said == "SELECT TO_BINARY(a, 'UTF-8') FROM t"


def test_what_a_pattern_does_not_find_is_an_empty_text() -> None:
    sql = r"SELECT regexp_extract(a, '(?s)^[kd]:(.*)\x1F', 1) FROM t"
    # Its patterns have no flags and no characters by their numbers.
    assert one(sql, None, "snowflake") == (
        "SELECT CASE WHEN NOT a IS NULL THEN "
        "COALESCE(REGEXP_SUBSTR(a, '^[kd]:(.*)\x1f', 1, 1, 's', 1), '') END FROM t"
    )
    assert "COALESCE(REGEXP_EXTRACT(a, " in one(sql, None, "bigquery")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("VARCHAR", "STRING"),
        ("TIMESTAMP", "TIMESTAMP"),
        ("DECIMAL(18,4)", "NUMERIC(18, 4)"),
        ("DECIMAL(38,0)", "BIGNUMERIC(38, 0)"),
        ("DECIMAL(18,12)", "BIGNUMERIC(18, 12)"),
        ("HUGEINT", "BIGNUMERIC"),
        ("DOUBLE", "FLOAT64"),
        ("VARCHAR[]", "ARRAY<STRING>"),
    ],
)
def test_a_type_is_one_that_bigquery_has(ours: str, theirs: str) -> None:
    assert type_of(ours, "bigquery").replace("BIGDECIMAL", "BIGNUMERIC") == theirs


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_asked_of_rows_that_return_is_sql_of_every_engine(dialect: str) -> None:
    from ingestion import returning
    from ingestion.inbox import _READS, _table

    given = {"load_id": "l", "streams": ["a"], "base": 7}
    fresh = f"SELECT * FROM {_table('inbox_shop', 'rows')} AS {_READS} WHERE load_id = $load_id"
    for query in (returning._CANDIDATES, returning._RETURNED):
        said = one(query.format(raw='raw."shop"', fresh=fresh), given, dialect)
        tree = sqlglot.parse_one(said, dialect=dialect)
        # What the parser does not know it keeps as text.
        assert not list(tree.find_all(exp.Command))
        assert {table.name.lower() for table in tree.find_all(exp.Table)} >= {"shop", "rows"}
