"""On contributors whom people have told apart, matching finds more of them and wrongs nobody.

Belongs here: deterministic rules with matching beside them, over the distinct pairs of name and
e-mail. Does not belong here: the deterministic rules of the models (`tests/models`); here stand
their like, so that what matching adds is seen on its own.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

import pyarrow.parquet as pq
import pytest

from cdp.config.matching import MatchingModel
from cdp.identity.matching.scoring import candidates
from cdp.identity.matching.training import train
from cdp.identity.names import plain_name
from tests.identity.matching_data import (
    Fit,
    fit_of_groups,
    model_of,
    probabilities_of,
    records_of,
)
from tests.services.real_data import DataSets

Pair = tuple[int, int]

CONTRIBUTORS = """
matching:
  contributors:
    within: [people]
    derive:
      # An address such as anna.berg@… or a forge's anna-berg says the name of whom it is of.
      called: [plain name, words of email]
      given: first word of called
      family: last word of called
      mailbox: local part of email
      login: login of email
    # Names and addresses are compared for equality and names for likeness; likeness of addresses
    # is not compared, since they are made of names and would say the same again.
    compare: {given: name, family: name, mailbox: handle, login: handle}
    block:
      - [called]
      - [given]
      - [family]
      - [mailbox]
      - [login]
    train:
      - [called]
      - [email]
    certain:
      rules: [[email], [called]]
      recall: 0.85
    accept: 0.95
    review: 0.5
"""


class Contributors:
    """Distinct pairs of name and e-mail, each with the person it is of."""

    def __init__(self, rows: Sequence[dict[str, str | None]]) -> None:
        self.rows = rows
        self.persons = [str(row["person_id"]) for row in rows]
        self.records = records_of(rows, ["name", "email"])

    def of(self, persons: set[str]) -> Contributors:
        """Those of some persons alone."""
        return Contributors([row for row in self.rows if row["person_id"] in persons])


@pytest.fixture(scope="module")
def contributors(real_data: DataSets) -> Contributors:
    events = pq.read_table(real_data / "contributors/events.parquet")
    persons = pq.read_table(real_data / "contributors/truth.parquet")
    joined = events.join(persons, "event_id").group_by(["author_name", "author_email"])
    rows = joined.aggregate([("person_id", "min"), ("person_id", "max")]).to_pylist()
    assert all(row["person_id_min"] == row["person_id_max"] for row in rows)
    told = [
        {
            "name": row["author_name"],
            "email": row["author_email"],
            "person_id": row["person_id_min"],
        }
        for row in rows
    ]
    return Contributors(sorted(told, key=lambda row: (str(row["name"]), str(row["email"]))))


@pytest.fixture(scope="module")
def model() -> MatchingModel:
    return model_of(CONTRIBUTORS, ["name", "email"])


def sure_pairs(rows: Sequence[dict[str, str | None]]) -> set[Pair]:
    """Equal e-mails, but for one that stands beside more than three given names and surnames; and
    equal plain names."""
    by_email: dict[str | None, list[int]] = defaultdict(list)
    by_name: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        by_email[row["email"]].append(index)
        if name := plain_name(row["name"]):
            by_name[name].append(index)
    groups = list(by_name.values())
    for members in by_email.values():
        words = [(plain_name(rows[each]["name"]) or "").split(" ") for each in members]
        if len({each[0] for each in words}) <= 3 or len({each[-1] for each in words}) <= 3:
            groups.append(members)
    return {(group[0], other) for group in groups for other in group[1:]}


def joined(size: int, pairs: Iterable[Pair]) -> list[int]:
    """Of each record the least that pairs join it with."""
    root = list(range(size))

    def of(node: int) -> int:
        while root[node] != node:
            node = root[node]
        return node

    for one, other in pairs:
        low, high = sorted((of(one), of(other)))
        root[high] = low
    return [of(each) for each in range(size)]


def accepted(learned_from: Contributors, people: Contributors, model: MatchingModel) -> set[Pair]:
    """The pairs that matching counts as one person."""
    found = candidates(people.records, model, train(learned_from.records, model))
    return {pair for pair, each in probabilities_of(found).items() if each >= model.accept}


def fit(people: Contributors, pairs: Iterable[Pair]) -> Fit:
    return fit_of_groups(joined(len(people.rows), pairs), people.persons)


@pytest.mark.slow
def test_matching_finds_more_of_everybody_and_wrongs_nobody(
    contributors: Contributors, model: MatchingModel
) -> None:
    sure = sure_pairs(contributors.rows)
    alone = fit(contributors, sure)
    likely = accepted(contributors, contributors, model)
    both = fit(contributors, sure | likely)
    print(f"\ndeterministic: {alone}; with matching from {model.accept}: {both}")
    assert alone.precision >= 0.99
    assert both.precision >= 0.99
    assert both.recall > alone.recall + 0.005


@pytest.mark.slow
def test_what_is_learned_of_some_people_holds_for_others(
    contributors: Contributors, model: MatchingModel
) -> None:
    """So that the settings are not made for the very people that they were tried on: half of the
    persons teach, the other half are matched."""
    persons = sorted(set(contributors.persons))
    right = wrong = 0
    for seed in range(3):
        chance = random.Random(seed)
        half = set(chance.sample(persons, len(persons) // 2))
        for some in (half, set(persons) - half):
            teaching, matched = contributors.of(some), contributors.of(set(persons) - some)
            groups = joined(len(matched.rows), sure_pairs(matched.rows))
            for one, other in accepted(teaching, matched, model):
                if groups[one] != groups[other]:
                    is_right = matched.persons[one] == matched.persons[other]
                    right, wrong = right + is_right, wrong + (not is_right)
    print(f"\nadded to the deterministic rules over six halves: {right} right, {wrong} wrong")
    assert right >= 6
    assert wrong <= right * 0.01
