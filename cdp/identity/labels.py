"""Labels: what people have said of who is who, and whether all of it can be so.

Belongs here: which labels are in force, given every row that was ever recorded, and whether one
more says what is said already or contradicts it. Pure. Does not belong here: reading or recording
them (`label_record`), what a label does to people (the models).

Being one person is passed on: where A is joined with B and B with C, splitting A from C contradicts
both. Being two people is not, but for what is joined with either.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cdp.config.label_rows import KINDS as KINDS
from cdp.config.label_rows import OF_TWO as OF_TWO
from cdp.config.label_rows import Kind as Kind
from cdp.identity.identifiers import Identifier


@dataclass(frozen=True)
class Claim:
    """What a label says.

    Attributes:
        kind: join (one person's), split (two people's), distrust (the value is nobody's own), trust
            (a value that the rules found to be nobody's own counts again).
        left: the identifier.
        right: the other one; None for trust and distrust.
    """

    kind: Kind
    left: Identifier
    right: Identifier | None = None

    @property
    def ends(self) -> frozenset[Identifier]:
        """The identifiers that it speaks of; their order says nothing."""
        return frozenset(end for end in (self.left, self.right) if end is not None)

    def says_the_same(self, other: Claim) -> bool:
        """Whether it says what another claim says."""
        return self.kind == other.kind and self.ends == other.ends


@dataclass(frozen=True)
class Label:
    """One row of the record, or of the seed.

    Attributes:
        number: its number, from 1 without gaps; of one in the seed, its line there.
        claim: what it says; of a row that takes one back, what that one said.
        author: who says so.
        reason: why.
        recorded_at: when (naive UTC); None of one in the seed.
        removes: the number of the label that this row takes back; None where it is a label.
        origin: where it stands, as file:line, of one in the seed; None of one that was recorded.
    """

    number: int
    claim: Claim
    author: str
    reason: str
    recorded_at: datetime | None
    removes: int | None = None
    origin: str | None = None

    @property
    def called(self) -> str:
        """What people call it."""
        return self.origin or f"label {self.number}"


class LabelRefused(ValueError):
    """A label cannot be taken; tells no value.

    Attributes:
        against: the labels that stand in its way.
        why: what they say to the contrary.
    """

    def __init__(self, message: str, against: Iterable[Label] = (), why: str = "") -> None:
        self.against, self.why = tuple(against), why
        super().__init__(message)


class SaidAlready(LabelRefused):
    """A label in force says the same."""


def in_force(rows: Iterable[Label]) -> tuple[Label, ...]:
    """The labels that count, in the order of their numbers: all that no row has taken back."""
    ordered = sorted(rows, key=lambda row: row.number)
    taken_back = {row.removes for row in ordered}
    return tuple(row for row in ordered if row.removes is None and row.number not in taken_back)


class Standing:
    """Labels in force, which do not contradict each other."""

    def __init__(self, labels: Iterable[Label] = ()) -> None:
        self._by_claim: dict[tuple[Kind, frozenset[Identifier]], Label] = {}
        self._about: dict[tuple[Kind, Identifier], list[Label]] = defaultdict(list)
        for label in labels:
            self.add(label)

    def add(self, label: Label) -> None:
        """Let one more stand, which `refuse` has let pass."""
        claim = label.claim
        self._by_claim.setdefault((claim.kind, claim.ends), label)
        for end in sorted(claim.ends):
            self._about[claim.kind, end].append(label)

    def refuse(self, claim: Claim) -> None:
        """Let a claim pass that can stand beside the labels in force.

        Raises:
            SaidAlready: one of them says the same.
            LabelRefused: they say the contrary, or the claim says nothing.
        """
        if claim.left == claim.right:
            raise LabelRefused("both identifiers are the same one; a label speaks of two")
        same = self._by_claim.get((claim.kind, claim.ends))
        if same is not None:
            raise SaidAlready(f"{same.called} says the same already", [same])
        against = self.contradicted(claim)
        if against:
            why = _why(claim, against)
            first = "one of them" if len(against) > 1 else "it"
            raise LabelRefused(
                f"it contradicts {_told(against)}: {why}; take {first} back first "
                f"({_how(against)})",
                against,
                why,
            )

    def contradicted(self, claim: Claim) -> tuple[Label, ...]:
        """The fewest labels in force that cannot all be so together with a claim, by their numbers;
        none where it can be so."""
        match claim.kind:
            case "trust":
                found = self._first("distrust", claim.left)
            case "distrust":
                # What is joined with another identifier is somebody's.
                found = self._first("trust", claim.left) or self._first("join", claim.left)
            case "split":
                assert claim.right is not None, "a split speaks of two"
                found = self._joined_from(claim.left).get(claim.right, [])
            case "join":
                found = self._against_joining(claim)
        return tuple(sorted(found, key=lambda label: label.number))

    def _first(self, kind: Kind, end: Identifier) -> list[Label]:
        return self._about[kind, end][:1]

    def _against_joining(self, claim: Claim) -> list[Label]:
        assert claim.right is not None, "a join speaks of two"
        for end in (claim.left, claim.right):
            if found := self._first("distrust", end):
                return found
        left, right = self._joined_from(claim.left), self._joined_from(claim.right)
        impossible = [
            [label, *chain, *right[other]]
            for end, chain in left.items()
            for label in self._about["split", end]
            for other in label.claim.ends - {end}
            if other in right
        ]
        return min(impossible, key=lambda labels: (len(labels), labels[0].number), default=[])

    def _joined_from(self, end: Identifier) -> dict[Identifier, list[Label]]:
        """All that joins make one with an identifier, each with a shortest chain of joins to it."""
        chains: dict[Identifier, list[Label]] = {end: []}
        waiting = deque([end])
        while waiting:
            at = waiting.popleft()
            for label in self._about["join", at]:
                for neighbour in label.claim.ends - {at}:
                    if neighbour not in chains:
                        chains[neighbour] = [*chains[at], label]
                        waiting.append(neighbour)
        return chains


def _told(labels: Sequence[Label]) -> str:
    numbers = [str(label.number) for label in labels if label.origin is None]
    told = [label.origin for label in labels if label.origin is not None]
    if numbers:
        *others, last = numbers
        told.insert(0, f"labels {', '.join(others)} and {last}" if others else f"label {last}")
    return " and ".join(told)


def _how(labels: Sequence[Label]) -> str:
    """How labels are taken back."""
    ways = ["`cdp identity rm NUMBER`"] if any(label.origin is None for label in labels) else []
    if any(label.origin is not None for label in labels):
        ways.append("a row of the seed by taking it out there")
    return ", ".join(ways)


def _why(claim: Claim, against: Sequence[Label]) -> str:
    match claim.kind:
        case "split":
            return "by what is joined there both are one person's"
        case "join" if any(each.claim.kind == "distrust" for each in against):
            return "one of both is said to be nobody's own"
        case "join":
            return "by what is split there both are two people's"
        case "distrust" if against[0].claim.kind == "join":
            return "the value is said to be one person's with another one"
        case "distrust":
            return "the value is said to count"
        case _:
            return "the value is said to be nobody's own"
