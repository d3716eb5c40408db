"""Keys that stand twice are found in every object that is looked into, and in no other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.object_keys import doubled, keys_of, parents

OBJECTS = ("$", "$.a", "$.a.b")
NAMES = st.sampled_from(["a", "b", "", "NULL", "x, y", "[", "]", "'", '"', "\\", "\x01", "\t", "é"])
Members = list[tuple[str, object]]
LEAVES: st.SearchStrategy[object] = st.sampled_from([1, None, "a", True])
MEMBERS = st.recursive(
    st.lists(st.tuples(NAMES, LEAVES), max_size=4),
    lambda inner: st.lists(st.tuples(NAMES, st.one_of(LEAVES, inner)), max_size=4),
    max_leaves=12,
)


def written(members: object) -> str:
    """An object as its members are listed, twice where they are."""
    if not isinstance(members, list):
        return json.dumps(members)
    told = (f"{json.dumps(name)}:{written(value)}" for name, value in members)
    return "{" + ",".join(told) + "}"


def has_one_twice(members: Members) -> bool:
    """Whether an object that is looked into has a name twice, as one sees it by looking."""

    def first(within: object, name: str) -> object:
        if not isinstance(within, list):
            return None
        return next((value for each, value in within if each == name), None)

    a = first(members, "a")
    looked_into = [each for each in (members, a, first(a, "b")) if isinstance(each, list)]
    return any(len({name for name, _ in each}) < len(each) for each in looked_into)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connected:
        yield connected


def refused(engine: duckdb.DuckDBPyConnection, texts: list[str]) -> list[bool]:
    """Which of the rows have a key twice."""
    table = pa.table({"text": texts})
    engine.register("good", table)
    keys = engine.execute(f"SELECT {keys_of(OBJECTS)} AS keys FROM good").to_arrow_table()["keys"]
    found = doubled(keys, table["text"], OBJECTS, engine).to_pylist()
    return [each in found for each in keys.to_pylist()]


@settings(deadline=None)
@given(rows=st.lists(MEMBERS, min_size=1, max_size=12))
def test_a_key_that_stands_twice_is_found_wherever_something_is_read(
    engine: duckdb.DuckDBPyConnection, rows: list[Members]
) -> None:
    assert refused(engine, list(map(written, rows))) == list(map(has_one_twice, rows))


def test_rows_without_any_keys_are_left_alone(engine: duckdb.DuckDBPyConnection) -> None:
    texts = ["not json", "7", "[1]", '{"a":1}', '{"a":1,"a":2}']
    assert refused(engine, texts) == [False, False, False, False, True]


def test_objects_are_those_in_which_values_stand() -> None:
    assert parents(["$.type", "$.a.b.c", "$.a.list[0].d", '$."x.y"."z"', "$.n[1]"]) == [
        "$", "$.a", "$.a.b", "$.a.list[0]", '$."x.y"',
    ]  # fmt: skip
