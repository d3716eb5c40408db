"""Components by the compiled function are those of a plain search, by their least members."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

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


def compiled(edges: Edges) -> dict[int, int]:
    left, right = ([edge[side] for edge in edges] for side in (0, 1))
    nodes, least = roots(pa.array(left, pa.int64()), pa.array(right, pa.int64()))
    assert nodes.to_pylist() == sorted({*left, *right})
    return dict(zip(nodes.to_pylist(), least.to_pylist(), strict=True))


@settings(deadline=None)
@given(st.lists(st.tuples(BIRTHS, BIRTHS), max_size=40))
def test_each_node_is_called_after_the_least_that_it_is_connected_with(edges: Edges) -> None:
    assert compiled(edges) == searched(edges)


def test_a_long_chain_is_one_component_whatever_the_order_of_its_links() -> None:
    chain = [(n, n + 1) for n in range(1, 5000)]
    assert set(compiled(chain[::2] + chain[1::2]).values()) == {1}


def test_the_engine_takes_and_gives_lists_row_by_row_and_is_told_twice() -> None:
    with duckdb.connect() as instance:
        known_to(instance)
        known_to(instance)
        rows = instance.execute(
            "SELECT connected_roots(lefts, rights) FROM (VALUES "
            "(1, [5, 9], [7, 7]), (2, CAST([] AS BIGINT[]), CAST([] AS BIGINT[])), (3, [2], [1])"
            ") AS given (n, lefts, rights) ORDER BY n"
        ).fetchall()
    pairs = [[tuple(pair.values()) for pair in row[0]] for row in rows]
    assert pairs == [[(5, 5), (7, 5), (9, 5)], [], [(1, 1), (2, 1)]]
