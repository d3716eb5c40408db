"""Who is who by the pages alone: the rules of `docs/concepts/identity.md`, in slow, plain Python.

Belongs here: the order of the rules over all identifiers at once, with sets that are looked through
from end to end. Does not belong here: anything of `cdp.identity` or of the models, which this is
held against, and how rows become edges.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Node = int
Parts = dict[Node, frozenset[Node]]
"""The set that each identifier is in."""


@dataclass(frozen=True)
class Seen:
    """An edge: two identifiers in one row, when first, and whether a source says they are one."""

    left: Node
    right: Node
    at: datetime | None
    said: bool = False


@dataclass(frozen=True)
class Label:
    number: int
    kind: str
    left: Node
    right: Node | None = None


@dataclass(frozen=True)
class Told:
    """Everything that was told.

    Attributes:
        identifiers: type and value of each; what cannot be read has no value.
        names: given names and surnames beside an identifier.
        types: the rows of the seed `identifier_types`, by type.
        signs: the seed `identity_signs`.
        blocked: the seed `blocked_values`: type and pattern.
    """

    identifiers: dict[Node, tuple[str, str | None]]
    edges: tuple[Seen, ...]
    labels: tuple[Label, ...] = ()
    names: dict[Node, frozenset[tuple[str | None, str | None]]] = field(default_factory=dict)
    types: dict[str, dict[str, Any]] = field(default_factory=dict)
    signs: dict[str, int] = field(default_factory=dict)
    blocked: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Answer:
    people: frozenset[frozenset[Node]]
    rejected: dict[tuple[Node, Node], str]


class Sets:
    """A partition, and pairs that may never come together."""

    def __init__(self, nodes: Iterable[Node], apart: Iterable[tuple[Node, Node]] = ()) -> None:
        self.of: Parts = {node: frozenset([node]) for node in nodes}
        self.apart = set(apart)

    def copy(self) -> Sets:
        made = Sets((), self.apart)
        made.of = dict(self.of)
        return made

    def together(self, one: Node, other: Node) -> bool:
        return other in self.of[one]

    def may_join(self, one: Node, other: Node) -> bool:
        ours, theirs = self.of[one], self.of[other]
        return not any(
            (a in ours and b in theirs) or (b in ours and a in theirs) for a, b in self.apart
        )

    def join(self, one: Node, other: Node) -> None:
        joined = self.of[one] | self.of[other]
        for node in joined:
            self.of[node] = joined

    def all(self, nodes: Iterable[Node]) -> set[frozenset[Node]]:
        return {self.of[node] for node in nodes}


class Oracle:
    """The answer to what was told, one rule after the other."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.rejected: dict[tuple[Node, Node], str] = {}
        self.nodes = {node for node in told.identifiers if not self.blocked_by(node)}
        self.edges = sorted(self._unblocked(), key=self.order)

    def kind(self, node: Node) -> str:
        return self.told.identifiers[node][0]

    def rule(self, node: Node, name: str) -> Any:
        types = self.told.types
        return types.get(self.kind(node), types.get("*", {})).get(name)

    def one_each(self, node: Node) -> bool:
        """Whether two values of its type are two people's."""
        if self.rule(node, "do_not_merge"):
            return True
        return self.rule(node, "max_per_profile") == 1 and self.rule(node, "window_days") is None

    def weakness(self, edge: Seen) -> int:
        ends = [self.rule(node, "priority") for node in (edge.left, edge.right)]
        return int(max(ends) * 1000 + min(ends))

    def order(self, edge: Seen) -> Any:
        """The stronger, then the earlier (no time is the latest), then the alphabet."""
        ends = sorted(self.told.identifiers[node] for node in (edge.left, edge.right))
        return self.weakness(edge), edge.at is None, (edge.at,) if edge.at else (), ends

    # --- 1: blocked values

    def blocked_by(self, node: Node) -> str | None:
        kind, value = self.told.identifiers[node]
        if value is None:
            return "unreadable"
        # Of a name that stands within a scope, the name.
        told = value.partition(":")[2] if kind == "name" else value
        found = any(of in ("*", kind) and re.search(what, told) for of, what in self.told.blocked)
        return "blocked" if found else None

    def _unblocked(self) -> Iterable[Seen]:
        for edge in self.told.edges:
            why = {self.blocked_by(edge.left), self.blocked_by(edge.right)} - {None}
            if not why:
                yield edge
            else:
                # What is said to be nobody's is told before what cannot be read.
                self.rejected[edge.left, edge.right] = (
                    "blocked" if "blocked" in why else "unreadable"
                )

    # --- 2: labels, and what is said to be one

    def labelled(self) -> Sets:
        sets = Sets(self.nodes)
        for label in sorted(self.told.labels, key=lambda one: (-one.number, one.kind == "join")):
            if label.right is None:
                continue
            if label.kind == "join" and sets.may_join(label.left, label.right):
                sets.join(label.left, label.right)
            if label.kind == "split" and not sets.together(label.left, label.right):
                sets.apart.add((label.left, label.right))
        return sets

    def said_to_be_one(self, labelled: Sets) -> Sets:
        """Ids of one type that a source or a person says are one; they count as one."""
        said = [
            edge
            for edge in self.edges
            if edge.said
            and self.kind(edge.left) == self.kind(edge.right)
            and not self.rule(edge.left, "do_not_merge")
        ]
        chains = Sets(self.nodes)
        for edge in said:
            chains.join(edge.left, edge.right)
        allowed, one = labelled.copy(), Sets(self.nodes)
        for edge in said:
            limit = self.rule(edge.left, "max_asserted")
            few = limit is None or len(chains.of[edge.left]) <= limit
            if few and allowed.may_join(edge.left, edge.right):
                allowed.join(edge.left, edge.right)
                one.join(edge.left, edge.right)
        for a in self.nodes:
            for b in labelled.of[a]:
                if self.kind(a) == self.kind(b):
                    one.join(a, b)
        return one

    # --- 3: bad values

    def bad_values(self, one: Sets) -> set[Node]:
        people: dict[Node, set[frozenset[Node]]] = defaultdict(set)
        beside: dict[Node, dict[str, set[Node]]] = defaultdict(lambda: defaultdict(set))
        for edge in self.edges:
            for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
                if self.kind(node) == self.kind(other):
                    continue
                if self.one_each(other):
                    people[node].add(one.of[other])
                if not self.rule_of_device(other):
                    beside[node][self.kind(other)].add(other)
        said: dict[Node, str] = {}
        for label in sorted(self.told.labels, key=lambda each: each.number):
            if label.kind in ("trust", "distrust"):
                said[label.left] = label.kind
        found = {node for node, kind in said.items() if kind == "distrust"}
        for node in self.nodes:
            if said.get(node) == "trust":
                continue
            most, many = self.rule(node, "max_values"), self.rule(node, "max_people")
            if most is not None and any(len(each) > most for each in beside[node].values()):
                found.add(node)
            if many is not None and (len(people[node]) > many or self.several_names({node}, set())):
                found.add(node)
        return found

    def rule_of_device(self, node: Node) -> bool:
        # A type that is not named is no device's, whatever holds for the types that are not named.
        return bool(self.told.types.get(self.kind(node), {}).get("is_device"))

    # --- 4: plausibility

    def several_names(self, group: Iterable[Node], bad: set[Node]) -> bool:
        told = [name for node in group if node not in bad for name in self.told.names.get(node, ())]
        signs = self.told.signs
        if "given_names" not in signs or "surnames" not in signs:
            return False
        given = {name for name, _ in told if name is not None}
        surnames = {name for _, name in told if name is not None}
        return len(given) > signs["given_names"] and len(surnames) > signs["surnames"]

    def implausible(self, group: Iterable[Node], bad: set[Node]) -> bool:
        own = sum(not self.rule_of_device(node) for node in group)
        allowed = self.told.signs.get("identifiers")
        return (allowed is not None and own > allowed) or self.several_names(group, bad)

    def grouped(self, firm: Sets, edges: Iterable[Seen]) -> Sets:
        groups = firm.copy()
        for edge in edges:
            if groups.may_join(edge.left, edge.right):
                groups.join(edge.left, edge.right)
        return groups

    def too_weak(
        self, group: frozenset[Node], edges: list[Seen], firm: Sets, bad: set[Node]
    ) -> set[Seen]:
        """What an implausible group loses: its weakest class, and so on, but for what changes
        nothing: within a part, or of an identifier that stands beside one part only."""
        if not edges:
            return set()
        weakest = max(map(self.weakness, edges))
        lost = {edge for edge in edges if self.weakness(edge) == weakest}
        kept = [edge for edge in edges if edge not in lost]
        parts = self.grouped(firm, kept).of
        fine = {part for part in map(parts.get, group) if part and not self.implausible(part, bad)}
        across = {edge for edge in lost if parts[edge.left] != parts[edge.right]}
        harmless = {edge for edge in lost - across if parts[edge.left] in fine}
        near: dict[Node, set[frozenset[Node]]] = defaultdict(set)
        for edge in across:
            for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
                if len(parts[node]) == 1:
                    near[node].add(parts[other])
        for part in fine:
            followers = {node for node, others in near.items() if others == {part}}
            if len(part) > 1 and not self.implausible(part | followers, bad):
                harmless |= {edge for edge in across if {edge.left, edge.right} & followers}
        lost -= harmless
        for part in {parts[node] for node in group} - fine:
            lost |= self.too_weak(part, [e for e in kept if {e.left, e.right} <= part], firm, bad)
        return lost

    # --- 5: limits

    def broken(self, ours: frozenset[Node], theirs: frozenset[Node], one: Sets) -> str | None:
        for kind in sorted({self.kind(node) for node in ours} & {self.kind(n) for n in theirs}):
            mine = {one.of[node] for node in ours if self.kind(node) == kind}
            other = {one.of[node] for node in theirs if self.kind(node) == kind}
            both = mine | other
            if both in (mine, other):
                continue
            example = next(node for node in ours if self.kind(node) == kind)
            if self.rule(example, "do_not_merge"):
                return f"do_not_merge:{kind}"
            limit = self.rule(example, "max_per_profile")
            if limit is not None and self.at_once(both, self.rule(example, "window_days")) > limit:
                return f"limit:{kind}"
        return None

    def at_once(self, values: set[frozenset[Node]], days: int | None) -> int:
        """The most values that were first seen within one period; one without a time always was."""
        if days is None:
            return len(values)
        first = [
            min((e.at for e in self.edges if e.at and {e.left, e.right} & value), default=None)
            for value in values
        ]
        times = [at for at in first if at is not None]
        most = max(
            (sum(at <= each < at + timedelta(days) for each in times) for at in times), default=0
        )
        return most + len(values) - len(times)

    # --- all of them

    def answer(self) -> Answer:
        labelled = self.labelled()
        one = self.said_to_be_one(labelled)
        bad = self.bad_values(one)
        good = [edge for edge in self.edges if not {edge.left, edge.right} & bad]
        left_out = {edge: "bad_value" for edge in self.edges if edge not in good}
        said = [edge for edge in good if edge.said and one.together(edge.left, edge.right)]
        rest = [edge for edge in good if edge not in said]
        firm = labelled.copy()
        for edge in said:
            firm.join(edge.left, edge.right)
        for group in self.grouped(firm, rest).all(self.nodes):
            if len(group) > 1 and self.implausible(group, bad):
                inside = [edge for edge in rest if {edge.left, edge.right} <= group]
                for edge in self.too_weak(group, inside, firm, bad):
                    left_out[edge] = "implausible"
        people = labelled.copy()
        for edge in [*said, *(edge for edge in rest if edge not in left_out)]:
            ours, theirs = people.of[edge.left], people.of[edge.right]
            if ours == theirs:
                continue
            if not people.may_join(edge.left, edge.right):
                left_out[edge] = "split"
            elif why := self.broken(ours, theirs, one):
                left_out[edge] = why
            else:
                people.join(edge.left, edge.right)
        missed = {
            (edge.left, edge.right): why
            for edge, why in left_out.items()
            if not people.together(edge.left, edge.right)
        }
        return Answer(frozenset(people.all(self.nodes)), self.rejected | missed)


def answer(told: Told) -> Answer:
    """Who is one person, and which edges join nobody, by which rule."""
    return Oracle(told).answer()
