"""The labels that stand with the project: the seed `identity_labels`.

Belongs here: what its rows say in the spelling of their types, and which of them cannot all be so.
Does not belong here: the form of a row (`cdp.config.label_rows`), what was recorded
(`label_record`), what a label does to people (the models, which read the same rows).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cdp.config.identity_rules import ANY_TYPE, normalisers, seed_of
from cdp.identity.identifiers import Identifier
from cdp.identity.label_file import contradiction, read_labels
from cdp.identity.labels import Claim, Label, LabelRefused, SaidAlready, Standing
from cdp.identity.spelling import normaliser_of, spelled
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import Warehouse

SEED = "identity_labels"


@dataclass(frozen=True)
class SeedLabels:
    """What the seed says.

    Attributes:
        labels: those that can all be so, numbered by their lines and told by them.
        problems: the other rows, by their lines, with what is wrong.
    """

    labels: tuple[Label, ...]
    problems: tuple[tuple[int, str], ...]


def seed_labels(settings: Settings, instead: Mapping[str, Path] | None = None) -> SeedLabels:
    """Read the seed.

    Args:
        instead: files to read in place of seeds, by the seeds' names.

    Raises:
        WrongFile: it has other columns, or is no CSV in UTF-8.
    """
    path = (instead or {}).get(SEED) or seed_of(settings, SEED)
    rows, problems = read_labels(path)
    spell = _Speller(settings, instead)
    standing = Standing()
    labels: list[Label] = []
    for row in rows:
        try:
            claim = spell.claim(row.claim)
            standing.refuse(claim)
        except LabelRefused as error:
            said = isinstance(error, SaidAlready)
            problems.append((row.line, str(error) if said else contradiction(error, {})))
        except ValueError as error:
            problems.append((row.line, str(error)))
        else:
            origin = f"{path.name}:{row.line}"
            label = Label(row.line, claim, row.author, row.reason, None, origin=origin)
            labels.append(label)
            standing.add(label)
    return SeedLabels(tuple(labels), tuple(sorted(problems)))


def overruled(labels: Iterable[Label], recorded: Iterable[Label]) -> Iterator[tuple[Label, str]]:
    """Labels of the seed that contradict what was recorded, which holds, and what they contradict.

    Args:
        recorded: the labels of the record that are in force.
    """
    standing = Standing(recorded)
    for label in labels:
        try:
            standing.refuse(label.claim)
        except SaidAlready:
            continue
        except LabelRefused as error:
            yield label, contradiction(error, {})


def loaded(warehouse: Warehouse, labels: Iterable[Label]) -> list[Label]:
    """Those of the seed's labels that the warehouse has been given: the file may be newer."""
    if not warehouse.has_table("staging", SEED):
        return []
    spell = _Speller(warehouse.settings)
    given = set()
    for kind, *ends in warehouse.rows(
        f"SELECT kind, left_type, left_value, right_type, right_value FROM staging.{SEED}"
    ):
        pairs = [(ends[0], ends[1])] + ([(ends[2], ends[3])] if ends[2] and ends[3] else [])
        found = [Identifier(each.strip(), value.strip()) for each, value in pairs]
        given.add((kind.strip(), frozenset(spell.identifier(each) for each in found)))
    return [label for label in labels if (label.claim.kind, label.claim.ends) in given]


class _Speller:
    """Identifiers as their types are spelled, by the rules as they are declared."""

    def __init__(self, settings: Settings, instead: Mapping[str, Path] | None = None) -> None:
        self._normalisers = normalisers(settings, instead)
        self._country = settings.default_country

    def identifier(self, meant: Identifier) -> Identifier | None:
        """The identifier, or None where its type cannot have the value."""
        rule = self._normalisers.get(meant.type, self._normalisers.get(ANY_TYPE, "exact"))
        value = spelled(meant.value, normaliser_of(meant.type, rule), self._country)
        return None if value is None else Identifier(meant.type, value)

    def claim(self, claim: Claim) -> Claim:
        """The claim of such identifiers.

        Raises:
            ValueError: a value is none that its type can have; tells which, and no value.
        """
        found = []
        for side, end in (("left", claim.left), ("right", claim.right)):
            if end is None:
                continue
            identifier = self.identifier(end)
            if identifier is None:
                raise ValueError(f"{side}_value: the value is none that a {end.type} can have")
            found.append(identifier)
        return Claim(claim.kind, *found)
