"""What people say of who is who holds from the next run on, and is gone without a trace when it is
taken back: every increment equals a full build under the same labels."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cdp.identity.identifiers import Identifier
from cdp.identity.label_record import Said, record
from cdp.identity.labels import Claim
from cdp.warehouse.store import open_warehouse
from tests.models.landed_rows import Landed
from tests.models.said_labels import say, standing, take_back
from tests.models.worlds import cut, rows_of_worlds

pytestmark = pytest.mark.integration

WORLDS = 60
ROWS = rows_of_worlds(WORLDS, seed=5)
WORLD = "split_part(identifier_value, '-', 1)"


def test_labels_come_and_go_and_each_run_equals_a_full_build(tmp_path: Path) -> None:
    chance = random.Random(11)
    landed = Landed(tmp_path / "bit-by-bit")
    parts = cut(ROWS, 3, seed=2)
    landed.run(parts[0])
    say(landed, chance, 60)
    landed.run(parts[1])
    assert len(standing(landed)) > 30
    take_back(landed, chance.sample(standing(landed), 12))
    say(landed, chance, 20)
    # A run that was killed has seen them already.
    landed.run(publish=False)
    landed.run(parts[2])
    under_labels = landed.tables()
    landed.run(full_refresh=True)
    assert landed.tables() == under_labels
    causes = dict(
        landed.rows("SELECT cause, count(*) FROM identity.fct_identity_changes GROUP BY cause")
    )
    assert causes["label"] > 20
    rules = {rule for (rule,) in landed.rows("SELECT rule FROM identity.fct_rejected_edges")}
    assert "split" in rules

    # Without labels it is as if nobody had ever said anything.
    take_back(landed, standing(landed))
    landed.run()
    untold = Landed(tmp_path / "untold")
    untold.run(ROWS)
    assert landed.tables() == untold.tables()
    assert untold.tables() != under_labels


def test_a_join_and_a_split_do_what_they_say(tmp_path: Path) -> None:
    landed = Landed(tmp_path)
    landed.run(ROWS)
    before = landed.tables()
    (one, other), together = apart(landed), tied(landed)
    with open_warehouse(landed.settings) as warehouse:
        record(warehouse, [Said(Claim("join", one, other), "ada", "she told us")])
        record(warehouse, [Said(Claim("split", *together), "ada", "two sisters")])
    landed.run()
    assert profile_of(landed, one) == profile_of(landed, other)
    assert profile_of(landed, together[0]) != profile_of(landed, together[1])
    told = landed.rows(
        "SELECT DISTINCT cause, source, event_id FROM identity.fct_identity_changes "
        "WHERE run_number = 2 ORDER BY event_id"
    )
    assert told == [("label", "identity_labels", "1"), ("label", "identity_labels", "2")]
    take_back(landed, [1, 2])
    landed.run()
    assert landed.tables() == before


def apart(landed: Landed) -> tuple[Identifier, Identifier]:
    """A user id of each of the two worlds that have some first."""
    rows = landed.rows(
        "SELECT min_by(identifier_value, birth) FROM identity.dim_identifiers "
        "WHERE identifier_type = 'user_id' AND identifier_value LIKE 'w%' "
        f"GROUP BY {WORLD} ORDER BY min(birth) LIMIT 2"
    )
    (one,), (other,) = rows
    return Identifier("user_id", one), Identifier("user_id", other)


def tied(landed: Landed) -> tuple[Identifier, Identifier]:
    """The first and the last identifier of one person of the world that has some last."""
    rows = landed.rows(
        "SELECT min_by(identifier_type || ' ' || identifier_value, birth), "
        "max_by(identifier_type || ' ' || identifier_value, birth) "
        "FROM identity.dim_identifiers WHERE identifier_value LIKE 'w%' "
        "GROUP BY profile_id HAVING count(*) > 1 ORDER BY profile_id DESC LIMIT 1"
    )
    one, other = (Identifier(*text.split(" ", 1)) for text in rows[0])
    return one, other


def profile_of(landed: Landed, identifier: Identifier) -> int:
    rows = landed.rows(
        "SELECT profile_id FROM identity.dim_identifiers "
        f"WHERE identifier_type = '{identifier.type}' "
        f"AND identifier_value = '{identifier.value}'"
    )
    ((profile,),) = rows
    return int(profile)
