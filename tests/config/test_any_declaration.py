"""Whatever stands in a declaration: it is read, or the person is told what is wrong; nothing else.

Belongs here: generated text for the parsers of declarations. Does not belong here: the mistakes
that people make (`test_sources`, `tests/segmentation`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cdp.config.sources import parse_expression
from cdp.config.yaml_text import ConfigError, parse_yaml
from cdp.segmentation.sentences import sentence
from tests.segmentation.rules import read

ANY_SIZE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def tried(parse: Callable[[], Any], complaint: type[ValueError]) -> Any:
    """What was read, or what the person is told; any other error is one of the test."""
    try:
        return parse()
    except ValueError as error:
        if type(error) is complaint or isinstance(error, ConfigError):
            return str(error)
        raise


def pieces(*words: str) -> st.SearchStrategy[str]:
    """Words of a language in any order, with any text among them."""
    word = st.sampled_from(words)
    return st.lists(st.one_of(word, word, word, st.text(max_size=4)), max_size=25).map("".join)


YAML = pieces(
    *("a", "sources", ": ", ":", "- ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ", "? "),
    *('"', "'", "\\", "|", ">", "&a ", "*a", "!!python/name:os.system ", "!!binary ", "!t ", "<<"),
    *("~", "1e999", "0x1f", "2026-02-30", "0o9", "1:60", ".nan", "---\n", "%YAML 9\n", "\t", "#"),
)


@ANY_SIZE
@given(st.one_of(YAML, YAML.map(lambda text: text.encode("utf-16")), st.binary(max_size=60)))
@example("a: " * 300)
@example("[" * 5_000)
@example("{a: " * 5_000)
@example("a: 2026-02-30")
@example("a: 1e" + "9" * 5_000)
@example("a: " + "9" * 5_000)
@example("a: 0x")
@example("a: 0b_")
@example("a: 1:_")
@example("\ud800: 1")
@example("a: \x00")
@example("? [1]\n: 2")
def test_yaml_is_plain_data_or_a_config_error(text: str | bytes) -> None:
    found = tried(lambda: parse_yaml(text, Path("any.yml")), ConfigError)
    if isinstance(found, str):
        assert found.startswith("any.yml:")
    else:
        assert isinstance(found.data, dict)


SQL = pieces(
    *("a", "1", "'x'", '"q"', "''", "'", '"', " + ", " - ", " * ", "/", "(", ")", ", ", " = "),
    *(" IS NULL ", " AND ", " OR ", " NOT ", "CASE WHEN ", " THEN ", " ELSE ", " END", " IN ", ";"),
    *("CAST(", " AS DECIMAL(18,4))", "SELECT ", " FROM t", "$1", "?", "::INT", "[1]", ".b", "--"),
    *(
        "LOWER(",
        "read_csv(",
        "NOW()",
        "random()",
        " LIKE ",
        " BETWEEN ",
        "/*",
        "\\",
        "{{",
        "INTERVAL ",
    ),
    *("EXISTS", "LAMBDA x: ", "->", "*", "COLUMNS(*)", "x -> x", "OVER ()", "{'a': 1}", "MAP", "@"),
)


@ANY_SIZE
@given(SQL)
@example("(" * 5_000)
@example("NOT " * 5_000 + "a")
@example("a + " * 5_000 + "a")
@example("")
@example("->")
@example("1; DROP TABLE x")
@example("\x00")
@example("\ud800")
def test_the_sql_of_a_mapping_is_an_expression_or_a_complaint(text: str) -> None:
    found = tried(lambda: parse_expression(text), ValueError)
    assert found if isinstance(found, str) else found.sql(dialect="duckdb")


RULE = pieces(
    *("total_spent", "last_purchase_date", "order_count", "nobody", "did ", "'Order Completed'"),
    *(" > ", " < ", " = ", "!=", "$", "€", "500", "1.5", "1e9", " AND ", " or ", "NOT ", "(", ")"),
    *(" within ", "30 days", " 24 hours", "0 days", "99999999999999 days", " since last "),
    *("first seen ", "unknown", " times ", "at least ", "'", '"', "\n", "--", "'; --"),
    *(" in ", "('DE', 'FR')", "today", "2026-01-01", " then ", " where ", "in segment 'x'", "²"),
)


@ANY_SIZE
@given(RULE)
@example("(" * 10_000 + "order_count > 1" + ")" * 10_000)
@example(" AND ".join(["order_count > 1"] * 5_000))
@example("NOT " * 1_000 + "order_count > 1")
@example("order_count > " + "9" * 1_000)
@example("last_purchase_date within 99999999999 days")
@example("order_count > ²")
@example("\ud800")
def test_a_rule_is_a_tree_with_a_sentence_or_a_config_error(text: str) -> None:
    found = tried(lambda: read(text), ConfigError)
    assert found.startswith("rule:") if isinstance(found, str) else sentence(found, "USD")
