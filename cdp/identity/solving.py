"""Solving one component by the rules: who is who, and which edges had to be left out.

Belongs here: the order of the rules, and the greedy pass over edges in their canonical order. Does
not belong here: finding components (set-based, in the models), reading any table, when a group is
too much for one person (`cdp.identity.plausibility`).

What comes out depends on what was seen, never on the order in which it landed: ties are broken by
values, not by births, so that a warehouse that was told the same in another order serves the same
people, only under other numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cdp.identity.graph import Component, Edge, Identifier, Label, Union
from cdp.identity.plausibility import Finding, stars, thinned
from cdp.identity.rules import Rules

BAD_VALUE = "bad_value"
IMPLAUSIBLE = "implausible"
SPLIT = "split"


@dataclass(frozen=True)
class Solution:
    """Who is who in one component.

    Attributes:
        profiles: the profile of each identifier, called after its earliest born.
        rejected: the edges that had to be left out, with the rule that did it.
        same_as: of identifiers that a source or a person says are one, the earliest born of them.
        findings: groups of identifiers that are implausible as one person.
    """

    profiles: dict[int, int]
    rejected: tuple[tuple[Edge, str], ...]
    same_as: dict[int, int]
    findings: tuple[Finding, ...] = ()


def solve(component: Component, rules: Rules) -> Solution:
    """Join identifiers along edges in canonical order, leaving out those that break a rule.

    What a person has said holds before anything else. Then a value that stands beside more people
    than its type allows is nobody's own: all its edges are left out. A group that is implausible as
    one person loses its weakest classes of edges until it is none. Of the rest each edge counts
    unless it would give a profile more values of a type than one person has; ids that sources say
    are one count as one.
    """
    identifiers = component.identifiers
    ordered = sorted(component.edges, key=lambda edge: _order(edge, identifiers))
    labelled = _labelled(component.labels, identifiers)
    believed = _believed(identifiers, ordered, labelled, rules)
    nobodys = _nobodys(component, believed, rules)
    rejected = [
        (edge, BAD_VALUE) for edge in ordered if edge.left in nobodys or edge.right in nobodys
    ]
    known = [edge for edge in ordered if edge.left not in nobodys and edge.right not in nobodys]
    # What a source says is one stays one, also where it is told as implausible.
    said = {
        edge
        for edge in known
        if edge.is_asserted and believed.root(edge.left) == believed.root(edge.right)
    }
    firm = labelled.copy()
    for edge in known:
        if edge in said:
            firm.unite(edge.left, edge.right)
    # What was told beside a value that is nobody's tells of nobody.
    own = {node: names for node, names in component.names.items() if node not in nobodys}
    doubtful = [edge for edge in known if edge not in said]
    kept, left_out, findings = thinned(replace(component, names=own), doubtful, firm, rules)
    rejected += [(edge, IMPLAUSIBLE) for edge in left_out]
    joined = labelled.copy()
    held = _Held(component, believed, rules)
    held.begin(joined)

    # Ids that are one are put together before anything else is.
    for edge in [*(edge for edge in known if edge in said), *kept]:
        one, other = joined.root(edge.left), joined.root(edge.right)
        if one == other:
            continue
        if not joined.may_unite(one, other):
            rejected.append((edge, SPLIT))
            continue
        if broken := held.broken(one, other):
            rejected.append((edge, broken))
            continue
        joined.unite(one, other)
        held.unite(one, other, joined.root(one))
    profiles = {node: joined.root(node) for node in identifiers}
    classes = Counter(believed.root(node) for node in identifiers)
    # A value that a person has joined with a group may be the first of it; one entry tells of both.
    alone = nobodys - {finding.first for finding in findings}
    return Solution(
        profiles,
        # An edge whose ends are one person's all the same was not missed.
        tuple(
            (edge, rule) for edge, rule in rejected if profiles[edge.left] != profiles[edge.right]
        ),
        {node: believed.root(node) for node in identifiers if classes[believed.root(node)] > 1},
        (*findings, *stars(alone, component, rules.signs)),
    )


def _order(edge: Edge, identifiers: Mapping[int, Identifier]) -> tuple[object, ...]:
    """The canonical order: strength, then time (no time is the latest), then the values."""
    ends = sorted(
        (each.type, each.value) for each in (identifiers[edge.left], identifiers[edge.right])
    )
    at = edge.first_occurred_at
    return (edge.weakness, at is None, () if at is None else (at,), ends)


def _labelled(labels: Iterable[Label], identifiers: Mapping[int, Identifier]) -> Union:
    """What people have said: joined, or kept apart. A label that contradicts newer ones is none."""
    parts = Union(identifiers)
    for label in sorted(labels, key=lambda label: _newest_first(label, identifiers)):
        if label.kind == "join":
            if parts.may_unite(label.left, label.right):
                parts.unite(label.left, label.right)
        elif parts.root(label.left) != parts.root(label.right):
            parts.keep_apart(label.left, label.right)
    return parts


def _newest_first(label: Label, identifiers: Mapping[int, Identifier]) -> tuple[object, ...]:
    ends = sorted(
        (each.type, each.value) for each in (identifiers[label.left], identifiers[label.right])
    )
    return (-label.number, label.kind, ends)


def _believed(
    identifiers: Mapping[int, Identifier], edges: Iterable[Edge], labelled: Union, rules: Rules
) -> Union:
    """Ids that are one: because a source says so, or a person does.

    Of more than a type allows nothing that a source says is believed: a terminal that calls
    everybody who signs in an alias of the one before makes nobody anybody.
    """
    asserted = [
        edge
        for edge in edges
        if edge.is_asserted
        and identifiers[edge.left].type == identifiers[edge.right].type
        and not rules.of(identifiers[edge.left].type).do_not_merge
    ]
    claimed = Union(identifiers)
    for edge in asserted:
        claimed.unite(edge.left, edge.right)
    sizes = Counter(claimed.root(node) for node in identifiers)
    allowed = labelled.copy()
    believed = Union(identifiers)
    for edge in asserted:
        limit = rules.of(identifiers[edge.left].type).max_asserted
        small = limit is None or sizes[claimed.root(edge.left)] <= limit
        if small and allowed.may_unite(edge.left, edge.right):
            allowed.unite(edge.left, edge.right)
            believed.unite(edge.left, edge.right)
    for members in labelled.sets(identifiers).values():
        first: dict[str, int] = {}
        for node in members:
            believed.unite(first.setdefault(identifiers[node].type, node), node)
    return believed


def _nobodys(component: Component, believed: Union, rules: Rules) -> set[int]:
    """Values that stand beside too many people to tell one of them."""
    identifiers = component.identifiers
    people: dict[int, set[int]] = defaultdict(set)
    beside: dict[int, Counter[str]] = defaultdict(Counter)
    for edge in component.edges:
        for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
            kind = identifiers[other].type
            if kind == identifiers[node].type:
                continue
            # A person may have any number of devices.
            beside[node][kind] += kind not in rules.devices
            if rules.of(kind).one_per_profile:
                people[node].add(believed.root(other))
    found = {node for node, told in component.verdicts.items() if not told}
    for node, identifier in identifiers.items():
        rule = rules.of(identifier.type)
        if component.verdicts.get(node):
            continue
        if rule.max_values is not None and max(beside[node].values(), default=0) > rule.max_values:
            found.add(node)
        if rule.max_people is not None and (
            len(people[node]) > rule.max_people
            or rules.signs.in_names(component.names.get(node, ()))
        ):
            found.add(node)
    return found


class _Held:
    """How many values of each limited type every set of identifiers holds."""

    def __init__(self, component: Component, believed: Union, rules: Rules) -> None:
        self._identifiers = component.identifiers
        self._believed = believed
        self._rules = rules
        self._held: dict[int, dict[str, set[int]]] = {}
        self._since: dict[int, datetime] = {}
        for edge in component.edges:
            for node in (edge.left, edge.right):
                one, at = believed.root(node), edge.first_occurred_at
                if at is not None:
                    self._since[one] = min(at, self._since.get(one, at))

    def begin(self, joined: Union) -> None:
        for node, identifier in self._identifiers.items():
            rule = self._rules.of(identifier.type)
            # What has no limit is not counted: a device may be one of thousands.
            if rule.max_per_profile is not None or rule.do_not_merge:
                held = self._held.setdefault(joined.root(node), {})
                held.setdefault(identifier.type, set()).add(self._believed.root(node))

    def broken(self, one: int, other: int) -> str | None:
        """The rule that the two sets would break as one; None if they may be one."""
        ours, theirs = self._held.get(one, {}), self._held.get(other, {})
        for kind in sorted(ours.keys() & theirs.keys()):
            together = ours[kind] | theirs[kind]
            # What one set holds too many of already, because a person said so, is no reason to
            # keep from it what adds none.
            if len(together) == max(len(ours[kind]), len(theirs[kind])):
                continue
            rule = self._rules.of(kind)
            if rule.do_not_merge:
                return f"do_not_merge:{kind}"
            limit = rule.max_per_profile
            if limit is not None and self._most_within(together, rule.window) > limit:
                return f"limit:{kind}"
        return None

    def _most_within(self, values: set[int], window: timedelta | None) -> int:
        if window is None:
            return len(values)
        times = sorted(self._since[each] for each in values if each in self._since)
        most = first = 0
        for last, at in enumerate(times):
            while at - times[first] >= window:
                first += 1
            most = max(most, last - first + 1)
        # What tells no time may have been seen at any.
        return most + len(values) - len(times)

    def unite(self, one: int, other: int, root: int) -> None:
        ours, theirs = self._held.pop(one, {}), self._held.pop(other, {})
        if sum(map(len, ours.values())) < sum(map(len, theirs.values())):
            ours, theirs = theirs, ours
        for kind, values in theirs.items():
            ours.setdefault(kind, set()).update(values)
        if ours:
            self._held[root] = ours
