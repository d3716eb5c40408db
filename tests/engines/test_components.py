"""Components by the compiled function are those of a plain search, by their least members."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.warehouse.engines import components
from cdp.warehouse.engines.components import known_to, roots

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
    chain = [(n, n + 1) for n in range(1, 5000)]
    assert set(compiled(chain[::2] + chain[1::2]).values()) == {1}


@pytest.mark.parametrize("order", [1, -1], ids=["ascending", "descending"])
def test_a_late_value_that_many_share_takes_no_round_for_each(order: int) -> None:
    many = 50_000
    edges = [(each, many) for each in range(1, many)][::order]
    began = time.process_time()
    assert set(compiled(edges).values()) == {1}
    assert time.process_time() - began < 2


def test_more_threads_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "_WORTH_SHARING", 10)
    random = np.random.default_rng(7)
    edges = [tuple(pair) for pair in random.integers(1, 900, (700, 2)).tolist()]
    assert compiled(edges, threads=3) == searched(edges)


def test_the_engine_runs_two_queries_and_gives_every_node_and_end_once() -> None:
    address = ":memory:components"
    with duckdb.connect(address) as instance:
        with duckdb.connect(address) as former:
            known_to(former, address)
        known_to(instance, address)
        gc.collect()
        instance.execute(
            "CREATE TABLE edges AS FROM (VALUES (5, 7), (9, 7), (3, 2)) AS edges (one, other); "
            "CREATE TABLE solved AS SELECT unnest(connected_roots('SELECT 4 AS node', "
            "'SELECT one AS left_node, other AS right_node FROM edges'), recursive := true)"
        )
        rows = instance.execute("SELECT node, root FROM solved ORDER BY node").fetchall()
    assert rows == [(2, 2), (3, 2), (4, 4), (5, 5), (7, 5), (9, 5)]


def test_what_is_wrong_with_a_query_is_said() -> None:
    address = ":memory:components_gone"
    with duckdb.connect(address) as instance:
        known_to(instance, address)
        with pytest.raises(duckdb.Error, match="no_such_table"):
            instance.execute("SELECT connected_roots('FROM no_such_table', 'SELECT 1, 2')")
