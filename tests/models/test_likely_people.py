"""Who is likely one person counts as one from the run on that finds it, weaker than anything that a
row has told, and every increment equals a full build."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from cdp.config.matching import load_matching
from cdp.config.matching_parameters import save_parameters
from cdp.identity.identifiers import Identifier
from cdp.identity.label_record import Said, record
from cdp.identity.labels import Claim
from cdp.identity.matching.teaching import taught
from cdp.warehouse.store import open_warehouse
from tests.models.landed_rows import Landed, Row
from tests.models.said_labels import say, standing, take_back
from tests.models.worlds import cut, rows_of_worlds

pytestmark = pytest.mark.integration

BODY = """
    derive: {given: first word of full_name, family: last word of full_name}
    compare: {given: name, family: name, email: email, phone: phone}
    block: [[family], [email], [phone]]
    train: [[email], [family], [phone]]
    certain: {rules: [[family, email], [family, phone]], recall: 0.6}
    accept: 0.5
    review: 0.05
    max_block: 6
"""

MATCHING = f"""matching:
  accounts:
    within: [shop]{BODY}
  contacts:
    between: [shop, crm]{BODY}
"""


def people_elsewhere() -> pa.Table:
    """Records of people who stand two or three times, with gaps and slips."""
    chance = random.Random(1)
    rows: list[dict[str, object]] = []
    for number in range(150):
        told = {
            "full_name": f"Ann{number % 40} Bell{number}",
            "email": f"e{number}@example.org",
            "phone": f"+4930{number:07d}",
        }
        slips = {
            "full_name": f"Ann{number % 40} Bell{chance.randrange(150)}",
            "email": f"e{chance.randrange(150)}@example.org",
            "phone": f"+4930{chance.randrange(150):07d}",
        }
        for source in ("shop", "shop", "crm"):
            row = {
                name: slips[name] if chance.random() < 0.2 else value
                for name, value in told.items()
                if chance.random() < 0.75
            }
            rows.append({"node": len(rows), "source": source, **row})
    names = ["node", "source", "full_name", "email", "phone"]
    kinds = [pa.int64(), *[pa.string()] * 4]
    return pa.Table.from_pylist(rows, pa.schema(list(zip(names, kinds, strict=True))))


def trained(home: Path) -> Landed:
    """A warehouse whose models have learned from people elsewhere."""
    landed = Landed(home, matching=MATCHING)
    records = people_elsewhere()
    for name, model in load_matching(landed.settings).items():
        save_parameters(landed.settings, name, taught(records, model, "ada"))
    return landed


def test_each_run_equals_a_full_build_with_labels_too(tmp_path: Path) -> None:
    chance = random.Random(7)
    landed = trained(tmp_path)
    parts = cut(rows_of_worlds(60, seed=5), 4, seed=2)
    landed.run(parts[0])
    say(landed, chance, 40)
    landed.run(parts[1])
    take_back(landed, chance.sample(standing(landed), 8))
    # A run that was killed once it knew who is likely one, and one once all was built.
    landed.run(parts[2], publish=False, through="int_match_candidates")
    landed.run(publish=False)
    landed.run(parts[3])
    likely = landed.rows(
        "SELECT decision, count(*) FROM identity.int_match_candidates GROUP BY decision"
    )
    assert {"accept", "review", "withdrawn"} == {decision for decision, _ in likely}
    assert landed.rows(
        "SELECT count(*) > 0 FROM identity.fct_rejected_edges "
        "WHERE source LIKE 'match:%' AND rule = 'limit:user_id' AND probability >= 0.5"
    ) == [(True,)]
    bit_by_bit = landed.tables()
    landed.run(full_refresh=True)
    assert landed.tables() == bit_by_bit
    take_back(landed, standing(landed))
    landed.run()
    unlabelled = landed.tables()
    landed.run(full_refresh=True)
    assert landed.tables() == unlabelled


def contact(number: str, version: int, name: str, email: str) -> Row:
    told = {"id": number, "name": name, "email": email, "version": str(version)}
    return Row("crm", "contacts", told, f"k:{number}:{version}")


def customer(number: str, name: str, email: str) -> Row:
    told = {"id": number, "name": name, "email": email, "version": "1"}
    return Row("shop", "customers", told, f"k:{number}:1")


BOTH = [
    customer("u1", "Ann Zobel", "ann.zobel@example.org"),
    contact("c1", 1, "Anna Zobel", "ann.zobel@example.net"),
]
ONE, OTHER = Identifier("user_id", "u1"), Identifier("crm_id", "c1")


def whose(landed: Landed) -> tuple[int, int]:
    found = dict(
        landed.rows(
            "SELECT identifier_value, profile_id FROM identity.dim_identifiers "
            "WHERE identifier_value IN ('u1', 'c1')"
        )
    )
    return found["u1"], found["c1"]


def test_what_too_many_share_lets_go_of_whom_it_had_joined(tmp_path: Path) -> None:
    landed = trained(tmp_path)
    landed.run(BOTH)
    one, other = whose(landed)
    assert one == other
    # Of one family name, and of nothing else: now nobody is looked for by it.
    namesakes = [customer(f"n{each}", f"Kim{each} Zobel", f"{each}@x.example") for each in range(8)]
    landed.run(namesakes)
    one, other = whose(landed)
    assert one != other
    changed = landed.rows(
        "SELECT DISTINCT cause FROM identity.fct_identity_changes WHERE run_number = 2"
    )
    assert changed == [("split",)]
    bit_by_bit = landed.tables()
    landed.run(full_refresh=True)
    assert landed.tables() == bit_by_bit


def test_a_person_who_parts_two_always_wins(tmp_path: Path) -> None:
    landed = trained(tmp_path)
    landed.run([BOTH[0], contact("c1", 0, "Zoe Dahl", "zoe@example.net")])
    one, other = whose(landed)
    assert one != other
    landed.run(BOTH[1:])
    told = landed.rows("SELECT DISTINCT cause, source, event_id FROM identity.fct_identity_changes")
    assert told == [("merge", "match:contacts", None)]
    merged = landed.rows("SELECT source, probability > 0.5 FROM identity.int_match_edges")
    assert merged == [("match:contacts", True)]
    with open_warehouse(landed.settings) as warehouse:
        record(warehouse, [Said(Claim("split", ONE, OTHER), "ada", "two sisters")])
    landed.run()
    one, other = whose(landed)
    assert one != other
    assert landed.rows("SELECT source, rule FROM identity.fct_rejected_edges") == [
        ("match:contacts", "split")
    ]
    take_back(landed, standing(landed))
    landed.run()
    one, other = whose(landed)
    assert one == other


def test_a_pair_is_asked_about_until_a_person_decides(tmp_path: Path) -> None:
    landed = trained(tmp_path)
    config = landed.settings.config / "matching.yml"
    config.write_text(MATCHING.replace("accept: 0.5", "accept: 0.9999999"), encoding="utf-8")
    landed.run(BOTH)
    one, other = whose(landed)
    assert one != other
    asked = landed.rows(
        "SELECT matching_model, left_type, left_value, right_type, right_value "
        "FROM identity.match_reviews"
    )
    assert asked == [("contacts", "user_id", "u1", "crm_id", "c1")]
    for kind in ("split", "join"):
        with open_warehouse(landed.settings) as warehouse:
            (label,) = record(warehouse, [Said(Claim(kind, ONE, OTHER), "ada", "she said so")])
        landed.run()
        assert landed.rows("SELECT * FROM identity.match_reviews") == []
        one, other = whose(landed)
        assert (one == other) == (kind == "join")
        take_back(landed, [label.number])
        landed.run()
        assert len(landed.rows("SELECT * FROM identity.match_reviews")) == 1


def test_other_thresholds_hold_from_the_next_run_on_without_training(tmp_path: Path) -> None:
    landed = trained(tmp_path)
    landed.run(BOTH)
    config = landed.settings.config / "matching.yml"
    config.write_text(MATCHING.replace("accept: 0.5", "accept: 0.9999999"), encoding="utf-8")
    # As the main job does when the configuration has changed.
    landed.run(full_refresh=True)
    one, other = whose(landed)
    assert one != other


def test_a_model_that_was_not_trained_proposes_nothing(tmp_path: Path) -> None:
    landed = Landed(tmp_path, matching=MATCHING)
    landed.run(BOTH)
    assert landed.rows("SELECT * FROM identity.int_match_candidates") == []
    one, other = whose(landed)
    assert one != other
