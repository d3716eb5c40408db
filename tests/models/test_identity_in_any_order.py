"""Who is who is a function of the rows that landed: not of when builds happened, of which runs were
published, or, but for the numbers, of the order in which rows landed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.models.identity_cases import CASES, Case
from tests.models.landed_rows import Landed
from tests.models.worlds import cut, rows_of_worlds

pytestmark = pytest.mark.integration

WORLDS = 250
ROWS = [row for case in CASES for row in case.rows] + rows_of_worlds(WORLDS, seed=1)


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """Everything landed before the first run."""
    landed = Landed(tmp_path_factory.mktemp("at-once"))
    landed.run(ROWS)
    return landed


def test_the_worlds_are_rich(at_once: Landed) -> None:
    """Were nothing merged, refused or asserted, the other tests would say nothing."""
    facts = at_once.facts()
    assert len(facts["people"]) > WORLDS
    rules = {rule for _, rule, _ in facts["rejected"]}
    assert rules >= {"limit:user_id", "bad_value", "implausible", "blocked", "unreadable"}
    assert {kind for kind, *_ in facts["quarantined"]} == {"cluster", "value"}
    assert any(asserted for _, _, asserted, _ in facts["edges"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_who_is_who(at_once: Landed, case: Case) -> None:
    mine = {identifier for person in case.people for identifier in person}
    touched = {person for person in at_once.people() if person & mine}
    assert touched == {frozenset(person) for person in case.people}


def test_an_odd_external_id_is_nobodys(at_once: Landed) -> None:
    assert not at_once.rows(
        "SELECT raw_value FROM identity.identifier_births WHERE raw_value LIKE 'eo-%' "
        "AND raw_value <> 'eo-u'"
    )


def test_any_batches_with_killed_runs_between_give_the_same_tables_to_the_number(
    at_once: Landed, tmp_path: Path
) -> None:
    bit_by_bit = Landed(tmp_path)
    whole, killed = {"publish": True}, {"publish": False}
    fates: list[dict[str, Any]] = [
        whole,
        killed | {"through": "identifier_births"},
        killed | {"through": "int_identity_components"},
        whole,
        killed | {"through": "fct_identity_edges"},
        killed,
    ]
    for part, fate in zip(cut(ROWS, len(fates), seed=7), fates, strict=True):
        bit_by_bit.run(part, **fate)
    bit_by_bit.run()
    assert bit_by_bit.tables() == at_once.tables()
    recorded = bit_by_bit.rows(
        "SELECT birth, arg_max(profile_id, run_number) FROM identity.identity_assignments "
        "GROUP BY birth ORDER BY birth"
    )
    assert recorded == bit_by_bit.rows(
        "SELECT birth, profile_id FROM identity.dim_identifiers ORDER BY birth"
    )
    bit_by_bit.run(full_refresh=True)
    assert bit_by_bit.tables() == at_once.tables()


def test_another_order_of_landing_changes_nothing_but_numbers(
    at_once: Landed, tmp_path: Path
) -> None:
    shuffled = list(ROWS)
    random.Random(3).shuffle(shuffled)
    other = Landed(tmp_path)
    for part in cut(shuffled, 3, seed=3):
        other.run(part)
    assert other.facts() == at_once.facts()
