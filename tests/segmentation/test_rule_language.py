"""A rule is read as a marketer means it, and a wrong one is refused with words that help."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from cdp.config.yaml_text import ConfigError
from cdp.segmentation.parsing import MAX_DEPTH, MAX_TERMS, Place, RuleError, parse_rule
from cdp.segmentation.tree import (
    And,
    Comparison,
    DateWithin,
    DidSince,
    DidWithin,
    Event,
    Not,
    Or,
    Window,
    features,
    rule_version,
)
from tests.segmentation.rules import CATALOGUE, read


def test_the_four_shipped_rules_have_the_trees_that_they_say() -> None:
    added, ordered = Event("Product Added"), Event("Order Completed")
    last_purchase = CATALOGUE["last_purchase_date"]
    assert read(
        "did 'Product Added' within 24 hours "
        "AND NOT did 'Order Completed' since last 'Product Added'"
    ) == And((DidWithin(added, Window(1440)), Not(DidSince(ordered, added))))
    assert read("first seen within 7 days") == DateWithin(CATALOGUE["first_seen"], Window(7 * 1440))
    assert read("order_count >= 3 AND last_purchase_date within 60 days") == And(
        (
            Comparison(CATALOGUE["order_count"], ">=", Decimal(3)),
            DateWithin(last_purchase, Window(60 * 1440)),
        )
    )
    assert read("last_purchase_date within 30 days AND total_spent > $500") == And(
        (
            DateWithin(last_purchase, Window(30 * 1440)),
            Comparison(CATALOGUE["total_spent"], ">", Decimal(500)),
        )
    )


def test_and_binds_tighter_than_or_and_not_tighter_than_both() -> None:
    a, b, c = (read(f"order_count = {number}") for number in (1, 2, 3))
    assert read("order_count = 1 OR order_count = 2 AND order_count = 3") == Or((a, And((b, c))))
    assert read("(order_count = 1 OR order_count = 2) AND order_count = 3") == And((Or((a, b)), c))
    assert read("NOT order_count = 1 AND order_count = 2") == And((Not(a), b))
    assert read("NOT (order_count = 1 AND order_count = 2)") == Not(And((a, b)))


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("ORDER_COUNT>=3", "order_count >= 3"),
        ("order_count = 3 and country = 'DE'", "order_count = 3 AND country = 'DE'"),
        ("order_count\n=\t3", "order_count = 3"),
        ("total_spent > $500", "total_spent > 500 USD"),
        ("total_spent > 500", "total_spent > 500 usd"),
        ("first seen within 1 day", "first_seen within 24 HOURS"),
        ("last seen within 2 weeks", "last_seen within 14 days"),
        ("((order_count = 3))", "order_count = 3"),
    ],
)
def test_spellings_of_one_rule_give_one_tree(written: str, same: str) -> None:
    assert read(written) == read(same)


def test_a_quote_inside_a_text_is_written_twice() -> None:
    rule = read("company = 'O''Neill'")
    assert isinstance(rule, Comparison) and rule.value == "O'Neill"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("did 'product_added' within 1 day", "did ' Product Added ' within 24 hours"),
        ("order_count = 3 OR country = 'DE'", "country = 'DE' OR order_count = 3.0"),
        ("order_count = 3 AND order_count = 3", "order_count = 3 AND order_count = 3"),
    ],
)
def test_a_rule_keeps_its_version_when_only_its_writing_changes(one: str, other: str) -> None:
    assert rule_version(read(one)) == rule_version(read(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order_count = 3", "order_count = 4"),
        ("order_count = 3", "order_count >= 3"),
        ("country = '3'", "order_count = 3"),
        ("order_count = 3 OR order_count = 4", "order_count = 3 AND order_count = 4"),
        ("did 'a' since last 'b'", "did 'b' since last 'a'"),
        ("first seen within 7 days", "first seen within 8 days"),
        ("country = 'a,b'", "country = 'a'',''b'"),
    ],
)
def test_rules_that_ask_different_things_have_different_versions(one: str, other: str) -> None:
    assert rule_version(read(one)) != rule_version(read(other))


def test_each_event_is_a_feature_once_with_its_landing_order_only_where_order_matters() -> None:
    needed = features(
        read("did 'A' within 1 day AND did 'c' within 2 days"),
        read("did 'b' since last 'a'"),
    )
    assert [(each.key, each.column, each.ordered) for each in needed] == [
        ("a", "last_a", True),
        ("b", "last_b", True),
        ("c", "last_c", False),
    ]


def test_events_that_differ_only_in_odd_letters_have_columns_of_their_own() -> None:
    names = ["a-b", "a b", "a.b", "a_b!", "é", "x" * 41, "x" * 42, "a  b"]
    columns = {Event(name).column for name in names}
    assert len(columns) == len(names)
    assert all(column.replace("_", "").isascii() and len(column) <= 50 for column in columns)


def test_an_event_is_found_under_its_own_name_whatever_its_letters() -> None:
    names = [chr(code) + "x" for code in range(0xE000) if not 0xD800 <= code <= 0xDFFF and code]
    names += ["ΟΔΟΣ", "İSTANBUL", " _Product_Added_ ", "\u00a0x\u3000"]
    with duckdb.connect() as connection:
        # As profiles.fct_events makes its keys.
        keys = connection.execute(
            "SELECT lower(trim(replace(name, '_', ' '))) FROM (SELECT unnest(?) AS name)", [names]
        ).fetchall()
    assert [Event(name).key for name in names] == [row[0] for row in keys]


WRONG = {
    "order_cuont > 3": ("column 1: unknown trait 'order_cuont' (did you mean 'order_count'?)"),
    "order_count >": (
        "column 14: the rule ends too early; expected a number, a text in single quotes or `$`"
    ),
    "": (
        "column 1: the rule is empty; expected a trait, `first seen`, `last`, `did`, `NOT` or `(`"
    ),
    "order_count > 3 AND\n  country = DE": (
        "column 13: 'DE' cannot stand here; expected a number, a text in single quotes or `$`"
    ),
    "did 'x": (
        "column 5: ''' cannot stand here: this text has no closing quote; "
        "a quote inside a text is written twice ('')"
    ),
    'country = "DE"': "column 11: '\"' cannot stand here: a text stands in single quotes",
    "total_spent > 500 EUR": (
        "column 19: EUR is not the base currency, in which amounts are compared; expected USD"
    ),
    "total_spent > 1,500": (
        "column 16: ',' cannot stand here: numbers are written without separators: 1500"
    ),
    "order_count > $5": (
        "column 16: order_count is a number; expected a number without a currency"
    ),
    "order_count > '5'": "column 15: order_count is a number; expected a number",
    "total_spent > 'a'": "column 15: total_spent is an amount; expected an amount in USD",
    "country = 5": "column 11: country is a text; expected a text in single quotes",
    "country > 'a'": "column 9: country is a text; expected = or !=",
    "last_seen > 3": ("column 11: last_seen is a moment; expected `last_seen within 30 days`"),
    "order_count within 3 days": (
        "column 1: order_count is a number, and only a moment can be `within` a window; "
        "expected first_purchase_date, first_seen, last_purchase_date or last_seen"
    ),
    "first seen within 1.5 days": "column 19: a window is a whole number from 1",
    "first seen within 0 days": "column 19: a window is a whole number from 1",
    "first seen within -1 days": "column 19: a window is a whole number from 1",
    "first seen within 36526 days": ("column 19: a window is at most 36525 days (100 years) long"),
    "first seen within 3 months": (
        "column 21: 'months' cannot stand here; expected minutes, hours, days or weeks"
    ),
    "did 'x' sinse last 'y'": (
        "column 9: 'sinse' cannot stand here; expected `since` or `within` (did you mean 'since'?)"
    ),
    "did ' _ ' within 1 day": "column 5: the name of an event is empty",
    "order_count > 123456789012345": (
        "column 15: a number has at most 14 digits before the point and 4 after it"
    ),
    "order_count = 1; drop table x": (
        "column 16: ';' cannot stand here: a rule is one condition; join several with AND and OR"
    ),
    "order_count = 1 order_count = 2": (
        "column 17: 'order_count' cannot stand here; "
        "expected a currency, `AND`, `OR` or the end of the rule"
    ),
    "(order_count = 1": ("column 17: the rule ends too early; expected `)`"),
    "country = 'a\x00b'": (
        "column 11: ''' cannot stand here: this text has no closing quote; "
        "a quote inside a text is written twice ('')"
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_rule_is_refused_with_place_cause_and_what_was_expected(text: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(text, CATALOGUE, "USD", Place(Path("segments/x.yml"), line=7))
    line = 7 + text.count("\n")
    assert str(caught.value) == f"segments/x.yml:{line}: rule, {WRONG[text]}"


def test_a_rule_error_can_be_read_by_a_program_too() -> None:
    with pytest.raises(RuleError) as caught:
        read("country = 'DE' AND order_cuont > 3")
    error = caught.value
    assert (error.line, error.column, error.nearest) == (1, 20, "order_count")
    assert isinstance(error, ConfigError)


def test_dollars_are_refused_where_the_base_currency_is_another() -> None:
    with pytest.raises(RuleError, match=r"USD is not the base currency.*expected EUR"):
        read("total_spent > $500", base_currency="EUR")
    assert read("total_spent > 500 EUR", base_currency="EUR") == read("total_spent > 500")


TOO_MUCH = {
    "ten thousand brackets": "(" * 10_000 + "order_count = 1" + ")" * 10_000,
    "nine thousand open brackets": "(" * 9_000,
    "nested as deep as the length allows": "(" * 9_000 + "order_count=1" + ")" * 9_000,
    "ten thousand negations": "NOT " * 10_000 + "order_count = 1",
    "negations as deep as the length allows": "NOT " * 4_000 + "order_count = 1",
    "brackets and negations in turn": "NOT (" * 3_000 + "order_count = 1" + ")" * 3_000,
    "a hundred thousand terms": " OR ".join(["order_count = 1"] * 100_000),
    "terms as many as the length allows": " OR ".join(["order_count=1"] * 1_100),
    "a text that never ends": "country = '" + "a" * 1_000_000,
    "a number that never ends": "order_count = " + "9" * 19_000,
}


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_rule_beyond_its_budget_is_refused_and_never_exhausts_the_stack(text: str) -> None:
    with pytest.raises(RuleError, match=r"the most is|deep in one another|more than|at most"):
        read(text)


def test_a_rule_at_its_budget_is_read() -> None:
    deep = "(" * MAX_DEPTH + "order_count = 1" + ")" * MAX_DEPTH
    assert read(deep) == read("order_count = 1")
    wide = read(" OR ".join(["order_count=1"] * MAX_TERMS))
    assert isinstance(wide, Or) and len(wide.rules) == MAX_TERMS


def test_many_negations_side_by_side_are_not_deep() -> None:
    rule = read(" AND ".join(["NOT order_count = 1"] * 100))
    assert isinstance(rule, And) and len(rule.rules) == 100
