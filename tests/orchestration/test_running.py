"""What a process keeps from one run to the next, and that others read what it wrote."""

from __future__ import annotations

import signal
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage
from dbt.cli.main import dbtRunner, dbtRunnerResult

from cdp.warehouse.modelling import Models, ModelsFailed
from orchestration.event_log import EventLog
from orchestration.instance import open_instance
from orchestration.progress import News
from orchestration.running import prepare
from tests.services.shop_run import ShopRun


def test_dagsters_own_storage_reads_what_a_run_on_the_command_line_wrote(
    finished_shop_run: ShopRun,
) -> None:
    run_id = finished_shop_run.first.run_id

    def told(instance: dg.DagsterInstance) -> list[tuple[str, str]]:
        records = instance.get_records_for_run(run_id, limit=5_000).records
        return [
            (event.event_type_value, event.step_key or "")
            for record in records
            if (event := record.event_log_entry.dagster_event)
        ]

    folder = str(finished_shop_run.settings.dagster_dir)
    with (
        open_instance(finished_shop_run.settings) as own,
        dg.DagsterInstance.from_config(folder) as stock,
    ):
        assert isinstance(own.event_log_storage, EventLog)
        assert not isinstance(stock.event_log_storage, EventLog)
        assert told(stock) == told(own)
        assert ("PIPELINE_SUCCESS", "") in told(stock)
        profiles = dg.AssetKey(["profiles", "dim_profiles"])
        latest = stock.get_latest_materialization_event(profiles)
        assert latest is not None
        assert latest.run_id == run_id


def test_what_is_told_of_tables_in_a_row_is_known_at_once_and_as_dagsters_own_storage_knows_it(
    shop_run: ShopRun,
) -> None:
    run_id = shop_run.first.run_id
    folder = str(shop_run.settings.dagster_dir)
    with (
        open_instance(shop_run.settings) as own,
        dg.DagsterInstance.from_config(folder) as stock,
    ):
        keys = [record.asset_entry.asset_key for record in stock.get_asset_records()]
        assert len(keys) > 50
        # Kept from a first question, then changed by events that wait to be written together.
        own.get_asset_records([keys[0]])
        entries = [record.event_log_entry for record in own.get_records_for_run(run_id).records]
        told_again = [
            entry
            for entry in entries
            if entry.dagster_event and entry.dagster_event.is_step_materialization
        ][:9]
        for number, entry in enumerate(told_again):
            own.event_log_storage.store_event(entry._replace(timestamp=entry.timestamp + 1))
            key = entry.get_dagster_event().asset_key
            assert key is not None
            (record,) = own.get_asset_records([key])
            assert record.asset_entry.last_materialization is not None
            assert record.asset_entry.last_materialization.timestamp == entry.timestamp + 1
            if number % 4 == 3:
                assert own.get_asset_records([key]) == stock.get_asset_records([key])
        assert [own.get_asset_records([key]) for key in keys] == [
            stock.get_asset_records([key]) for key in keys
        ]


def test_events_whose_writing_is_broken_off_are_written_with_the_next(
    shop_run: ShopRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = shop_run.first.run_id
    with open_instance(shop_run.settings) as own:
        before = list(own.get_records_for_run(run_id, limit=5_000).records)
        entry = before[-1].event_log_entry
        store = SqliteEventLogStorage.store_event

        def broken_off(self: SqliteEventLogStorage, event: dg.EventLogEntry) -> None:
            store(self, event)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(SqliteEventLogStorage, "store_event", broken_off)
            with pytest.raises(KeyboardInterrupt):
                own.event_log_storage.store_event(entry)
        own.event_log_storage.store_event(entry)
        assert len(own.get_records_for_run(run_id, limit=5_000).records) == len(before) + 2


def test_what_a_run_needs_is_prepared_again_only_when_something_changed(
    finished_shop_run: ShopRun,
) -> None:
    settings = finished_shop_run.settings
    first = prepare(settings)
    assert prepare(settings) is first
    assert settings.as_of is not None
    later = settings.model_copy(update={"as_of": settings.as_of + timedelta(hours=1)})
    assert prepare(later) is not first
    assert prepare(later).settings == later


def without_a_word() -> AssertionError:
    """An error that says nothing, met while another was dealt with."""
    error = AssertionError()
    error.__cause__ = KeyError("what was missing")
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("a text"), "a text"),
        (AssertionError(), "AssertionError"),
        (without_a_word(), "AssertionError, after 'what was missing'"),
    ],
)
def test_what_dbt_could_not_do_is_told_with_its_cause(
    finished_shop_run: ShopRun, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    failed = dbtRunnerResult(success=False, exception=error)
    monkeypatch.setattr(dbtRunner, "invoke", lambda *_: failed)
    project = finished_shop_run.deployment.project
    monkeypatch.setattr(Models, "_kept", {})
    with pytest.raises(ModelsFailed) as raised:
        Models(finished_shop_run.settings, project).manifest()
    assert str(raised.value) == f"dbt could not parse the project at {project}: {told}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_end_among_the_models_says_so_and_the_next_is_fine(
    shop_run: ShopRun, number: signal.Signals
) -> None:
    heard: list[News] = []

    def interrupt(news: News) -> None:
        heard.append(news)
        if [each.what for each in heard].count("model") == 1 and news.what == "model":
            signal.raise_signal(number)

    # Another zone is other logic, so that all models are built.
    changed = shop_run.with_settings(timezone="America/New_York")
    ended = changed.run(listener=interrupt)
    assert not ended.success
    assert ended.failed == ("build_staging",)
    assert ended.errors == (
        "build_staging: the process was told to end (Ctrl-C, or a signal); the next run takes up "
        "from here",
    )
    assert shop_run.run().success
