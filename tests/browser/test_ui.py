"""The Dagster UI in a real browser: a person launches the main job and finds people in segments."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cdp.warehouse.readers import open_reader
from cdp.warehouse.serving_sets import current_set
from cdp.warehouse.store import open_warehouse
from tests.browser.ui import (
    PAGE_SECONDS,
    RUN_SECONDS,
    button,
    dagster_ui,
    linked_runs,
    open_page,
    stop_sensor,
    text_of,
    wait_for,
)
from tests.models.told_events import deliver_events, identify
from tests.services.shop_run import ShopRun

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

FIRST_STAGES = ("raw", "staging")
"""The graph draws only what lies within the window, beginning with these."""
ENDS = ("Success", "Failure", "Canceled")
SEGMENTS = ("active_cart_abandoners", "high_value_recent", "loyal_customers", "new_visitors")


NEWCOMER = "newcomer@inbox.example"


def newcomers(shop: ShopRun) -> int:
    """How often someone of whom nothing was known stands in the published segment of such."""
    with open_reader(shop.settings, "marketing") as reader:
        row = reader.execute(
            "SELECT count(*) FROM new_visitors JOIN dim_profiles USING (profile_id) "
            "WHERE email = ?",
            [NEWCOMER],
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_the_main_job_launched_by_a_click_publishes_whom_a_new_file_tells_of(
    chromium: Chrome, shop_run: ShopRun, tmp_path: Path
) -> None:
    assert newcomers(shop_run) == 0
    assert shop_run.settings.as_of is not None
    hour_ago = shop_run.settings.as_of - timedelta(hours=1)
    with dagster_ui(shop_run.settings.home, tmp_path / "ui.log") as address:
        open_page(chromium, f"{address}/locations/tributary/jobs/main")
        wait_for(
            lambda: all(stage in text_of(chromium) for stage in FIRST_STAGES),
            PAGE_SECONDS,
            "the asset graph",
        )
        # It would start a run of its own as soon as it saw the file.
        stop_sensor(address, "landing_folders")
        deliver_events(
            shop_run.settings.home, "newcomer", hour_ago, identify("a-new-device", NEWCOMER)
        )
        before = set(linked_runs(chromium))
        launch = wait_for(lambda: button(chromium, "Materialize all"), PAGE_SECONDS, "the button")
        launch.click()
        run_id = wait_for(
            lambda: next(iter(set(linked_runs(chromium)) - before), None),
            PAGE_SECONDS,
            "the page to tell of the new run",
        )
        chromium.get(f"{address}/runs/{run_id}")
        ended = wait_for(
            lambda: next((word for word in ENDS if word in text_of(chromium)), ""),
            RUN_SECONDS,
            "the run to end",
        )
        chromium.save_screenshot(str(tmp_path / "run.png"))
        assert ended == "Success"

    published = current_set(shop_run.settings)
    assert published is not None
    assert published.name.endswith(run_id.replace("-", "")[:12])
    assert newcomers(shop_run) == 1
    with open_warehouse(shop_run.settings) as warehouse:
        assert warehouse.rows(
            "SELECT source, sum(rows_landed)::INT FROM raw.loads WHERE run_id = ? "
            "GROUP BY source HAVING sum(rows_landed) > 0",
            [run_id],
        ) == [("web", 1)]
    with open_reader(shop_run.settings, "analyst") as reader:
        for segment in SEGMENTS:
            row = reader.execute(f"SELECT count(*) FROM {segment}").fetchone()
            assert row is not None
            assert row[0] > 0, segment
