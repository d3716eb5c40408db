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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cdp.identity.graph import Component, Edge, Identifier, Label, Name, Union
from cdp.identity.limits import Held
from cdp.identity.plausibility import Finding, sign_of, stars, thinned
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
        nobodys: values that are nobody's own, but for those that somebody has joined with others.
    """

    profiles: dict[int, int]
    rejected: tuple[tuple[Edge, str], ...]
    same_as: dict[int, int]
    findings: tuple[Finding, ...] = ()
    nobodys: frozenset[int] = frozenset()


def solve(component: Component, rules: Rules) -> Solution:
    """Join identifiers along edges in canonical order, leaving out those that break a rule.

    What a person has said holds before anything else. Then a value that stands beside more people
    than its type allows is nobody's own: all its edges are left out. What is left comes apart, and
    each part is looked at by itself. A group that is implausible as one person loses its weakest
    classes of edges until it is none. Of the rest each edge counts unless it would give a profile
    more values of a type than one person has; ids that sources say are one count as one.
    """
    labelled = _labelled(component.labels, component.identifiers)
    believed = _believed(component, labelled, rules)
    nobodys = _nobodys(component, believed, rules)
    # What was told beside a value that is nobody's tells of nobody.
    own = {node: names for node, names in component.names.items() if node not in nobodys}
    profiles: dict[int, int] = {}
    rejected: list[tuple[Edge, str]] = []
    findings: list[Finding] = []
    for part, touching in _parts(replace(component, names=own), nobodys):
        if _is_one_person(part, believed, rules):
            first = min(part.identifiers)
            profiles |= dict.fromkeys(part.identifiers, first)
            continue
        solved = _solved(part, touching, labelled.within(part.identifiers), believed, rules)
        profiles |= solved.profiles
        rejected += solved.rejected
        findings += solved.findings
    if nobodys:
        rejected += [
            (edge, BAD_VALUE)
            for edge in component.edges
            if edge.left in nobodys or edge.right in nobodys
        ]
    classes = Counter(believed.root(node) for node in component.identifiers)
    # A value that a person has joined with a group may be the first of it; one entry tells of both.
    alone = nobodys - {finding.first for finding in findings}
    return Solution(
        profiles,
        # An edge whose ends are one person's all the same was not missed.
        tuple(
            (edge, rule) for edge, rule in rejected if profiles[edge.left] != profiles[edge.right]
        ),
        {
            node: believed.root(node)
            for node in component.identifiers
            if classes[believed.root(node)] > 1
        },
        (*findings, *stars(alone, component, rules.signs)),
        _alone(nobodys, profiles),
    )


def _alone(nodes: Collection[int], profiles: Mapping[int, int]) -> frozenset[int]:
    """Those of the nodes that share their profile with nobody."""
    if not nodes:
        return frozenset()
    members = Counter(profiles.values())
    return frozenset(node for node in nodes if members[profiles[node]] == 1)


def _parts(
    component: Component, nobodys: Collection[int]
) -> Iterator[tuple[Component, Sequence[Edge]]]:
    """What still hangs together, by edges that may count or by what people have said, when values
    that are nobody's own are taken out; and beside each part all edges that touch it."""
    identifiers = component.identifiers
    together = Union(identifiers)
    for edge in component.edges:
        if edge.left not in nobodys and edge.right not in nobodys:
            together.unite(edge.left, edge.right)
    for label in component.labels:
        together.unite(label.left, label.right)
    root = {node: together.root(node) for node in identifiers}
    members: dict[int, dict[int, Identifier]] = defaultdict(dict)
    for node, identifier in identifiers.items():
        members[root[node]][node] = identifier
    edges: dict[int, list[Edge]] = defaultdict(list)
    touching: dict[int, list[Edge]] = defaultdict(list)
    for edge in component.edges:
        left, right = root[edge.left], root[edge.right]
        touching[left].append(edge)
        if left != right:
            touching[right].append(edge)
        if edge.left not in nobodys and edge.right not in nobodys:
            edges[left].append(edge)
    labels: dict[int, list[Label]] = defaultdict(list)
    for label in component.labels:
        labels[root[label.left]].append(label)
    names: dict[int, dict[int, frozenset[Name]]] = defaultdict(dict)
    for node, told in component.names.items():
        names[root[node]][node] = told
    for first in sorted(members):
        part = Component(
            members[first], tuple(edges[first]), tuple(labels[first]), names.get(first, {})
        )
        yield part, touching[first]


def _is_one_person(part: Component, believed: Union, rules: Rules) -> bool:
    """Whether no rule has anything to say on a part: nobody has spoken, no limit is passed and no
    sign shown, were all of it one person. Then it is, in whatever order its edges come."""
    if len(part.identifiers) == 1:
        return True
    if part.labels or sign_of(part.identifiers, part, rules) is not None:
        return False
    held: dict[str, set[int]] = defaultdict(set)
    for node, identifier in part.identifiers.items():
        held[identifier.type].add(node)
    for kind, nodes in held.items():
        rule = rules.of(kind)
        limit = 1 if rule.do_not_merge else rule.max_per_profile
        if limit is None or len(nodes) <= limit:
            continue
        if len({believed.root(node) for node in nodes}) > limit:
            return False
    return True


def _solved(
    part: Component, touching: Sequence[Edge], labelled: Union, believed: Union, rules: Rules
) -> Solution:
    """One part, edge by edge.

    Args:
        touching: all edges of its identifiers, which tell since when each is known.
    """
    ordered = sorted(part.edges, key=lambda edge: _order(edge, part.identifiers))
    # What a source says is one stays one, also where it is told as implausible.
    said = {
        edge
        for edge in ordered
        if edge.is_asserted and believed.root(edge.left) == believed.root(edge.right)
    }
    firm = labelled.copy()
    for edge in said:
        firm.unite(edge.left, edge.right)
    doubtful = [edge for edge in ordered if edge not in said]
    kept, left_out, findings = thinned(part, doubtful, firm, rules)
    rejected = [(edge, IMPLAUSIBLE) for edge in left_out]
    joined = labelled.copy()
    held = Held(part, touching, believed, rules)
    held.begin(joined)

    # Ids that are one are put together before anything else is.
    for edge in [*(edge for edge in ordered if edge in said), *kept]:
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
    profiles = {node: joined.root(node) for node in part.identifiers}
    return Solution(profiles, tuple(rejected), {}, tuple(findings))


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
    # Of two in the seed, which have no order, the one that keeps apart.
    return (-label.number, label.kind == "join", ends)


def _believed(component: Component, labelled: Union, rules: Rules) -> Union:
    """Ids that are one: because a source says so, or a person does.

    Of more than a type allows nothing that a source says is believed: a terminal that calls
    everybody who signs in an alias of the one before makes nobody anybody.
    """
    identifiers = component.identifiers
    asserted = [
        edge
        for edge in component.edges
        if edge.is_asserted
        and identifiers[edge.left].type == identifiers[edge.right].type
        and not rules.of(identifiers[edge.left].type).do_not_merge
    ]
    asserted.sort(key=lambda edge: _order(edge, identifiers))
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
    identifiers, verdicts = component.identifiers, component.verdicts
    rule_of = {identifier.type: rules.of(identifier.type) for identifier in identifiers.values()}
    # Most values are asked nothing: a person may have any number of devices.
    people: dict[int, set[int]] = {}
    beside: dict[int, Counter[str]] = {}
    for node, identifier in identifiers.items():
        rule = rule_of[identifier.type]
        if verdicts.get(node):
            continue
        if rule.max_people is not None:
            people[node] = set()
        if rule.max_values is not None:
            beside[node] = Counter()
    for edge in component.edges:
        # What is merely likely must not take away what rows have told.
        if edge.is_likely:
            continue
        for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
            if node not in people and node not in beside:
                continue
            kind = identifiers[other].type
            if kind == identifiers[node].type:
                continue
            if node in beside and kind not in rules.devices:
                beside[node][kind] += 1
            if node in people and rule_of[kind].one_per_profile:
                people[node].add(believed.root(other))
    found = {node for node, told in verdicts.items() if not told}
    for node, others in people.items():
        allowed = rule_of[identifiers[node].type].max_people
        if (allowed is not None and len(others) > allowed) or rules.signs.in_names(
            component.names.get(node, ())
        ):
            found.add(node)
    for node, counted in beside.items():
        allowed = rule_of[identifiers[node].type].max_values
        if allowed is not None and max(counted.values(), default=0) > allowed:
            found.add(node)
    return found
