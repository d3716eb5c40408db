"""Pairs are those that agree on a list of the model, but for what too many agree on."""

from __future__ import annotations

import time

import duckdb
import pyarrow as pa
import pytest

from cdp.identity.matching.blocking import pairs
from cdp.identity.matching.preparing import NODE, SOURCE, UID
from tests.identity.matching_data import model_of

MODEL = """
matching:
  people:
    within: [people]
    compare: {city: exact, email: email}
    block: [[city], [email]]
    train: [[city], [email]]
    certain: {rules: [[email]], recall: 0.7}
    accept: 0.9
    review: 0.1
    max_block: 5
"""


def found(cities: list[str | None], only: list[int] | None = None) -> set[tuple[int, int]]:
    """The pairs of records by the cities that they tell, by their places."""
    count = len(cities)
    rows = pa.table(
        {
            UID: pa.array(range(count), pa.int64()),
            NODE: pa.array(range(count), pa.int64()),
            SOURCE: pa.array(["people"] * count, pa.string()),
            "v_city": pa.array(cities, pa.string()),
            "v_email": pa.array([None] * count, pa.string()),
        }
    )
    with duckdb.connect() as con:
        con.register("all_rows", rows)
        told = pairs(con, "all_rows", model_of(MODEL, ["city", "email"]), only)
    return set(zip(told["join_key_l"].to_pylist(), told["join_key_r"].to_pylist(), strict=True))


def test_those_who_agree_are_compared_once_unless_too_many_do() -> None:
    cities = ["Ulm", "Ulm", None, "Bonn", "Ulm", None, *["Berlin"] * 6]
    assert found(cities) == {(0, 1), (0, 4), (1, 4)}
    assert found(cities, only=[4]) == {(0, 4), (1, 4)}
    assert found(cities, only=[3, 7]) == set()


@pytest.mark.parametrize("only", [None, [0, 1]], ids=["all", "around some"])
def test_what_half_the_records_share_costs_next_to_nothing(only: list[int] | None) -> None:
    """As pairs they would be four hundred million."""
    few = ["Ulm", "Ulm"]
    begun = time.process_time()
    assert found([*few, *["Berlin"] * 30_000], only) == {(0, 1)}
    assert time.process_time() - begun < 5
