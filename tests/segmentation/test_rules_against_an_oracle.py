"""The generated models decide every rule as plain Python does, over any events and traits.

The oracle knows nothing of the compiler: it walks the tree over Python values, event by event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.segmentation.generation import models
from cdp.segmentation.tree import (
    And,
    Comparison,
    DateWithin,
    DidSince,
    DidWithin,
    Not,
    Or,
    Rule,
)
from tests.segmentation.rules import read, rendered, segment

AS_OF = datetime(2026, 6, 30, 12)


@dataclass(frozen=True)
class Happened:
    """One event of a profile; its place in the list is its place in the order of landing."""

    profile_id: int
    key: str
    at: datetime
    is_bot: bool
    is_internal: bool


Profile = dict[str, Any]

# Steps of half an hour around the edges of the windows, so that ties and exact edges are common.
steps = st.one_of(st.integers(-60, 6), st.sampled_from([0, -1, -2, -3, -48, -336]))
moments = steps.map(lambda number: AS_OF + timedelta(minutes=30 * number))
names = st.sampled_from(["A", "b_c", "It's"])
windows = st.sampled_from(["30 minutes", "1 hour", "90 minutes", "24 hours", "1 day", "1 week"])
operators = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
numbers = st.sampled_from(["0", "1", "2", "-1", "0.5", "3"])
texts = st.sampled_from(["DE", "O'N", "{{ x }}", "\\"])


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


conditions = st.one_of(
    st.builds("order_count {} {}".format, operators, numbers),
    st.builds("total_spent {} ${}".format, operators, numbers),
    st.builds("country {} {}".format, st.sampled_from(["=", "!="]), texts.map(_quoted)),
    st.builds("first seen within {}".format, windows),
    st.builds("last_purchase_date within {}".format, windows),
    st.builds("did {} within {}".format, names.map(_quoted), windows),
    st.builds("did {} since last {}".format, names.map(_quoted), names.map(_quoted)),
)
rules = st.recursive(
    conditions,
    lambda inner: st.one_of(
        inner.map("NOT ({})".format),
        st.builds("({}) AND ({})".format, inner, inner),
        st.builds("({}) OR ({})".format, inner, inner),
        st.builds("{} AND NOT {} OR {}".format, conditions, conditions, conditions),
    ),
    max_leaves=6,
)
events = st.builds(
    Happened,
    st.integers(1, 3),
    st.sampled_from(["a", "b c", "it's", "other"]),
    moments,
    st.sampled_from([False, False, False, True]),
    st.sampled_from([False, False, False, True]),
)
past = moments.filter(lambda at: at <= AS_OF)
profiles = st.fixed_dictionaries(
    {
        "order_count": st.integers(0, 3),
        "total_spent": st.sampled_from([None, Decimal("0.5000"), Decimal("2.9999"), Decimal(3)]),
        "country": st.one_of(st.none(), texts),
        "first_seen": st.one_of(st.none(), past),
        "last_purchase_date": st.one_of(st.none(), past),
    }
)


def holds(rule: Rule, profile: Profile, mine: list[tuple[int, Happened]], now: datetime) -> bool:
    """Decide a rule the slow way."""
    happened = [
        (place, each)
        for place, each in mine
        if each.at <= now and not each.is_bot and not each.is_internal
    ]
    match rule:
        case Not(inner):
            return not holds(inner, profile, mine, now)
        case And(parts):
            return all(holds(part, profile, mine, now) for part in parts)
        case Or(parts):
            return any(holds(part, profile, mine, now) for part in parts)
        case Comparison(trait, operator, wanted):
            value = profile[trait.name]
            if value is None:
                return False
            answers: dict[str, bool] = {
                "=": value == wanted,
                "!=": value != wanted,
                "<": operator == "<" and value < wanted,
                "<=": operator == "<=" and value <= wanted,
                ">": operator == ">" and value > wanted,
                ">=": operator == ">=" and value >= wanted,
            }
            return answers[operator]
        case DateWithin(trait, window):
            at = profile[trait.name]
            return at is not None and now - timedelta(minutes=window.minutes) < at <= now
        case DidWithin(event, window):
            begins = now - timedelta(minutes=window.minutes)
            return any(each.key == event.key and each.at > begins for _, each in happened)
        case DidSince(event, since):
            others = [(each.at, place) for place, each in happened if each.key == since.key]
            ours = [(each.at, place) for place, each in happened if each.key == event.key]
            return bool(others) and any(moment > max(others) for moment in ours)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as found:
        found.execute("SET TimeZone = 'UTC'")
        yield found


def decided(
    connection: duckdb.DuckDBPyConnection,
    text: str,
    people: list[Profile],
    history: list[Happened],
    now: datetime,
) -> dict[int, tuple[bool, datetime | None]]:
    """What the generated models say: verdict and next flip of every profile."""
    connection.execute(
        "CREATE OR REPLACE TABLE int_current_run AS SELECT CAST(? AS TIMESTAMP) AS as_of", [now]
    )
    connection.execute(
        "CREATE OR REPLACE TABLE dim_profiles (profile_id BIGINT, order_count BIGINT, "
        "total_spent DECIMAL(18,4), country VARCHAR, first_seen TIMESTAMP, "
        "last_purchase_date TIMESTAMP, next_change_at TIMESTAMP)"
    )
    connection.execute(
        "CREATE OR REPLACE TABLE fct_events (profile_id BIGINT, event_key VARCHAR, "
        "occurred_at TIMESTAMP, is_bot BOOLEAN, is_internal BOOLEAN, landing_number BIGINT)"
    )
    columns = ("order_count", "total_spent", "country", "first_seen", "last_purchase_date")
    _insert(
        connection,
        "dim_profiles",
        [
            (number, *(profile[column] for column in columns), None)
            for number, profile in enumerate(people, start=1)
        ],
    )
    _insert(
        connection,
        "fct_events",
        [
            (each.profile_id, each.key, each.at, each.is_bot, each.is_internal, place)
            for place, each in enumerate(history)
        ],
    )
    connection.execute("CREATE OR REPLACE TABLE int_changed_profiles (profile_id BIGINT)")
    files = models([segment("tested", text)], {})
    for model in ("int_segment_features", "int_segment_verdicts"):
        connection.execute(f"CREATE OR REPLACE TABLE {model} AS {rendered(files[f'{model}.sql'])}")
    rows = connection.execute(
        "SELECT profile_id, in_tested, next_flip_at FROM int_segment_verdicts"
    ).fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        marks = ", ".join(f"({', '.join('?' * len(row))})" for row in rows)
        connection.execute(
            f"INSERT INTO {table} VALUES {marks}", [value for row in rows for value in row]
        )


@settings(max_examples=150, deadline=None)
@given(rules, st.lists(profiles, min_size=3, max_size=3), st.lists(events, max_size=14), moments)
def test_the_generated_models_decide_as_the_oracle_does(
    connection: duckdb.DuckDBPyConnection,
    text: str,
    people: list[Profile],
    history: list[Happened],
    later: datetime,
) -> None:
    rule = read(text)
    found = decided(connection, text, people, history, AS_OF)
    assert set(found) == {1, 2, 3}
    for number, profile in enumerate(people, start=1):
        mine = [(place, each) for place, each in enumerate(history) if each.profile_id == number]
        is_member, flip = found[number]
        assert is_member is holds(rule, profile, mine, AS_OF)
        # Until the flip, time alone changes nothing: what is known now stays what is known.
        known = [(place, each) for place, each in mine if each.at <= AS_OF]
        then = AS_OF + abs(later - AS_OF)
        if flip is None or then < flip:
            assert holds(rule, profile, known, then) is is_member
        assert flip is None or flip > AS_OF


@pytest.mark.parametrize(
    ("at", "is_in"),
    [
        (AS_OF - timedelta(hours=24), False),
        (AS_OF - timedelta(hours=24) + timedelta(microseconds=1), True),
        (AS_OF, True),
        (AS_OF + timedelta(microseconds=1), False),
        (None, False),
    ],
)
def test_a_window_takes_in_its_end_and_not_its_beginning(
    connection: duckdb.DuckDBPyConnection, at: datetime | None, is_in: bool
) -> None:
    nobody = dict.fromkeys(("order_count", "total_spent", "country", "first_seen"))
    person = {**nobody, "first_seen": at, "last_purchase_date": None}
    history = [Happened(1, "a", at, False, False)] if at else []
    for text in ("first seen within 24 hours", "did 'A' within 1 day"):
        assert decided(connection, text, [person], history, AS_OF)[1][0] is is_in


@pytest.mark.parametrize(("first", "second", "is_in"), [("b", "a", True), ("a", "b", False)])
def test_of_events_at_one_moment_the_one_that_landed_later_comes_after(
    connection: duckdb.DuckDBPyConnection, first: str, second: str, is_in: bool
) -> None:
    nobody = dict.fromkeys(
        ("order_count", "total_spent", "country", "first_seen", "last_purchase_date")
    )
    history = [Happened(1, key, AS_OF, False, False) for key in (first, second)]
    found = decided(connection, "did 'a' since last 'b'", [nobody], history, AS_OF)
    assert found[1][0] is is_in


def test_a_negation_is_true_for_those_of_whom_nothing_is_known(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    nobody = dict.fromkeys(
        ("order_count", "total_spent", "country", "first_seen", "last_purchase_date")
    )
    for text in ("country != 'DE'", "total_spent < 5", "did 'a' since last 'b'"):
        assert decided(connection, text, [nobody], [], AS_OF)[1][0] is False
        assert decided(connection, f"NOT {text}", [nobody], [], AS_OF)[1][0] is True
