"""What starts the main job by itself: the schedule and the sensor on landing folders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from filelock import FileLock

from orchestration.triggers import LONGEST_PAUSE, daily, landing_folders, pause_after_failures
from tests.services.shop_run import ShopRun


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def evaluate(shop: ShopRun, instance: dg.DagsterInstance) -> dg.SensorResult | dg.SkipReason:
    return look(shop, dg.build_sensor_context(instance=instance))


def look(shop: ShopRun, context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One evaluation; what it leaves for the next is in the context."""
    result = landing_folders(shop.deployment)(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def add_file(shop: ShopRun) -> None:
    (shop.settings.landing_dir / "consent" / "consents-new.ndjson").write_text("{}\n")


def record_run(instance: dg.DagsterInstance, shop: ShopRun, status: dg.DagsterRunStatus) -> None:
    instance.create_run_for_job(shop.definitions().resolve_job_def("main"), status=status)


def test_the_schedule_runs_the_main_job_every_day_in_the_deployments_zone(
    finished_shop_run: ShopRun,
) -> None:
    schedule = daily(finished_shop_run.deployment)
    assert schedule.job_name == "main"
    assert schedule.cron_schedule == "0 5 * * *"
    assert schedule.execution_timezone == "Europe/Berlin"


def test_no_run_is_asked_for_when_every_file_has_been_taken(
    shop_run: ShopRun, instance: dg.DagsterInstance
) -> None:
    assert isinstance(evaluate(shop_run, instance), dg.SkipReason)


def test_a_new_file_asks_for_a_run_again_and_again_until_it_is_taken(
    shop_run: ShopRun, instance: dg.DagsterInstance
) -> None:
    add_file(shop_run)
    for _ in range(2):
        result = evaluate(shop_run, instance)
        assert isinstance(result, dg.SensorResult)
        assert result.run_requests is not None
        (request,) = result.run_requests
        # With a key, a file that a failed run left would never be tried again.
        assert request.run_key is None


def test_nothing_is_asked_for_while_a_run_is_queued_or_under_way(
    shop_run: ShopRun, instance: dg.DagsterInstance
) -> None:
    add_file(shop_run)
    record_run(instance, shop_run, dg.DagsterRunStatus.STARTED)
    assert isinstance(evaluate(shop_run, instance), dg.SkipReason)


def test_the_sensor_does_not_wait_for_a_run_that_holds_the_warehouse(
    shop_run: ShopRun, instance: dg.DagsterInstance
) -> None:
    add_file(shop_run)
    with FileLock(shop_run.settings.lock_file, timeout=0):
        result = evaluate(shop_run, instance)
    assert isinstance(result, dg.SkipReason)
    assert "holds the warehouse" in str(result.skip_message)


def test_the_warehouse_is_left_alone_while_nothing_has_changed_since_a_look_that_found_no_news(
    shop_run: ShopRun, instance: dg.DagsterInstance
) -> None:
    context = dg.build_sensor_context(instance=instance)
    assert isinstance(look(shop_run, context), dg.SkipReason)
    with FileLock(shop_run.settings.lock_file, timeout=0):
        quiet = look(shop_run, context)
    assert isinstance(quiet, dg.SkipReason) and "since the last look" in str(quiet.skip_message)
    add_file(shop_run)
    for _ in range(2):
        assert isinstance(look(shop_run, context), dg.SensorResult)


def test_every_run_is_followed_by_a_look_of_its_own(
    shop_run: ShopRun, instance: dg.DagsterInstance
) -> None:
    context = dg.build_sensor_context(instance=instance)
    assert isinstance(look(shop_run, context), dg.SkipReason)
    record_run(instance, shop_run, dg.DagsterRunStatus.SUCCESS)
    assert "No new complete file" in str(look(shop_run, context))


def test_a_failed_run_is_followed_by_another_after_a_pause(
    finished_shop_run: ShopRun, instance: dg.DagsterInstance
) -> None:
    record_run(instance, finished_shop_run, dg.DagsterRunStatus.FAILURE)
    now = datetime.now(UTC)
    assert pause_after_failures(instance, now) is not None
    assert pause_after_failures(instance, now + timedelta(seconds=61)) is None


def test_the_pause_grows_with_failures_in_a_row_but_not_for_ever(
    finished_shop_run: ShopRun, instance: dg.DagsterInstance
) -> None:
    for _ in range(4):
        record_run(instance, finished_shop_run, dg.DagsterRunStatus.FAILURE)
    now = datetime.now(UTC)
    assert pause_after_failures(instance, now + timedelta(minutes=7)) is not None
    assert pause_after_failures(instance, now + timedelta(minutes=9)) is None
    for _ in range(8):
        record_run(instance, finished_shop_run, dg.DagsterRunStatus.FAILURE)
    assert pause_after_failures(instance, now + LONGEST_PAUSE + timedelta(minutes=1)) is None


def test_a_run_that_succeeded_ends_the_pause(
    finished_shop_run: ShopRun, instance: dg.DagsterInstance
) -> None:
    record_run(instance, finished_shop_run, dg.DagsterRunStatus.FAILURE)
    record_run(instance, finished_shop_run, dg.DagsterRunStatus.SUCCESS)
    assert pause_after_failures(instance, datetime.now(UTC)) is None


def test_sources_and_sets_say_when_they_are_too_old(finished_shop_run: ShopRun) -> None:
    specs = {spec.key: spec for spec in finished_shop_run.definitions().resolve_all_asset_specs()}
    for name, source in finished_shop_run.deployment.sources.items():
        policy = specs[dg.AssetKey(["raw", name])].freshness_policy
        assert policy == dg.FreshnessPolicy.time_window(fail_window=source.fresh_within)
    for role in finished_shop_run.deployment.roles:
        assert specs[dg.AssetKey(["serving", role])].freshness_policy is not None
