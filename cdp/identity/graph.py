"""What solving works on: identifiers, the edges and labels between them, and sets of them.

Belongs here: these few shapes. Does not belong here: any rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Identifier:
    """One identifier: its type and its normalised value."""

    type: str
    value: str


@dataclass(frozen=True)
class Edge:
    """Two identifiers seen together, or likely one person's.

    Attributes:
        left, right: births of the two.
        weakness: less for stronger evidence; edges of one weakness are one class.
        first_occurred_at: when they were first seen together (naive UTC); None if no row says.
        is_asserted: a source itself says that the two are one (an alias, merged accounts).
        is_likely: no row has told them together; matching finds that they are likely one person's.
    """

    left: int
    right: int
    weakness: int
    first_occurred_at: datetime | None
    is_asserted: bool = False
    is_likely: bool = False


@dataclass(frozen=True)
class Label:
    """What a person has said of two identifiers.

    Attributes:
        number: of two labels that contradict each other, the one with the higher number holds.
        kind: `join` if they are one person's, `split` if they are not.
        left, right: births of the two.
    """

    number: int
    kind: Literal["join", "split"]
    left: int
    right: int


@dataclass(frozen=True)
class Name:
    """A name that a row told beside an identifier; None where it told no such part."""

    given: str | None
    surname: str | None


@dataclass(frozen=True)
class Component:
    """Everything that hangs together before any rule is applied.

    Attributes:
        identifiers: the identifier that each birth stands for.
        edges: all edges between them.
        labels: all labels whose two identifiers are both here.
        names: the names that were told beside an identifier.
        verdicts: what a person has said of a value: whether it may tell somebody.
    """

    identifiers: dict[int, Identifier]
    edges: tuple[Edge, ...]
    labels: tuple[Label, ...] = ()
    names: dict[int, frozenset[Name]] = field(default_factory=dict)
    verdicts: dict[int, bool] = field(default_factory=dict)


class Union:
    """Sets of births, each called after its least, some of which are kept apart for good."""

    def __init__(self, nodes: Iterable[int]) -> None:
        self._parent = {node: node for node in nodes}
        self._apart: dict[int, set[int]] = {}

    def copy(self) -> Union:
        made = Union(())
        made._parent = dict(self._parent)
        made._apart = {root: set(others) for root, others in self._apart.items()}
        return made

    def within(self, nodes: Collection[int]) -> Union:
        """These of the births alone; no set of them may hold any other."""
        made = Union(())
        made._parent = {node: self.root(node) for node in nodes}
        for root in set(made._parent.values()) & self._apart.keys():
            made._apart[root] = {each for each in self._apart[root] if each in made._parent}
        return made

    def root(self, node: int) -> int:
        parent = self._parent
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def may_unite(self, one: int, other: int) -> bool:
        first, second = self.root(one), self.root(other)
        return not any(self.root(each) == second for each in self._apart.get(first, ()))

    def unite(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        if first == second:
            return
        self._parent[second] = first
        if apart := self._apart.pop(second, None):
            self._apart.setdefault(first, set()).update(apart)

    def keep_apart(self, one: int, other: int) -> None:
        """From now on the two may not be united; they must not be yet."""
        self._apart.setdefault(self.root(one), set()).add(other)
        self._apart.setdefault(self.root(other), set()).add(one)

    def sets(self, nodes: Iterable[int]) -> dict[int, list[int]]:
        """Those of the nodes that are in one set, by what it is called after."""
        found: dict[int, list[int]] = {}
        for node in nodes:
            found.setdefault(self.root(node), []).append(node)
        return found
