"""Rules compile to SQL that every engine reads, that nothing can be smuggled into, and that says
when it will change by time alone."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from cdp.segmentation.compiling import next_flip, verdict
from cdp.segmentation.generation import models
from cdp.segmentation.tree import Comparison, Event
from tests.segmentation.rules import CATALOGUE, read, rendered, segment

DIALECTS = ("duckdb", "spark", "databricks", "snowflake", "bigquery", "postgres", "redshift")

RULES = (
    "order_count >= 3 AND last_purchase_date within 60 days",
    "did 'Product Added' within 90 minutes "
    "AND NOT did 'Order Completed' since last 'Product Added'",
    "NOT (country = 'DE' OR total_spent <= -0.5) OR company != 'O''Neill'",
    " OR ".join(f"order_count = {number}" for number in range(500)),
)

ATTACKS = (
    "'; DROP TABLE runs; --",
    "' OR '1'='1",
    "\\' OR 1=1 --",
    "\\",
    "\\\\'",
    "a\\",
    "{{ run_query('drop table x') }}",
    "{% set x = 1 %}{# gone #}",
    "/* comment */",
    "-- comment",
    "$$ quoted $$",
    "${HOME} %s %(name)s ?",
    "constant_0_",
    "é\u202e\U0001f600",
)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", RULES, ids=["traits", "events", "brackets", "wide"])
def test_a_verdict_is_one_expression_of_every_dialect(text: str, dialect: str) -> None:
    for expression in (verdict(read(text)), next_flip([read(text)])):
        parsed = sqlglot.parse(f"SELECT {expression.sql(dialect)} AS v", read=dialect)
        assert len(parsed) == 1
        select = parsed[0]
        assert isinstance(select, exp.Select) and len(select.expressions) == 1
        assert not list(select.find_all(exp.Command))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("value", ATTACKS)
def test_a_text_comes_back_from_the_sql_as_the_constant_that_it_is(
    value: str, dialect: str
) -> None:
    quoted = value.replace("'", "''")
    rule = read(f"country = '{quoted}'")
    assert isinstance(rule, Comparison) and rule.value == value
    (parsed,) = sqlglot.parse(f"SELECT {verdict(rule).sql(dialect)}", read=dialect)
    assert parsed is not None
    assert [each.this for each in parsed.find_all(exp.Literal) if each.is_string] == [value]


@pytest.mark.parametrize("value", ATTACKS)
def test_a_text_in_a_generated_file_means_nothing_to_jinja_or_sql(value: str) -> None:
    quoted = value.replace("'", "''")
    files = models(
        [segment("attacked", f"country = '{quoted}' OR did '{quoted}' within 1 day")], {}
    )
    for model, wanted in (
        ("int_segment_verdicts", {value}),
        ("int_segment_features", {Event(value).key}),
    ):
        sql = rendered(files[f"{model}.sql"])
        statements = [each for each in sqlglot.parse(sql, read="duckdb") if each is not None]
        assert len(statements) == 1
        assert wanted <= {each.this for each in statements[0].find_all(exp.Literal)}


AS_OF = datetime(2026, 6, 30, 12)


def flip_of(text: str, **values: datetime | None) -> datetime | None:
    """The next flip of a rule for one profile, by DuckDB."""
    sql = next_flip([read(text)]).sql("duckdb")
    columns = {
        "first_seen": None,
        "last_seen": None,
        "last_a_at": None,
        **values,
    }
    row = ", ".join(
        f"{'NULL' if value is None else repr(str(value))}::TIMESTAMP AS {name}"
        for name, value in columns.items()
    )
    with duckdb.connect() as connection:
        found = connection.execute(
            f"WITH profiles AS (SELECT {row}), features AS (SELECT {row}), "
            f"current_run AS (SELECT '{AS_OF}'::TIMESTAMP AS as_of) "
            f"SELECT {sql} FROM profiles, features, current_run"
        ).fetchone()
    assert found is not None
    moment = found[0]
    assert moment is None or isinstance(moment, datetime)
    return moment


def test_a_verdict_flips_when_its_moment_leaves_the_window() -> None:
    seen = datetime(2026, 6, 25, 9, 30)
    assert flip_of("first seen within 7 days", first_seen=seen) == datetime(2026, 7, 2, 9, 30)


def test_the_earliest_of_several_flips_counts_and_past_ones_do_not() -> None:
    assert flip_of(
        "first seen within 7 days OR NOT last seen within 90 minutes AND did 'a' within 1 hour",
        first_seen=datetime(2026, 6, 1),
        last_seen=datetime(2026, 6, 30, 11),
        last_a_at=datetime(2026, 6, 30, 11, 45),
    ) == datetime(2026, 6, 30, 12, 30)


def test_a_window_that_ends_exactly_now_has_ended() -> None:
    assert flip_of("first seen within 7 days", first_seen=datetime(2026, 6, 23, 12)) is None


def test_a_moment_that_lies_ahead_enters_its_window_when_it_comes() -> None:
    """A trait of one's own may hold such a moment: when a contract ends, say."""
    ahead = datetime(2026, 7, 3)
    assert flip_of("first seen within 7 days", first_seen=ahead) == ahead


def test_what_does_not_depend_on_time_never_flips() -> None:
    assert flip_of("order_count > 3 AND did 'a' since last 'b'") is None
    assert flip_of("first seen within 7 days") is None


def test_every_trait_of_the_catalogue_is_a_column_of_the_profiles() -> None:
    import yaml

    from cdp.warehouse.settings import PROJECT_ROOT

    path = PROJECT_ROOT / "dbt_project/models/profiles/_models.yml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    profiles = next(each for each in described if each["name"] == "dim_profiles")
    types = {column["name"]: column["data_type"] for column in profiles["columns"]}
    kinds = {"moment": ("timestamp",), "text": ("varchar",), "money": ("decimal(18,4)",)}
    for trait in CATALOGUE.values():
        assert types[trait.column] in kinds.get(trait.kind, ("bigint",)), trait.name
