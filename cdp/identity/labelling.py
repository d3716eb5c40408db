"""Taking labels: from what somebody says to rows of the record, or to why not.

Belongs here: looking up what a label speaks of, holding it against the labels in force, and
recording it. Does not belong here: how it is said (`cdp.commands.identity`, `label_file`), what is
in force (`labels`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdp.identity.identifiers import NoIdentifier
from cdp.identity.label_file import FileRow, WrongFile, contradiction
from cdp.identity.label_record import Said, record, recorded
from cdp.identity.labels import (
    Claim,
    Kind,
    Label,
    LabelRefused,
    SaidAlready,
    Standing,
    in_force,
)
from cdp.identity.looking_up import NeverSeen, Seen
from cdp.identity.seed_labels import seed_labels
from cdp.warehouse.runs import utc_now
from cdp.warehouse.store import Warehouse


class NoSuchLabel(LookupError):
    """There is no label of that number in force."""


@dataclass(frozen=True)
class Taken:
    """What became of a file: labels that are in force now, and rows that said nothing new."""

    labels: Sequence[Label]
    known: int


def take(
    warehouse: Warehouse,
    kind: Kind,
    texts: Sequence[str],
    *,
    author: str,
    reason: str,
    declared_types: Iterable[str] = (),
    unseen: bool = False,
) -> Label:
    """Record a label about one identifier or two, each told as `type:value`.

    Raises:
        NothingBuilt, NoIdentifier, NeverSeen: see `Seen`.
        LabelRefused: it says nothing new, or contradicts what is in force.
    """
    seen = Seen(warehouse, declared_types)
    ends = []
    for place, text in zip(("first", "second"), texts, strict=False):
        try:
            ends.append(seen.find(text, unseen=unseen))
        except (NoIdentifier, NeverSeen) as error:
            told = f"the {place} identifier: {error}" if len(texts) > 1 else str(error)
            raise type(error)(told) from error
    claim = Claim(kind, *ends)
    _standing(warehouse, recorded(warehouse)).refuse(claim)
    (label,) = record(warehouse, [Said(claim, author, reason)])
    return label


def take_back(warehouse: Warehouse, number: int, *, author: str, reason: str) -> Label:
    """Record that a label is taken back, and answer the label.

    Raises:
        NoSuchLabel: none of that number is in force.
    """
    rows = recorded(warehouse)
    for label in in_force(rows):
        if label.number == number:
            record(warehouse, [Said(label.claim, author, reason, removes=number)])
            return label
    for row in rows:
        if row.number == number and row.removes is not None:
            raise NoSuchLabel(
                f"{number} takes back label {row.removes}, which can be put on again as a new one"
            )
        if row.removes == number:
            raise NoSuchLabel(f"label {number} was taken back already, by number {row.number}")
    raise NoSuchLabel(f"there is no label {number}; `cdp identity labels` lists them")


def take_file(
    warehouse: Warehouse,
    path: Path,
    rows: Sequence[FileRow],
    problems: Sequence[tuple[int, str]],
    *,
    declared_types: Iterable[str] = (),
    unseen: bool = False,
) -> Taken:
    """Record the labels of a file, all of them or none; what is in force already is left out.

    Args:
        rows: of the file, those that can be read.
        problems: the lines of the others, with what was expected.

    Raises:
        WrongFile: not every row can be taken.
        NothingBuilt: no run has built the identities yet.
    """
    seen = Seen(warehouse, declared_types)
    seen.look_up(end for row in rows for end in row.claim.ends)
    before = recorded(warehouse)
    standing = _standing(warehouse, before)
    wrong = list(problems)
    said: list[Said] = []
    lines: dict[int, int] = {}
    known = 0
    for row in rows:
        try:
            claim = _looked_up(row.claim, seen, unseen=unseen)
            standing.refuse(claim)
        except SaidAlready:
            known += 1
        except LabelRefused as error:
            wrong.append((row.line, contradiction(error, lines)))
        except (NoIdentifier, NeverSeen) as error:
            wrong.append((row.line, str(error)))
        else:
            said.append(Said(claim, row.author, row.reason))
            number = len(before) + len(said)
            lines[number] = row.line
            standing.add(Label(number, claim, row.author, row.reason, utc_now()))
    if wrong:
        raise WrongFile(path, sorted(wrong))
    return Taken(record(warehouse, said), known)


def _looked_up(claim: Claim, seen: Seen, *, unseen: bool) -> Claim:
    found = []
    for side, end in (("left", claim.left), ("right", claim.right)):
        if end is None:
            continue
        try:
            found.append(seen.find_of(end.type, end.value, unseen=unseen))
        except (NoIdentifier, NeverSeen) as error:
            raise type(error)(f"{side}_type and {side}_value: {error}") from error
    return Claim(claim.kind, *found)


def _standing(warehouse: Warehouse, rows: Iterable[Label]) -> Standing:
    """All labels in force, those of the seed included."""
    return Standing((*in_force(rows), *seed_labels(warehouse.settings).labels))
