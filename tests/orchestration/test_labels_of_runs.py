"""Which labels a run sees: those that were recorded before it began, whatever comes while it runs.

Belongs here: the record of runs, also one that an earlier version made. Does not belong here: what
a label means, what models make of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cdp.warehouse import pending
from cdp.warehouse.runs import STAGES, begin_run, ensure_run_tables, finish_run, utc_now
from cdp.warehouse.settings import load_settings
from cdp.warehouse.store import Warehouse, open_warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    (tmp_path / "config").mkdir()
    with open_warehouse(load_settings(home=tmp_path / "home", config=tmp_path / "config")) as held:
        yield held


def record_label(warehouse: Warehouse, number: int) -> None:
    label = (number, "split", "email", "a", "email", "b", "ada", "why", utc_now(), None)
    warehouse.insert("governance.identity_labels", [label])


def seen_by(warehouse: Warehouse, run_id: str) -> list[int | None]:
    rows = warehouse.rows(
        "SELECT label_high_water FROM governance.runs WHERE run_id = ? ORDER BY run_number",
        [run_id],
    )
    return [seen for (seen,) in rows]


def test_a_run_sees_the_labels_that_were_recorded_before_it_began(warehouse: Warehouse) -> None:
    begin_run(warehouse, "before any", "test")
    record_label(warehouse, 1)
    record_label(warehouse, 2)
    begin_run(warehouse, "after two", "test")
    record_label(warehouse, 3)
    assert seen_by(warehouse, "before any") == [0]
    assert seen_by(warehouse, "after two") == [2]


def test_a_run_that_is_begun_again_sees_what_it_saw(warehouse: Warehouse) -> None:
    begin_run(warehouse, "before any", "test")
    begin_run(warehouse, "before any", "test")
    record_label(warehouse, 1)
    begin_run(warehouse, "before any", "test")
    assert seen_by(warehouse, "before any") == [0]
    begin_run(warehouse, "after one", "test")
    record_label(warehouse, 2)
    begin_run(warehouse, "after one", "test")
    assert seen_by(warehouse, "after one") == [1]


def test_a_run_that_has_published_sees_the_same_when_its_id_is_begun_again(
    warehouse: Warehouse,
) -> None:
    run = begin_run(warehouse, "published", "test")
    warehouse.execute("UPDATE governance.runs SET status = 'published'")
    finish_run(warehouse, run, "finished")
    record_label(warehouse, 1)
    begin_run(warehouse, "published", "test")
    assert seen_by(warehouse, "published") == [0, 0]


def made_by_an_earlier_version(warehouse: Warehouse) -> None:
    """The record of runs as it was before there were labels, with one published run."""
    begin_run(warehouse, "old", "test")
    warehouse.execute("UPDATE governance.runs SET status = 'published', landing_high_water = 5")
    warehouse.execute("ALTER TABLE governance.runs DROP COLUMN label_high_water")
    warehouse.execute("DROP TABLE governance.identity_labels")


def test_a_record_that_an_earlier_version_made_gets_what_it_lacks(warehouse: Warehouse) -> None:
    made_by_an_earlier_version(warehouse)
    begin_run(warehouse, "new", "test")
    assert seen_by(warehouse, "old") == [None]
    assert seen_by(warehouse, "new") == [0]
    record_label(warehouse, 1)
    begin_run(warehouse, "newer", "test")
    assert seen_by(warehouse, "newer") == [1]


def test_a_run_of_an_earlier_version_that_is_begun_again_sees_no_label(
    warehouse: Warehouse,
) -> None:
    made_by_an_earlier_version(warehouse)
    warehouse.execute("UPDATE governance.runs SET status = 'failed'")
    ensure_run_tables(warehouse)
    record_label(warehouse, 1)
    begin_run(warehouse, "old", "test")
    assert seen_by(warehouse, "old") == [0]


def test_a_label_is_something_new(warehouse: Warehouse) -> None:
    """Else a run for which nothing landed would leave every table as it is."""
    published = begin_run(warehouse, "published", "test", "logic")
    for stage in STAGES:
        warehouse.insert("governance.stage_builds", [(stage, published.run_id, "built", utc_now())])
        warehouse.insert(
            "governance.gate_results",
            [(stage, published.run_id, utc_now(), True, "rows", "{}")],
        )
    warehouse.execute(
        "UPDATE governance.runs SET status = 'published', landing_high_water = 0, as_of = ?",
        [published.as_of],
    )
    quiet = begin_run(warehouse, "quiet", "test", "logic")
    # At the same moment nothing comes due either.
    warehouse.execute("UPDATE governance.runs SET as_of = ?", [published.as_of])
    at_once = replace(quiet, as_of=published.as_of)
    assert pending.nothing_new(warehouse, at_once, [])
    record_label(warehouse, 1)
    assert pending.nothing_new(warehouse, at_once, []), "it was recorded after the run began"
    labelled = replace(begin_run(warehouse, "labelled", "test", "logic"), as_of=published.as_of)
    assert not pending.nothing_new(warehouse, labelled, [])
