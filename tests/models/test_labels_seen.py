"""The models know which labels they may see, and which the last published run has seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp.warehouse.runs import utc_now
from cdp.warehouse.store import open_warehouse
from tests.models.landed_rows import Landed, Row

pytestmark = pytest.mark.integration

ROW = Row("crm", "contacts", {"contact_id": "c1", "email": "ada@example.com"}, "c1")


def record_labels(landed: Landed, *numbers: int) -> None:
    with open_warehouse(landed.settings) as warehouse:
        warehouse.insert(
            "governance.identity_labels",
            [
                (n, "distrust", "email", "a", None, None, "ada", "why", utc_now(), None)
                for n in numbers
            ],
        )


def high_waters(landed: Landed) -> tuple[int, int]:
    """Up to which label this run sees, and up to which the last published one has seen."""
    ((now, before),) = landed.rows(
        "SELECT label_high_water, published_label_high_water FROM governance.int_current_run"
    )
    return now, before


def test_labels_up_to_the_beginning_are_seen_and_a_failed_run_has_seen_none(
    tmp_path: Path,
) -> None:
    landed = Landed(tmp_path)
    landed.run([ROW])
    assert high_waters(landed) == (0, 0)
    record_labels(landed, 1, 2)
    landed.run(publish=False)
    assert high_waters(landed) == (2, 0)
    landed.run()
    assert high_waters(landed) == (2, 0)
    record_labels(landed, 3)
    landed.run()
    assert high_waters(landed) == (3, 2)


def test_before_the_upgrade_nothing_was_seen(tmp_path: Path) -> None:
    landed = Landed(tmp_path)
    landed.run([ROW])
    with open_warehouse(landed.settings) as warehouse:
        warehouse.execute("ALTER TABLE governance.runs DROP COLUMN label_high_water")
        warehouse.execute("DROP TABLE governance.identity_labels")
    landed.run()
    assert high_waters(landed) == (0, 0)
