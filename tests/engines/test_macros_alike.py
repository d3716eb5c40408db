"""What a macro makes of a value does not depend on the engine.

Belongs here: every macro of `macros/engine/` and those over them, on values that engines read in
ways of their own, DuckDB's answer against Spark's. Does not belong here: whether DuckDB's is right
(`tests/models`), whole models (`test_models_alike`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cdp.warehouse.settings import Settings, load_settings
from tests.engines.odd_values import (
    EXTERNAL,
    JSON_TEXTS,
    NUMBERS,
    PATHS,
    PATTERNS,
    SHARES,
    TEXTS,
    TIMES,
)
from tests.engines.rendering import rendered

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration

ZONES = ("UTC", "Europe/Berlin", "America/New_York")
_AMOUNT = "cast(split_part(v, '/', 1) as decimal(18, 4))"
_BY = "cast(split_part(v, '/', 2) as decimal(18, 8))"
_PARTS = "cast(length(v) as bigint)"


def quoted(text: str) -> str:
    """A text as a Jinja literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


CASES: dict[str, tuple[Sequence[str | None], dict[str, str]]] = {
    "times": (
        TIMES,
        {f"as_utc in {zone}": f"as_utc('v', '{zone}')" for zone in ZONES}
        | {"a date": "as_type('v', 'date')"},
    ),
    "numbers": (
        NUMBERS,
        {f"a {kind}": f"as_type('v', '{kind}')" for kind in ("decimal(18,4)", "bigint", "boolean")},
    ),
    "texts": (
        TEXTS,
        {
            "text": "as_type('v', 'varchar')",
            "trimmed": "trimmed('v')",
            "lowered": "lowered('v')",
            "an id": "text_id('v')",
            "a key": "text_key(['v', 'v'])",
            "a part": "dbt.split_part('v', \"'@'\", 2)",
            "a place": "dbt.position(\"'a'\", 'v')",
        }
        | {f"matches {each}": f"matches_regex('v', {quoted(each)})" for each in PATTERNS},
    ),
    "JSON": (
        JSON_TEXTS,
        {
            "an id of JSON": "json_id('v', json_fields('v', ['$.\"a\"']), ['$.\"a\"'], 0)",
            "a name of JSON": "json_name('v', json_fields('v', ['$.\"a\"']), ['$.\"a\"'], 0)",
            "a field": "json_field(json_fields('v', ['$.b', '$.x']), ['$.b', '$.x'], 1)",
        }
        | {f"at {path}": f"json_text('v', {quoted(path)})" for path in PATHS},
    ),
    "external identifiers": (EXTERNAL, {"identifiers": "external_identifiers('v')"}),
    "amounts": (
        SHARES,
        {
            "a share": f'exact_share("{_AMOUNT}", "{_PARTS}")',
            "in base": f'in_base("{_AMOUNT}", "{_BY}")',
        },
    ),
    "moments": (
        ("2026-01-31 10:00:00.123456", "1999-12-31 23:59:59.999999", None),
        {
            "later": "dbt.dateadd('hour', 25, 'cast(v as timestamp)')",
            "earlier": "dbt.dateadd('day', -3, 'cast(v as timestamp)')",
            "seconds": "try_cast_to(seconds_between(\"cast('2026-01-01' as timestamp)\", "
            "'cast(v as timestamp)'), 'decimal(20, 6)')",
            "earliest": "earliest(['cast(v as timestamp)', \"cast('2020-05-05' as timestamp)\"])",
            "latest": "latest(['cast(v as timestamp)', \"cast('2020-05-05' as timestamp)\"])",
        },
    ),
}

ONLY_ON_DUCKDB = {("a date", "infinity"), ("a date", "-infinity")}
"""Dates that no other engine has."""

TEXT_OF_NUMBERS = {"at $", '$."a"', "at $.a", 'at $."a"', "a field"}
"""Spark writes 12345678.5 as 1.23456785E7: the same number, though not the same text. In ids it is
written out; elsewhere text is read as what it is, or kept for people."""


@pytest.fixture(scope="module")
def sql(
    spark: SparkSession, spark_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, dict[str, str]]]:
    """SQL by engine, case and name."""
    calls = {
        f"{case}: {name}": call
        for case, (_, named) in CASES.items()
        for name, call in named.items()
    }
    found: dict[str, dict[str, dict[str, str]]] = {}
    ours = load_settings(home=tmp_path_factory.mktemp("duckdb"))
    for settings in (ours, spark_settings):
        texts = rendered(settings, calls)
        found[settings.target] = {
            case: {name: texts[f"{case}: {name}"] for name in named}
            for case, (_, named) in CASES.items()
        }
    return found


def by_duckdb(values: Sequence[str | None], named: dict[str, str]) -> list[list[Any]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TABLE given (i BIGINT, v VARCHAR)")
        connection.executemany("INSERT INTO given VALUES (?, ?)", list(enumerate(values)))
        columns = ", ".join(f"CAST({each} AS VARCHAR)" for each in named.values())
        rows = connection.execute(f"SELECT {columns} FROM given ORDER BY i").fetchall()
    return [list(row) for row in rows]


def by_spark(
    spark: SparkSession, values: Sequence[str | None], named: dict[str, str]
) -> list[list[Any]]:
    spark.createDataFrame(list(enumerate(values)), "i bigint, v string").createOrReplaceTempView(
        "given"
    )
    columns = ", ".join(
        f"cast({each} as string) as c{number}" for number, each in enumerate(named.values())
    )
    rows = spark.sql(f"select {columns} from given order by i").collect()
    return [list(row) for row in rows]


@pytest.mark.parametrize("case", CASES)
def test_a_macro_gives_the_same_on_every_engine(
    spark: SparkSession, sql: dict[str, dict[str, dict[str, str]]], case: str
) -> None:
    values, named = CASES[case]
    ours = by_duckdb(values, sql["duckdb"][case])
    theirs = by_spark(spark, values, sql["spark"][case])
    differing = [
        f"{name} of {value!r}: {one!r} on DuckDB, {other!r} on Spark"
        for value, our_row, their_row in zip(values, ours, theirs, strict=True)
        for name, one, other in zip(named, our_row, their_row, strict=True)
        if one != other
        and (name, value) not in ONLY_ON_DUCKDB
        and not (name in TEXT_OF_NUMBERS and is_same_number(one, other))
    ]
    assert "\n".join(differing) == ""


def is_same_number(one: Any, other: Any) -> bool:
    """Whether two texts, JSON or not, differ in how a number is written and in nothing else."""
    import json

    try:
        return bool(json.loads(one) == json.loads(other))
    except (TypeError, ValueError):
        return False
