"""Components by the compiled function are those of a plain search, by their least members."""

from __future__ import annotations

import time
from collections.abc import Sequence

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.warehouse.engines import components
from cdp.warehouse.engines.components import lay, roots

Edges = list[tuple[int, int]]

BIRTHS = st.one_of(st.integers(1, 12), st.integers(1, 60), st.integers(2**40, 2**40 + 12))


def searched(edges: Edges) -> dict[int, int]:
    """The least member of each node's component, by widening from every node in turn."""
    beside: dict[int, set[int]] = {}
    for one, other in edges:
        beside.setdefault(one, set()).add(other)
        beside.setdefault(other, set()).add(one)
    found: dict[int, int] = {}
    for first in sorted(beside):
        reached = [first] if first not in found else []
        while reached:
            node = reached.pop()
            found[node] = first
            reached += [each for each in beside[node] if each not in found]
    return found


def compiled(edges: Edges, alone: Sequence[int] = (), threads: int = 1) -> dict[int, int]:
    left, right = (np.array([edge[side] for edge in edges], dtype=np.int64) for side in (0, 1))
    nodes, least = roots(np.array(alone, dtype=np.int64), left, right, threads)
    assert nodes.tolist() == sorted({*alone, *left.tolist(), *right.tolist()})
    return dict(zip(nodes.tolist(), least.tolist(), strict=True))


@settings(deadline=None)
@given(st.lists(st.tuples(BIRTHS, BIRTHS), max_size=40), st.lists(BIRTHS, unique=True, max_size=9))
def test_each_node_is_called_after_the_least_that_it_is_connected_with(
    edges: Edges, alone: list[int]
) -> None:
    assert compiled(edges, alone) == {node: node for node in alone} | searched(edges)


def test_a_long_chain_is_one_component_whatever_the_order_of_its_links() -> None:
    chain = [(n, n + 1) for n in range(1, 500_000)]
    began = time.process_time()
    assert set(compiled(chain[::2] + chain[1::2]).values()) == {1}
    assert time.process_time() - began < 5


@pytest.mark.parametrize("order", [1, -1], ids=["ascending", "descending"])
def test_a_long_way_to_and_fro_is_climbed_and_not_walked(
    monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    monkeypatch.setattr(components, "_PART", 2_000)
    half = 20_000
    there = [(half + n, n) for n in range(1, half)]
    back = [(half + n, n + 1) for n in range(1, half)]
    edges = [edge for pair in zip(there, back, strict=True) for edge in pair][::order]
    began = time.process_time()
    assert set(compiled(edges, threads=2).values()) == {1}
    assert time.process_time() - began < 1


@pytest.mark.parametrize("order", [1, -1], ids=["ascending", "descending"])
def test_a_late_value_that_many_share_takes_no_round_for_each(order: int) -> None:
    many = 50_000
    edges = [(each, many) for each in range(1, many)][::order]
    began = time.process_time()
    assert set(compiled(edges).values()) == {1}
    assert time.process_time() - began < 2


def test_more_threads_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "_PART", 10)
    random = np.random.default_rng(7)
    edges = [tuple(pair) for pair in random.integers(1, 900, (700, 2)).tolist()]
    assert compiled(edges, threads=3) == searched(edges)


@pytest.mark.parametrize("to_be_joined", [True, False])
def test_what_two_queries_give_is_laid_with_every_node_and_end_once(to_be_joined: bool) -> None:
    with duckdb.connect() as engine:
        engine.execute(
            "CREATE TABLE edges AS FROM (VALUES (5, 7), (9, 7), (3, 2)) AS edges (one, other)"
        )
        edges = "SELECT one AS left_node, other AS right_node FROM edges"
        found = lay(engine, "SELECT 4 AS node", edges, to_be_joined=to_be_joined)
        rows = engine.execute(f"SELECT node, root FROM {found} ORDER BY node").fetchall()
        assert rows == [(2, 2), (3, 2), (4, 4), (5, 5), (7, 5), (9, 5)]
        no_edge = f"{edges} LIMIT 0"
        found = lay(engine, "SELECT 1 AS node", no_edge, to_be_joined=to_be_joined)
        assert engine.execute(f"FROM {found}").fetchall() == [(1, 1)]
        found = lay(engine, "SELECT 1 AS node LIMIT 0", no_edge, to_be_joined=to_be_joined)
        assert engine.execute(f"FROM {found}").fetchall() == []


def test_many_found_ones_can_be_joined() -> None:
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE nodes AS SELECT range AS node FROM range(1, 500_000)")
        no_edge = "SELECT 1 AS left_node, 1 AS right_node LIMIT 0"
        found = lay(engine, "FROM nodes", no_edge, to_be_joined=True)
        joined = (
            f"SELECT count(*) FROM {found} INNER JOIN nodes USING (node) WHERE nodes.node % 3 = 0"
        )
        assert engine.execute(joined).fetchall() == [(166_666,)]


def test_what_is_wrong_with_a_query_is_said() -> None:
    with duckdb.connect() as engine, pytest.raises(duckdb.Error, match="no_such_table"):
        lay(engine, "FROM no_such_table", "SELECT 1, 2", to_be_joined=True)
