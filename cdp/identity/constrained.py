"""Solving the components that break a limit, one by one.

Belongs here: the greedy pass over a component's edges in canonical order, and the verdict on every
edge. Does not belong here: finding components (set-based, in the models), reading any table.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
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
    ]
)
"""Grain: one row per identifier (`kind` member, with its `profile_id`) and one per edge that was
left out (`kind` rejected, `birth` to `other_birth`, with the `rule` that did it)."""


@dataclass(frozen=True)
class TypeRule:
    """What holds for one identifier type.

    Attributes:
        max_per_profile: values of the type that one profile may hold; None for any number.
        max_people: distinct values of a one-per-profile type that a value may stand beside before
            it counts as nobody's own; None for never.
    """

    max_per_profile: int | None
    max_people: int | None


@dataclass(frozen=True)
class Edge:
    """Two identifiers seen together; `weakness` is less for stronger evidence."""

    left: int
    right: int
    weakness: int
    first_occurred_at: datetime

    @property
    def order(self) -> tuple[int, datetime, int, int]:
        """The canonical order: strength, then time, then birth."""
        return (self.weakness, self.first_occurred_at, self.left, self.right)


def solve_components(nodes: pa.Table, edges: pa.Table, types: pa.Table) -> pa.Table:
    """Solve every component given.

    Args:
        nodes: `node` BIGINT, `component_id` BIGINT, `identifier_type` text.
        edges: `component_id`, `left_node`, `right_node`, `weakness` BIGINT, `first_occurred_at`
            TIMESTAMP (UTC): all edges of those components.
        types: the seed `identifier_types`.

    Returns:
        A table of `SCHEMA`.
    """
    rules = {
        row["identifier_type"]: TypeRule(row["max_per_profile"], row["max_people"])
        for row in types.to_pylist()
    }
    members: dict[int, dict[int, str]] = defaultdict(dict)
    for row in nodes.to_pylist():
        members[row["component_id"]][row["node"]] = row["identifier_type"]
    links: dict[int, list[Edge]] = defaultdict(list)
    for row in edges.to_pylist():
        links[row["component_id"]].append(
            Edge(
                row["left_node"],
                row["right_node"],
                row["weakness"],
                row["first_occurred_at"],
            )
        )
    rows: list[dict[str, object]] = []
    for component in sorted(members):
        solution = solve(members[component], links[component], rules)
        for node, profile in sorted(solution.profiles.items()):
            rows.append(_row("member", component, node, None, profile, None))
        for edge, rule in solution.rejected:
            rows.append(_row("rejected", component, edge.left, edge.right, None, rule))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@dataclass(frozen=True)
class Solution:
    """Who is who in one component, and which edges had to be left out."""

    profiles: dict[int, int]
    rejected: tuple[tuple[Edge, str], ...]


def solve(types: Mapping[int, str], edges: list[Edge], rules: Mapping[str, TypeRule]) -> Solution:
    """Join identifiers along edges in canonical order, leaving out those that break a limit.

    A value that stands beside more people than its type allows is nobody's own: all its edges are
    left out. The outcome depends on the set of edges only, not on the order they are given in.

    Args:
        types: identifier type of each node.
        edges: all edges of the component.
        rules: rules by identifier type; `*` holds for types not named.
    """
    fallback = rules.get(ANY_TYPE, TypeRule(None, None))
    rule_of = {node: rules.get(kind, fallback) for node, kind in types.items()}
    nobodys = _nobodys(types, edges, rule_of)
    parent = {node: node for node in types}
    held: dict[int, Counter[str]] = {node: Counter({kind: 1}) for node, kind in types.items()}
    rejected: list[tuple[Edge, str]] = []

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for edge in sorted(edges, key=lambda each: each.order):
        if edge.left in nobodys or edge.right in nobodys:
            rejected.append((edge, "bad_value"))
            continue
        one, other = sorted((root(edge.left), root(edge.right)))
        if one == other:
            continue
        together = held[one] + held[other]
        broken = _broken(together, rules, fallback)
        if broken:
            rejected.append((edge, f"limit:{broken}"))
            continue
        # The least birth stays the root, so the root is the profile's id.
        parent[other] = one
        held[one] = together
    return Solution({node: root(node) for node in types}, tuple(rejected))


def _nobodys(
    types: Mapping[int, str], edges: list[Edge], rule_of: Mapping[int, TypeRule]
) -> set[int]:
    people: dict[int, set[int]] = defaultdict(set)
    for edge in edges:
        for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
            if rule_of[other].max_per_profile == 1 and types[other] != types[node]:
                people[node].add(other)
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


def _row(
    kind: str,
    component: int,
    birth: int,
    other: int | None,
    profile: int | None,
    rule: str | None,
) -> dict[str, object]:
    return {
        "kind": kind,
        "component_id": component,
        "birth": birth,
        "other_birth": other,
        "profile_id": profile,
        "rule": rule,
    }
