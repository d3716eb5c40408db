"""The path that explains why two identifiers hang together, held against trying out every path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from cdp.identity.paths import Edge, shortest

NODES = range(1, 7)


def edge(left: int, right: int, weakness: int = 1, event: str = "e") -> Edge:
    return Edge(left, right, weakness, "web", event, datetime(2026, 7, 1))


@st.composite
def graphs(draw: st.DrawFn) -> list[Edge]:
    pairs = [(one, other) for one in NODES for other in NODES if one < other]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=len(pairs)))
    return [edge(*pair, draw(st.integers(1, 3))) for pair in chosen]


def paths(
    edges: Sequence[Edge], start: int, end: int, seen: tuple[int, ...] = ()
) -> Iterator[list[Edge]]:
    """Every path that meets no node twice."""
    if start == end:
        yield []
        return
    for each in edges:
        if start in (each.left, each.right):
            other = each.left + each.right - start
            if other not in (*seen, start):
                for rest in paths(edges, other, end, (*seen, start)):
                    yield [each, *rest]


def nodes_of(path: Sequence[Edge], start: int) -> list[int]:
    nodes = [start]
    for each in path:
        nodes.append(each.left + each.right - nodes[-1])
    return nodes


@given(graphs(), st.sampled_from(NODES), st.sampled_from(NODES), st.randoms())
def test_it_is_the_shortest_then_the_strongest_of_all_in_whatever_order_edges_come(
    edges: list[Edge], start: int, end: int, random: object
) -> None:
    every = list(paths(edges, start, end))
    least, most = min(start, end), max(start, end)

    def rank(path: list[Edge]) -> tuple[int, list[int], list[int]]:
        nodes = nodes_of(path, start)
        weaknesses = sorted((each.weakness for each in path), reverse=True)
        return (len(path), weaknesses, nodes if start == least else nodes[::-1])

    found = shortest(edges, start, end)
    best = min(every, key=rank, default=None)
    assert found == (None if best is None else tuple(best))
    random.shuffle(edges)  # type: ignore[attr-defined]
    assert shortest(edges, start, end) == found
    back = shortest(edges, end, start)
    assert back == (None if found is None else found[::-1])
    assert (least, most) != (start, start) or found == ()


def test_a_shorter_path_is_better_than_a_stronger_one() -> None:
    assert shortest([edge(1, 2), edge(2, 3), edge(1, 3, 9)], 1, 3) == (edge(1, 3, 9),)


def test_the_weakest_edge_decides_among_the_shortest() -> None:
    by_two = [edge(1, 2, 5), edge(2, 4, 5)]
    by_three = [edge(1, 3, 1), edge(3, 4, 6)]
    assert shortest([*by_three, *by_two], 1, 4) == tuple(by_two)


def test_of_edges_of_the_same_two_the_stronger_tells() -> None:
    assert shortest([edge(1, 2, 3), edge(1, 2, -1, "label 1")], 2, 1) == (
        edge(1, 2, -1, "label 1"),
    )


def test_a_component_of_many_is_searched_in_time() -> None:
    hub = [edge(1, node, node % 7) for node in range(2, 100_000)]
    assert shortest(hub, 99_999, 2) == (edge(1, 99_999, 99_999 % 7), edge(1, 2, 2))
    chain = [edge(node, node + 1) for node in range(1, 1_000)]
    assert len(shortest(chain, 1, 1_000) or ()) == 999
