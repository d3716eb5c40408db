"""A main job that is killed anywhere: nothing lost, nothing doubled, readers answered throughout.

Belongs here: one kill at each stage of the whole way, against a twin that nobody killed. Does not
belong here: the long sweep (tests/kill), or the points of one part alone (tests/serving).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.shop_run import settings_of
from tests.whole_way.deployments import (
    BeforeDelivery,
    published,
    raw_rows,
    run,
)
from tests.whole_way.killed_job import run_and_kill

pytestmark = pytest.mark.integration

POINTS = [
    ("landing.after_extract", 1),
    ("landing.after_inbox", 1),
    ("landing.in_promote", 2),
    ("landing.after_promote", 1),
    ("models.before_stage", 2),
    ("models.after_model", 9),
    ("models.after_model", 31),
    ("gates.before_record", 4),
    ("gates.after_record", 5),
    ("publish.before_swap", 1),
    ("publish.after_swap", 1),
]


def test_the_delivery_changes_what_people_read(shop: BeforeDelivery, twin: Path) -> None:
    """Without this the tests below would hold for a run that does nothing."""
    before, after = published(settings_of(shop.home)), published(settings_of(twin))
    changed = {table for table in after if after[table] != before[table]}
    assert {"profiles.dim_profiles", "segments.fct_segment_memberships"} <= changed


@pytest.mark.parametrize(("point", "on_pass"), POINTS, ids=lambda value: str(value))
def test_after_a_kill_readers_are_answered_and_the_next_run_ends_where_the_twin_did(
    shop: BeforeDelivery, twin: Path, tmp_path: Path, point: str, on_pass: int
) -> None:
    home = shop.delivered(tmp_path / "home")
    assert run_and_kill(home, point, on_pass)
    at_kill = published(settings_of(home))
    swapped = point == "publish.after_swap"
    assert at_kill == published(settings_of(twin if swapped else shop.home))
    run(home)
    assert raw_rows(settings_of(home)) == raw_rows(settings_of(twin))
    assert published(settings_of(home)) == published(settings_of(twin))
