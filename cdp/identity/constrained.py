"""Solving the components that break a limit, one by one.

Belongs here: the greedy pass over a component's edges in canonical order, and the verdict on every
edge. Does not belong here: finding components (set-based, in the models), reading any table.

What comes out depends on what was seen, never on the order in which it landed: ties are broken by
values, not by births, so that a warehouse that was told the same in another order serves the same
people, only under other numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

ANY_TYPE = "*"

SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("component_id", pa.int64()),
        ("birth", pa.int64()),
        ("other_birth", pa.int64()),
        ("profile_id", pa.int64()),
        ("rule", pa.string()),
        ("same_as", pa.int64()),
    ]
)
"""Grain: one row per identifier (`kind` member, with its `profile_id`, and in `same_as` the
earliest born of the ids that sources say are one with it) and one per edge that was left out
(`kind` rejected, `birth` to `other_birth`, with the `rule` that did it)."""


@dataclass(frozen=True)
class TypeRule:
    """What holds for one identifier type.

    Attributes:
        max_per_profile: values of the type that one profile may hold; None for any number.
        max_people: distinct values of a one-per-profile type that a value may stand beside before
            it counts as nobody's own; None for never.
        max_asserted: values of the type that sources may say are one before that is not believed;
            None for any number.
    """

    max_per_profile: int | None
    max_people: int | None
    max_asserted: int | None = None


@dataclass(frozen=True)
class Identifier:
    """One identifier: its type and its normalised value."""

    type: str
    value: str


@dataclass(frozen=True)
class Edge:
    """Two identifiers seen together.

    Attributes:
        left, right: births of the two.
        weakness: less for stronger evidence.
        first_occurred_at: when they were first seen together (naive UTC); None if no row says.
        is_asserted: a source itself says that the two are one (an alias, merged accounts).
    """

    left: int
    right: int
    weakness: int
    first_occurred_at: datetime | None
    is_asserted: bool = False


def solve_components(nodes: pa.Table, edges: pa.Table, types: pa.Table) -> pa.Table:
    """Solve every component given.

    Args:
        nodes: `node` BIGINT, `component_id` BIGINT, `identifier_type` and `identifier_value` text.
        edges: `component_id`, `left_node`, `right_node`, `weakness` BIGINT, `is_asserted` BOOLEAN,
            `first_occurred_at` TIMESTAMP (UTC): all edges of those components.
        types: the seed `identifier_types`.

    Returns:
        A table of `SCHEMA`.
    """
    rules = {
        row["identifier_type"]: TypeRule(
            row["max_per_profile"], row["max_people"], row["max_asserted"]
        )
        for row in types.to_pylist()
    }
    members: dict[int, dict[int, Identifier]] = defaultdict(dict)
    for row in nodes.to_pylist():
        members[row["component_id"]][row["node"]] = Identifier(
            row["identifier_type"], row["identifier_value"]
        )
    links: dict[int, list[Edge]] = defaultdict(list)
    for row in edges.to_pylist():
        links[row["component_id"]].append(
            Edge(
                row["left_node"],
                row["right_node"],
                row["weakness"],
                row["first_occurred_at"],
                row["is_asserted"],
            )
        )
    rows: list[dict[str, object]] = []
    for component in sorted(members):
        solution = solve(members[component], links[component], rules)
        for node, profile in sorted(solution.profiles.items()):
            rows.append(
                {
                    "kind": "member",
                    "component_id": component,
                    "birth": node,
                    "profile_id": profile,
                    "same_as": solution.same_as.get(node),
                }
            )
        for edge, rule in solution.rejected:
            rows.append(
                {
                    "kind": "rejected",
                    "component_id": component,
                    "birth": edge.left,
                    "other_birth": edge.right,
                    "rule": rule,
                }
            )
    columns = {field.name: [row.get(field.name) for row in rows] for field in SCHEMA}
    return pa.table(columns, schema=SCHEMA)


@dataclass(frozen=True)
class Solution:
    """Who is who in one component.

    Attributes:
        profiles: the profile of each identifier, called after its earliest born.
        rejected: the edges that had to be left out, with the rule that did it.
        same_as: of identifiers that sources say are one, the earliest born of them.
    """

    profiles: dict[int, int]
    rejected: tuple[tuple[Edge, str], ...]
    same_as: dict[int, int]


class _Union:
    """Sets of births; each is called after its least."""

    def __init__(self, nodes: Iterable[int]) -> None:
        self._parent = {node: node for node in nodes}

    def root(self, node: int) -> int:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def unite(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self._parent[second] = first


def solve(
    identifiers: Mapping[int, Identifier], edges: Iterable[Edge], rules: Mapping[str, TypeRule]
) -> Solution:
    """Join identifiers along edges in canonical order, leaving out those that break a limit.

    First, ids that sources say are one are taken for one, and count as one. Then a value that
    stands beside more people than its type allows is nobody's own: all its edges are left out. Of
    the rest each edge counts unless it would give a profile more values of a type than one person
    has. The outcome depends on the sets of identifiers and edges only, and but for the ids of
    profiles not on births.

    Args:
        identifiers: the identifier that each birth stands for.
        edges: all edges of the component.
        rules: rules by identifier type; `*` holds for types not named.
    """
    fallback = rules.get(ANY_TYPE, TypeRule(None, None))
    rule_of = {node: rules.get(each.type, fallback) for node, each in identifiers.items()}
    ordered = sorted(edges, key=lambda edge: _order(edge, identifiers))
    believed = _believed(identifiers, ordered, rule_of)
    nobodys = _nobodys(identifiers, ordered, rule_of, believed)
    joined = _Union(identifiers)
    held: dict[int, Counter[str]] = {}
    for node in identifiers:
        # Ids that are one hang together from the start, and count once.
        if believed.root(node) == node:
            held[node] = Counter({identifiers[node].type: 1})
        else:
            joined.unite(believed.root(node), node)
    rejected: list[tuple[Edge, str]] = []
    for edge in ordered:
        if edge.left in nobodys or edge.right in nobodys:
            rejected.append((edge, "bad_value"))
            continue
        one, other = joined.root(edge.left), joined.root(edge.right)
        if one == other:
            continue
        together = held[one] + held[other]
        broken = _broken(together, rules, fallback)
        if broken:
            rejected.append((edge, f"limit:{broken}"))
            continue
        joined.unite(one, other)
        held[joined.root(one)] = together
    classes = Counter(believed.root(node) for node in identifiers)
    return Solution(
        {node: joined.root(node) for node in identifiers},
        tuple(rejected),
        {node: believed.root(node) for node in identifiers if classes[believed.root(node)] > 1},
    )


def _order(edge: Edge, identifiers: Mapping[int, Identifier]) -> tuple[object, ...]:
    """The canonical order: strength, then time (no time is the latest), then the values."""
    ends = sorted(
        (each.type, each.value) for each in (identifiers[edge.left], identifiers[edge.right])
    )
    at = edge.first_occurred_at
    return (edge.weakness, at is None, () if at is None else (at,), ends)


def _believed(
    identifiers: Mapping[int, Identifier], edges: Iterable[Edge], rule_of: Mapping[int, TypeRule]
) -> _Union:
    """Ids that sources say are one. Of more than a type allows nothing of the kind is believed: a
    terminal that calls everybody who signs in an alias of the one before makes nobody anybody."""
    asserted = [
        edge
        for edge in edges
        if edge.is_asserted and identifiers[edge.left].type == identifiers[edge.right].type
    ]
    claimed = _Union(identifiers)
    for edge in asserted:
        claimed.unite(edge.left, edge.right)
    sizes = Counter(claimed.root(node) for node in identifiers)
    believed = _Union(identifiers)
    for edge in asserted:
        limit = rule_of[edge.left].max_asserted
        if limit is None or sizes[claimed.root(edge.left)] <= limit:
            believed.unite(edge.left, edge.right)
    return believed


def _nobodys(
    identifiers: Mapping[int, Identifier],
    edges: Iterable[Edge],
    rule_of: Mapping[int, TypeRule],
    believed: _Union,
) -> set[int]:
    people: dict[int, set[int]] = defaultdict(set)
    for edge in edges:
        for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
            if (
                rule_of[other].max_per_profile == 1
                and identifiers[other].type != identifiers[node].type
            ):
                people[node].add(believed.root(other))
    found = set()
    for node, others in people.items():
        limit = rule_of[node].max_people
        if limit is not None and len(others) > limit:
            found.add(node)
    return found


def _broken(held: Counter[str], rules: Mapping[str, TypeRule], fallback: TypeRule) -> str | None:
    for kind in sorted(held):
        limit = rules.get(kind, fallback).max_per_profile
        if limit is not None and held[kind] > limit:
            return kind
    return None
