"""Runs of a part of the way: some assets alone, and a range of days."""

from __future__ import annotations

import subprocess
import sys

from cdp.warehouse.runs import stage_states
from cdp.warehouse.settings import PROJECT_ROOT
from cdp.warehouse.store import open_warehouse
from orchestration.instance import open_instance
from orchestration.progress import News
from tests.orchestration.shop_runs import SEGMENTS, materialisations, materialise, published
from tests.services.shop_run import ShopRun


def test_materialising_one_asset_holds_the_warehouse_and_publishes_nothing(
    shop_run: ShopRun,
) -> None:
    before = published(shop_run)
    answers: list[str] = []

    def listener(news: News) -> None:
        if news.what == "model":
            answers.append(_try_to_open(shop_run))

    result = materialise(shop_run, "profiles/dim_profiles", listener=listener)
    assert result.success
    # The run's own row, then the table.
    assert answers == ["busy", "busy"]
    assert _try_to_open(shop_run) == "free"
    assert published(shop_run) == before


def _try_to_open(shop: ShopRun) -> str:
    """Whether another process gets the warehouse."""
    code = (
        "import sys\n"
        "from cdp.warehouse.settings import load_settings\n"
        "from cdp.warehouse.store import open_warehouse, WarehouseBusy\n"
        "try:\n"
        "    with open_warehouse(load_settings(home=sys.argv[1]), 0): print('free')\n"
        "except WarehouseBusy: print('busy')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(shop.settings.home)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_stage_that_was_built_in_part_is_not_published(shop_run: ShopRun) -> None:
    before = published(shop_run)
    result = materialise(
        shop_run, "profiles/dim_profiles", *(f"serving/{role}" for role in ("analyst", "marketing"))
    )
    assert not result.success
    assert published(shop_run) == before
    with open_warehouse(shop_run.settings) as warehouse:
        assert not stage_states(warehouse)["profiles"].complete
    # The next whole run puts it right, and does not take the half-built state for its own.
    outcome = shop_run.run()
    assert outcome.success, outcome.errors
    assert published(shop_run) != before


def test_what_was_built_by_itself_is_put_in_step_by_the_next_run(shop_run: ShopRun) -> None:
    """Rows that a part of a run records are taken back; a verdict that flipped in it is told."""
    with open_warehouse(shop_run.settings) as warehouse:
        flips = warehouse.rows(
            "SELECT DISTINCT next_flip_at FROM segments.int_segment_verdicts "
            "WHERE next_flip_at IS NOT NULL ORDER BY 1 LIMIT 3"
        )
    later = shop_run.with_settings(as_of=flips[-1][0])
    parts = ("segments/segment_sizes", "segments/int_segment_verdicts")
    assert materialise(later, *parts).success
    assert materialise(later, "segments/segment_sizes").success
    outcome = later.run()
    assert outcome.success, outcome.errors
    with open_warehouse(later.settings) as warehouse:
        published_runs = {
            row[0]
            for row in warehouse.rows(
                "SELECT run_number FROM governance.runs WHERE status = 'published'"
            )
        }
        sizes = warehouse.rows(
            "SELECT run_number, count(*) FROM segments.segment_sizes GROUP BY ALL"
        )
        assert dict(sizes) == dict.fromkeys(published_runs, len(SEGMENTS))
        assert (
            warehouse.rows(
                "SELECT profile_id, segment_name FROM segments.int_segment_verdict_rows "
                "WHERE is_member EXCEPT "
                "SELECT profile_id, segment_name FROM segments.fct_segment_memberships "
                "WHERE exited_at IS NULL"
            )
            == warehouse.rows(
                "SELECT profile_id, segment_name FROM segments.fct_segment_memberships "
                "WHERE exited_at IS NULL EXCEPT "
                "SELECT profile_id, segment_name FROM segments.int_segment_verdict_rows "
                "WHERE is_member"
            )
            == []
        )


def test_a_range_of_days_is_read_again_as_one_run(shop_run: ShopRun) -> None:
    job = shop_run.definitions().resolve_job_def("reextract")
    with open_instance(shop_run.settings) as instance:
        result = job.execute_in_process(
            run_config={"sources": ["web"], "since": "2026-06-20", "until": "2026-06-23"},
            instance=instance,
            raise_on_error=False,
        )
    assert result.success
    found = materialisations(shop_run, result.run_id)
    read = int(str(found["raw/web"].metadata["rows read"].value))
    assert read > 0
    assert int(str(found["raw/web"].metadata["rows landed"].value)) == 0
    assert found["raw/shop"].metadata["asked"].value is False
    with open_warehouse(shop_run.settings) as warehouse:
        runs = warehouse.rows("SELECT run_id, status FROM governance.runs ORDER BY run_number")
    assert runs[1:] == [(result.run_id, "published")]
