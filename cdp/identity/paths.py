"""Paths of edges between two identifiers.

Belongs here: finding the path that explains best why two identifiers hang together. Pure. Does not
belong here: reading edges (`explaining`), deciding which of them count (the models).
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise


@dataclass(frozen=True)
class Edge:
    """Two identifiers that were seen together, or that a label joins.

    Attributes:
        left, right: births of the two.
        weakness: less for stronger evidence.
        source, event_id: where they were seen together first, and in which row.
        first_occurred_at: the earliest moment at which they were (naive UTC); None if no row tells.
        rule: why the edge was left out; None where it counts.
    """

    left: int
    right: int
    weakness: int
    source: str | None
    event_id: str | None
    first_occurred_at: datetime | None
    rule: str | None = None


@dataclass(frozen=True, order=True)
class _Way:
    """A way to a node; the least is the best of those of one length.

    Attributes:
        weaknesses: of its edges, the weakest first.
        nodes: the way itself: of two that are as strong, any rule will do that is one.
    """

    weaknesses: tuple[int, ...]
    nodes: tuple[int, ...]


def shortest(edges: Iterable[Edge], start: int, end: int) -> tuple[Edge, ...] | None:
    """The shortest path from one identifier to another, its edges in their order.

    Of several that are as short, the one whose weakest edge is the strongest, then by the next
    weakest, and so on; then the one that leads through the elder identifiers. The way back is the
    same path. Layer by layer, each node keeps its best way alone: adding one edge to two ways does
    not change which of them is the better one.

    Returns:
        The path; none of its edges where both are the same; None where there is no path.
    """
    if start > end:
        back = shortest(edges, end, start)
        return None if back is None else back[::-1]
    beside: dict[int, dict[int, Edge]] = defaultdict(dict)
    for edge in edges:
        for one, other in ((edge.left, edge.right), (edge.right, edge.left)):
            known = beside[one].get(other)
            if known is None or _strength(edge) < _strength(known):
                beside[one][other] = edge
    layer = {start: _Way((), (start,))}
    seen = {start}
    while layer and end not in layer:
        following: dict[int, _Way] = {}
        for node, way in layer.items():
            for other, edge in beside[node].items():
                if other in seen:
                    continue
                longer = _with(way, edge.weakness, other)
                if other not in following or longer < following[other]:
                    following[other] = longer
        seen |= following.keys()
        layer = following
    if end not in layer:
        return None
    nodes = layer[end].nodes
    return tuple(beside[one][other] for one, other in pairwise(nodes))


def _with(way: _Way, weakness: int, node: int) -> _Way:
    weaknesses = list(way.weaknesses)
    insort(weaknesses, weakness, key=lambda each: -each)
    return _Way(tuple(weaknesses), (*way.nodes, node))


def _strength(edge: Edge) -> tuple[object, ...]:
    """The order among edges of the same two identifiers."""
    at = edge.first_occurred_at
    return (edge.weakness, at is None, () if at is None else (at,), edge.event_id or "")
