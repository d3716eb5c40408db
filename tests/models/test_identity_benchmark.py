"""What the benchmark says of ids over runs is what their tables held from one run to the next."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cdp.identity.benchmark import Benchmark, benchmark
from cdp.warehouse.store import open_warehouse
from tests.models.landed_rows import Landed
from tests.models.said_labels import say
from tests.models.worlds import cut, rows_of_worlds

pytestmark = pytest.mark.integration

STAGES = ("staging", "identity")


def owners(landed: Landed) -> dict[int, int]:
    return dict(landed.rows("SELECT birth, profile_id FROM identity.dim_identifiers"))


def figures(landed: Landed) -> Benchmark:
    with open_warehouse(landed.settings) as warehouse:
        return benchmark(warehouse)


def test_churn_is_what_became_of_ids_from_run_to_run(tmp_path: Path) -> None:
    landed = Landed(tmp_path)
    parts = cut(rows_of_worlds(40, seed=4), 2, seed=9)
    landed.run(parts[0], stages=STAGES)
    first = owners(landed)
    # What a killed run has moved is told of the run that repeats it.
    landed.run(parts[1], publish=False, stages=STAGES)
    say(landed, random.Random(3), 30)
    landed.run(stages=STAGES)
    second = owners(landed)
    found = figures(landed)
    assert found.is_published
    assert found.identifiers == len(second)
    assert found.profiles == len(set(second.values()))
    assert sum(each.profiles for each in found.sizes) == found.profiles
    assert sum(each.identifiers for each in found.sizes) == found.identifiers
    last, before = found.churn
    assert (before.ids_before, before.identifiers_before, before.moved) == (0, 0, {})
    assert last.ids_before == len(set(first.values()))
    assert last.identifiers_before == len(first)
    assert last.ids_ended == len(set(first.values()) - set(second.values())) > 5
    moved = [birth for birth, profile in first.items() if second.get(birth) != profile]
    assert sum(last.moved.values()) == len(moved)
    assert last.moved["merge"] > 0
    assert last.moved["label"] > 0
    assert found.labels is not None
    assert found.labels.joins + found.labels.splits > 15

    # Names that were identifiers are none any more: they go without being anybody's.
    landed.lay_seeds({"identity_scopes": "source,scope,min_name_parts\n"})
    landed.run(full_refresh=True, name="other-rules", stages=STAGES)
    third = owners(landed)
    changed = figures(landed).churn[0]
    assert changed.ids_before == len(set(second.values()))
    assert changed.identifiers_before == len(second)
    assert changed.ids_ended == len(set(second.values()) - set(third.values()))
    moved = [birth for birth, profile in second.items() if third.get(birth) != profile]
    assert sum(changed.moved.values()) == len(moved) > len(second.keys() - third.keys()) > 0
    assert set(changed.moved) <= {"rule", "block"}
