"""An inbox that is tables of the warehouse: what waits there lands once, whatever is killed.

Belongs here: dlt's destination for Snowflake and promotion from it, on fakesnow. Does not belong
here: inboxes of files (`tests/ingestion`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp.demo import generate
from cdp.warehouse.runs import begin_run
from cdp.warehouse.store import Warehouse
from ingestion import promotion
from ingestion.failures import LoadingFailed
from ingestion.landing import land
from tests.engines.fake_snowflake import connection_settings, patched

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SOURCE = "consent"


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    home = tmp_path / "home"
    generate(home, people=6, seed=11, days=20)
    with patched(tmp_path):
        from cdp.warehouse.engines.snowflake_store import opened

        with opened(connection_settings(home)) as opened_now:
            yield opened_now


def _killed(warehouse: Warehouse, point: str) -> None:
    def reached(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion, "reached", reached)
        with pytest.raises(KeyboardInterrupt):
            land(SOURCE, warehouse, begin_run(warehouse, f"killed {point}", "test"))


def _waiting(warehouse: Warehouse, table: str) -> int:
    return int(warehouse.scalar(f'SELECT count(*) FROM inbox_{SOURCE}."{table}"'))


def _raw(warehouse: Warehouse) -> tuple[int, int, int]:
    """Rows of raw, different ones among them, and the last number of landing."""
    (row,) = warehouse.rows(
        "SELECT count(*), count(DISTINCT row_key), coalesce(max(landing_number), 0) "
        f'FROM raw."{SOURCE}"'
    )
    return row[0], row[1], row[2]


def _account(warehouse: Warehouse) -> tuple[int, int]:
    """Rows read and landed by the one load."""
    ((read, landed),) = warehouse.rows("SELECT rows_read, rows_landed FROM raw.loads")
    return read, landed


def test_a_loading_that_fails_tells_no_value_and_is_done_again(warehouse: Warehouse) -> None:
    # A table that dlt finds with a type that no load's id is of.
    warehouse.execute(f'CREATE SCHEMA inbox_{SOURCE}; CREATE TABLE inbox_{SOURCE}."reads" (x DATE)')
    warehouse.execute(f'ALTER TABLE inbox_{SOURCE}."reads" ADD COLUMN load_id BIGINT')
    with pytest.raises(LoadingFailed) as failed:
        land(SOURCE, warehouse, begin_run(warehouse, "first", "test"))
    assert f"source {SOURCE}: loading it into the warehouse ended with" in str(failed.value)
    assert "Could not convert" not in str(failed.value)
    assert failed.value.__cause__ is None
    warehouse.execute(
        f'ALTER TABLE inbox_{SOURCE}."reads" ALTER COLUMN load_id SET DATA TYPE VARCHAR'
    )
    report = land(SOURCE, warehouse, begin_run(warehouse, "second", "test"))
    assert report.rows_landed == _raw(warehouse)[0] > 0


def test_what_waits_is_promoted_once_whatever_is_killed(warehouse: Warehouse) -> None:
    _killed(warehouse, "landing.before_promote")
    arrived = _waiting(warehouse, "rows")
    assert arrived
    assert _raw(warehouse) == (0, 0, 0)
    # A loader that is killed between its commit and its own note of it writes a file again.
    for table in ("rows", "reads"):
        place = f'inbox_{SOURCE}."{table}"'
        warehouse.execute(f"INSERT INTO {place} SELECT * FROM {place}")
    assert _waiting(warehouse, "rows") == 2 * arrived

    _killed(warehouse, "landing.in_promote")
    # The transaction of the load went with the process.
    assert _raw(warehouse) == (0, 0, 0)
    assert warehouse.scalar("SELECT count(*) FROM raw.loads") == 0

    _killed(warehouse, "landing.after_promote")
    (landed, *_), (read, told) = _raw(warehouse), _account(warehouse)
    assert 0 < landed <= arrived
    assert _raw(warehouse) == (landed, landed, landed)
    assert (read, told) == (arrived, landed)
    assert _waiting(warehouse, "rows") == 2 * arrived

    report = land(SOURCE, warehouse, begin_run(warehouse, "last", "test"))
    assert report.rows_read == 0
    assert _raw(warehouse) == (landed, landed, landed)
    assert (_waiting(warehouse, "rows"), _waiting(warehouse, "reads")) == (0, 0)
    assert _account(warehouse) == (arrived, landed)
