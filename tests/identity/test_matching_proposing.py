"""What a run proposes bit by bit is what it would propose of everything, and what it takes back is
told to those who have gone by it."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cdp.config.matching import MatchingModel
from cdp.identity.matching.preparing import FIRST_LANDING
from cdp.identity.matching.proposing import (
    ACCEPT,
    REVIEW,
    SCHEMA,
    WITHDRAWN,
    Trained,
    columns_needed,
    proposals,
)
from cdp.identity.matching.training import train
from tests.identity.matching_data import model_of, records_of

ATTRIBUTES = ["first_name", "last_name", "email"]

MODEL = """
matching:
  people:
    within: [people]
    compare: {first_name: name, last_name: name, email: email}
    block: [[last_name], [email], [first 3 letters of first_name, first 2 letters of last_name]]
    train: [[last_name], [email]]
    certain: {rules: [[email, last_name]], recall: 0.7}
    accept: 0.6
    review: 0.05
    random_pairs: 5000
    max_block: 5
"""


def told(seed: int, count: int = 140) -> pa.Table:
    """Records of people, many of whom are told more than once, each with its landing number."""
    chance = random.Random(seed)
    families = ["Berg", "Bergh", "Costa", "Dahl", "Dahlke", "Engel", "Fuchs", "Gruber", "Hansen"]
    rows = []
    for _ in range(count):
        person = chance.randrange(count // 3)
        own = random.Random(person)
        given = own.choice(["Anna", "Ben", "Clara", "David", "Eva", "Felix", "Greta", "Hugo"])
        family = f"{own.choice(families)}{own.randrange(12)}"
        row: dict[str, str | None] = {
            "first_name": given if chance.random() < 0.8 else given[:-1],
            "last_name": family if chance.random() < 0.8 else chance.choice(families),
            "email": f"{given}.{person}@mail.example" if chance.random() < 0.6 else None,
        }
        rows.append(row)
    records = records_of(rows, ATTRIBUTES)
    # Some identifiers are told of more than once.
    nodes = [
        chance.randrange(each + 1) if chance.random() < 0.15 else each for each in range(count)
    ]
    numbered = records.set_column(0, "node", pa.array(nodes, pa.int64()))
    return numbered.append_column(FIRST_LANDING, pa.array(range(1, count + 1), pa.int64()))


@pytest.fixture(scope="module")
def trained() -> Trained:
    model: MatchingModel = model_of(MODEL, ATTRIBUTES)
    return Trained(model, train(told(1).drop_columns([FIRST_LANDING]), model))


def standing(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {key: row for key, row in rows.items() if row["decision"] != WITHDRAWN}


def by_key(table: pa.Table) -> dict[str, dict[str, Any]]:
    rows = {row["candidate_key"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows
    return rows


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_bits_add_up_to_the_whole(trained: Trained, seed: int) -> None:
    records = told(seed)
    known: dict[str, dict[str, Any]] = {}
    published, was_accepted = 0, set[tuple[int, int]]()
    chance = random.Random(seed)
    for through in (40, 70, 71, 100, 140):
        there = records.filter(pc.less_equal(records[FIRST_LANDING], through))
        before = pa.Table.from_pylist(list(known.values()), schema=SCHEMA)
        given = proposals(there, [trained], before, since=published, through=through)
        known |= by_key(given)
        whole = by_key(proposals(there, [trained]))
        assert standing(known) == whole
        accepted = {
            (row["left_node"], row["right_node"])
            for row in whole.values()
            if row["decision"] == ACCEPT
        }
        let_go = {
            (row["left_node"], row["right_node"])
            for row in known.values()
            if row["decision"] == WITHDRAWN and row["last_landing_number"] > published
        }
        assert was_accepted - accepted <= let_go
        was_accepted = accepted
        # Now and then a run is killed, and the next one begins where it began.
        published = through if chance.random() < 0.7 else published
    assert {row["decision"] for row in whole.values()} == {ACCEPT, REVIEW}
    assert any(row["decision"] == WITHDRAWN for row in known.values())


def test_nothing_new_proposes_nothing(trained: Trained) -> None:
    records = told(2)
    known = proposals(records, [trained])
    assert known.num_rows
    assert proposals(records, [trained], known, since=140, through=140).num_rows == 0


def test_what_is_needed_of_records_is_what_the_models_read(trained: Trained) -> None:
    assert columns_needed([trained]) == ["node", "source", *sorted(ATTRIBUTES), FIRST_LANDING]
