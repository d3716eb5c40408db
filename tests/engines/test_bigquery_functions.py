"""What is said to be lacking on BigQuery is found, and nothing that it has.

Belongs here: statements that BigQuery refuses, and such as it takes. Does not belong here: any
statement of the project (`test_bigquery_models`).
"""

from __future__ import annotations

import pytest
from sqlglot.errors import SqlglotError

from tests.engines.bigquery_functions import lacking


@pytest.mark.parametrize(
    ("sql", "lacks"),
    [
        ("SELECT list_sort(a) FROM d.t", "function LIST_SORT"),
        ("SELECT upper(try_strptime(a, b)) FROM d.t", "function TRY_STRPTIME"),
        ("SELECT hash(a), contains(a, 'x') FROM d.t", "function HASH"),
        ("SELECT hash(a), contains(a, 'x') FROM d.t", "function CONTAINS"),
        ("SELECT a FROM d.t WHERE b > epoch(c)", "function EPOCH"),
        ("SELECT count(*) OVER (ORDER BY mode(a)) FROM d.t", "function MODE"),
        ("SELECT SAFE.try_strptime(a, b) FROM d.t", "function TRY_STRPTIME"),
        ("SELECT coalesce(safe.list_sort(a), b) FROM d.t", "function LIST_SORT"),
        ("SELECT d.made_by_us(a) FROM d.t", "function D.MADE_BY_US"),
        ("CREATE TABLE d.t AS SELECT epoch(a) AS b FROM d.u", "function EPOCH"),
        ("INSERT INTO d.t (a) SELECT epoch(a) FROM d.u", "function EPOCH"),
        ("CREATE TABLE IF NOT EXISTS d.t AS SELECT d.made_by_us(1)", "function D.MADE_BY_US"),
        ("SELECT CAST(a AS VARCHAR) FROM d.t", "type VARCHAR"),
        ("SELECT CAST(a AS FLOAT) FROM d.t", "type FLOAT"),
        ("SELECT SAFE_CAST(left(a, 3) AS DOUBLE) FROM d.t", "type DOUBLE"),
        ("SELECT CAST(CAST(a AS TEXT) AS INT64) FROM d.t", "type TEXT"),
        ("SELECT CAST(a AS NVARCHAR(10)) FROM d.t", "type NVARCHAR"),
        ("SELECT CAST(a AS ARRAY<UUID>) FROM d.t", "type UUID"),
        ("SELECT CAST(a AS STRUCT<x INT64, y TEXT>) FROM d.t", "type TEXT"),
        ("SELECT CAST(a AS STRUCT<INT64, HUGEINT>) FROM d.t", "type HUGEINT"),
        ("SELECT TIMESTAMPTZ '2026-06-01 12:00:00+00'", "type TIMESTAMPTZ"),
        ("SELECT CAST(a AS NUMERIC(38, 18)) FROM d.t", "type NUMERIC(38, 18)"),
        ("CREATE TABLE d.t (a INT64, b VARCHAR)", "type VARCHAR"),
        ("CREATE OR REPLACE TABLE `p.d`.t (a DOUBLE OPTIONS(description = 'x'))", "type DOUBLE"),
        ("CREATE TABLE IF NOT EXISTS d.t (a ARRAY<STRUCT<x BLOB>>)", "type BLOB"),
        ("ALTER TABLE d.t ADD COLUMN a TIMESTAMPTZ", "type TIMESTAMPTZ"),
        ("ALTER TABLE d.t ALTER COLUMN a SET DATA TYPE VARCHAR", "type VARCHAR"),
        ("SELECT a::INT64 FROM d.t", "operator ::"),
        ("SELECT * EXCLUDE (a) FROM d.t", "operator * EXCLUDE"),
        ("SELECT a FROM d.t WHERE b ILIKE 'x%'", "operator ILIKE"),
        ("SELECT DISTINCT ON (a) a, b FROM d.t", "DISTINCT ON"),
        ("SELECT count(*) FILTER (WHERE a) FROM d.t", "an aggregate's FILTER"),
        ("SELECT 'it' 's'", "two texts side by side"),
        ("SELECT a AS groups FROM d.t", "reserved word GROUPS as a name"),
        (
            "SELECT a FROM d.t WHERE (a, b) IN (SELECT a, b FROM d.u)",
            "IN a query of several columns",
        ),
    ],
)
def test_what_it_lacks_is_found(sql: str, lacks: str) -> None:
    assert lacks in lacking(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM d.t UNION SELECT a FROM d.u",
        "SELECT a FROM d.t EXCEPT SELECT a FROM d.u",
        "SELECT 'it''s'",
    ],
)
def test_what_is_of_no_form_of_its_dialect_is_not_even_parsed(sql: str) -> None:
    with pytest.raises(SqlglotError):
        lacking(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT SAFE.PARSE_TIMESTAMP('%F', a), SAFE_CAST(b AS INT64), LEFT(c, 2) FROM d.t",
        "INSERT INTO d.t (a, b) VALUES (1, 2)",
        "INSERT d.t (a, b) SELECT a, b FROM `p.d.u` AS u JOIN d.v AS v USING (a)",
        "CREATE TABLE d.t (a INT64 OPTIONS(description = 'x'), b ARRAY<STRUCT<x STRING, y DATE>>)",
        "CREATE TABLE IF NOT EXISTS d.t (a STRING(10) NOT NULL, b NUMERIC(38, 9))",
        "CREATE OR REPLACE VIEW d.v (a OPTIONS(description = 'x'), b) AS SELECT a, b FROM d.t",
        "CREATE VIEW IF NOT EXISTS d.v (a, b) AS SELECT a, b FROM d.t",
        "CREATE TABLE d.t PARTITION BY DATE(a) CLUSTER BY b AS SELECT a, b FROM d.u",
        "MERGE d.t AS t USING d.u AS u ON t.a = u.a "
        "WHEN NOT MATCHED THEN INSERT (a, b) VALUES (u.a, u.b)",
        "SELECT CAST(a AS STRING FORMAT 'YYYY') AS text, STRUCT<x INT64, y STRING>(1, 'x') AS s",
        "SELECT ARRAY<STRUCT<INT64, ARRAY<STRING>>>[], a < b, f.g FROM d.t WHERE a IN (1, 2)",
        "SELECT * EXCEPT (a), (SELECT max(x) FROM UNNEST(b) AS x) FROM d.t",
        "ALTER TABLE d.t ADD COLUMN IF NOT EXISTS a STRING",
        "SELECT a AS uuid, b AS real FROM d.t WHERE EXISTS (SELECT 1 FROM d.u)",
    ],
)
def test_what_it_has_is_not(sql: str) -> None:
    assert lacking(sql) == set()
