"""Five jobs launched at once over one warehouse, while somebody reads: none fails, all is right.

Belongs here: processes that wait for one another. Does not belong here: processes that are killed
(`test_kills`), two commands of a terminal (tests/orchestration).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cdp.warehouse.store import open_warehouse
from tests.services.reader import Reader
from tests.services.shop_run import settings_of
from tests.whole_way.deployments import BeforeDelivery, published, raw_rows
from tests.whole_way.jobs_at_once import JOBS, SINGLE, launch

pytestmark = pytest.mark.integration


def test_five_jobs_at_once_all_succeed_and_end_where_one_would_have(
    shop: BeforeDelivery, twin: Path, tmp_path: Path
) -> None:
    home = shop.delivered(tmp_path / "home")
    settings = settings_of(home)
    reader = Reader(settings)
    reader.start()
    outcomes = launch(home)
    reader.finish()

    assert outcomes == dict.fromkeys(JOBS, "succeeded")
    assert raw_rows(settings) == raw_rows(settings_of(twin))
    assert published(settings) == published(settings_of(twin))
    with open_warehouse(settings) as warehouse:
        runs = warehouse.rows(
            "SELECT status, started_at, finished_at FROM governance.runs "
            "WHERE run_number > 1 ORDER BY run_number"
        )
    assert Counter(run[0] for run in runs) == {
        "finished": len(SINGLE),
        "published": len(JOBS) - len(SINGLE),
    }
    assert all(runs[n][2] <= runs[n + 1][2] for n in range(len(runs) - 1))
    assert reader.problems == []
    assert reader.reads > len(JOBS)
    assert len(reader.sets) > 1
