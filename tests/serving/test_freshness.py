"""How far a source is known: by what has landed, and never past the moment of the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cdp.config.sources import Source, load_sources
from cdp.warehouse.freshness import Freshness, freshness_of
from cdp.warehouse.runs import begin_run
from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse

AS_OF = datetime(2026, 6, 30, 12)
LANDED = datetime(2026, 6, 20, 8)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    settings = load_settings(home=tmp_path / "home", config=PROJECT_ROOT / "config", as_of=AS_OF)
    with open_warehouse(settings) as opened:
        opened.execute(
            "CREATE TABLE raw.crm (occurred_at TIMESTAMP, landed_at TIMESTAMP);"
            "CREATE TABLE raw.loads (source VARCHAR, landed_at TIMESTAMP)"
        )
        yield opened


def known(warehouse: Warehouse, *rows: tuple[datetime | None, datetime]) -> Freshness:
    """How far the source `crm`, which delivers files, is known once the rows have landed."""
    for row in rows:
        warehouse.execute("INSERT INTO raw.crm VALUES (?, ?)", list(row))
    source: Source = load_sources(warehouse.settings).sources["crm"]
    assert source.kind == "files"
    run = replace(begin_run(warehouse, "run-1", "test"), as_of=AS_OF)
    return freshness_of(warehouse, run, source)


def test_a_source_of_files_is_known_up_to_its_newest_fact(warehouse: Warehouse) -> None:
    found = known(warehouse, (datetime(2026, 6, 18), LANDED), (datetime(2026, 6, 19), LANDED))
    assert (found.complete_until, found.landed_at) == (datetime(2026, 6, 19), LANDED)


def test_a_row_that_says_it_is_yet_to_come_does_not_keep_a_source_fresh(
    warehouse: Warehouse,
) -> None:
    found = known(warehouse, (datetime(2099, 1, 1), LANDED), (datetime(2026, 6, 19), LANDED))
    assert found.complete_until == LANDED
    assert found.within < AS_OF - LANDED
    assert found.is_stale


def test_nothing_is_known_of_what_comes_after_the_moment_of_the_run(warehouse: Warehouse) -> None:
    later = AS_OF + timedelta(days=30)
    assert known(warehouse, (later, later)).complete_until == AS_OF


def test_a_row_without_a_moment_says_nothing_of_how_far_a_source_is_known(
    warehouse: Warehouse,
) -> None:
    found = known(warehouse, (datetime(2026, 6, 1), LANDED), (None, AS_OF))
    assert found.complete_until == datetime(2026, 6, 1)
