"""Groups of identifiers that are implausible as one person, and making them less so.

Belongs here: applying the signs to a group, and leaving out its weakest classes of edges until what
is left is plausible. Does not belong here: limits of single types (`cdp.identity.solving`), raising
alerts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from cdp.identity.graph import Component, Edge, Union
from cdp.identity.rules import Rules, Signs


@dataclass(frozen=True)
class Finding:
    """A group of identifiers that is implausible as one person.

    Attributes:
        kind: `cluster` if it hangs together by many edges, `value` if by one value alone.
        first: the earliest born of it, or the value.
        sign: which sign it shows: `identifiers` or `names`.
        seen: how many of them.
        identifiers: how many identifiers it holds.
        edges: how many edges had to be left out.
    """

    kind: Literal["cluster", "value"]
    first: int
    sign: str
    seen: int
    identifiers: int
    edges: int


def thinned(
    component: Component, edges: Sequence[Edge], labelled: Union, rules: Rules
) -> tuple[list[Edge], list[Edge], list[Finding]]:
    """Leave out the weakest classes of edges of every group that is implausible.

    Args:
        edges: the edges that may count, in their canonical order.
        labelled: what people and sources have said is one, or not; it holds whatever comes out.

    Returns:
        The edges that are left, in the order given; those left out; and what was found.
    """
    groups = _groups(component.identifiers, edges, labelled)
    findings, left_out = [], set[Edge]()
    for first, nodes in sorted(groups.items()):
        sign = sign_of(nodes, component, rules)
        # An identifier by itself is no group, whatever it is called.
        if sign is None or len(nodes) == 1:
            continue
        inside = [edge for edge in edges if edge.left in nodes and edge.right in nodes]
        lost = _thinned(nodes, inside, component, labelled, rules)
        left_out |= lost
        findings.append(Finding("cluster", first, *sign, len(nodes), len(lost)))
    return (
        [edge for edge in edges if edge not in left_out],
        [edge for edge in edges if edge in left_out],
        findings,
    )


def stars(values: Collection[int], component: Component, signs: Signs) -> list[Finding]:
    """What would be found, were all that one value stands beside one person."""
    beside: dict[int, set[int]] = {node: set() for node in values}
    for edge in component.edges:
        if edge.is_likely:
            continue
        for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
            if node in beside:
                beside[node].add(other)
    found = []
    for node, others in sorted(beside.items()):
        # A value by itself is no group, whatever it is called.
        if not others:
            continue
        # Devices count too: as one person's they are known by one value that is everybody's.
        if sign := _sign_of(others | {node}, component, signs, devices=frozenset()):
            found.append(Finding("value", node, *sign, len(others) + 1, len(others)))
    return found


def _groups(nodes: Collection[int], edges: Iterable[Edge], labelled: Union) -> dict[int, set[int]]:
    """What hangs together when no type has a limit."""
    joined = labelled.within(nodes)
    for edge in edges:
        if joined.may_unite(edge.left, edge.right):
            joined.unite(edge.left, edge.right)
    return {root: set(members) for root, members in joined.sets(nodes).items()}


def _thinned(
    nodes: set[int], edges: Sequence[Edge], component: Component, labelled: Union, rules: Rules
) -> set[Edge]:
    """The edges of an implausible group that have to be left out."""
    if not edges:
        return set()
    weakest = max(edge.weakness for edge in edges)
    lost = {edge for edge in edges if edge.weakness == weakest}
    kept = [edge for edge in edges if edge.weakness < weakest]
    groups = _groups(nodes, kept, labelled)
    group_of = {node: root for root, members in groups.items() for node in members}
    plausible = {
        root: sign_of(members, component, rules) is None for root, members in groups.items()
    }
    lost -= _harmless(lost, groups, group_of, plausible, component, rules)
    for root, members in groups.items():
        if not plausible[root]:
            inside = [edge for edge in kept if edge.left in members and edge.right in members]
            lost |= _thinned(members, inside, component, labelled, rules)
    return lost


def _harmless(
    lost: set[Edge],
    groups: dict[int, set[int]],
    group_of: dict[int, int],
    plausible: dict[int, bool],
    component: Component,
    rules: Rules,
) -> set[Edge]:
    """Edges of the class that need not be left out: within a group, or of an identifier that would
    be alone and stands beside one group only, as long as that stays plausible with all of them."""
    # Of a group that comes apart further, what is weakest must not hold it together.
    found = {
        edge
        for edge in lost
        if group_of[edge.left] == group_of[edge.right] and plausible[group_of[edge.left]]
    }
    beside: dict[int, set[int]] = {}
    edges_of: dict[int, list[Edge]] = {}
    for edge in lost - found:
        if group_of[edge.left] == group_of[edge.right]:
            continue
        for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
            if len(groups[group_of[node]]) == 1:
                beside.setdefault(node, set()).add(group_of[other])
                edges_of.setdefault(node, []).append(edge)
    followers: dict[int, set[int]] = {}
    for node, roots in beside.items():
        (root, *others) = roots
        if not others and plausible[root] and len(groups[root]) > 1:
            followers.setdefault(root, set()).add(node)
    for root, nodes in followers.items():
        if sign_of(groups[root] | nodes, component, rules) is None:
            found.update(edge for node in nodes for edge in edges_of[node])
    return found


def sign_of(nodes: Collection[int], component: Component, rules: Rules) -> tuple[str, int] | None:
    """The sign that a group of the component's identifiers shows, and how much of it."""
    return _sign_of(nodes, component, rules.signs, rules.devices)


def _sign_of(
    nodes: Collection[int], component: Component, signs: Signs, devices: frozenset[str]
) -> tuple[str, int] | None:
    own = sum(component.identifiers[node].type not in devices for node in nodes)
    if signs.identifiers is not None and own > signs.identifiers:
        return "identifiers", own
    names = [name for node in nodes for name in component.names.get(node, ())]
    if people := signs.in_names(names):
        return "names", people
    return None
