"""Runs: the whole way, twice at once, with nothing new, and stopped by a gate."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from filelock import FileLock

from cdp.commands.following import complain, outcome_as_data
from cdp.config.personal_data import load_personal_data
from cdp.warehouse.model_catalogue import warehouse_columns
from cdp.warehouse.publishing import PublishRefused, publish
from cdp.warehouse.readers import open_reader
from cdp.warehouse.runs import STAGES, current_run, stage_states
from cdp.warehouse.settings import PROJECT_ROOT
from cdp.warehouse.store import Warehouse, WarehouseBusy, open_warehouse
from expectations import gates
from expectations.checks import CheckResult, GateVerdict
from orchestration import lost_runs
from orchestration.alerting import tell_if_untold
from orchestration.instance import open_instance
from orchestration.lost_runs import end_lost_runs
from tests.orchestration.receiver import Receiver
from tests.orchestration.shop_runs import (
    SEGMENTS,
    evaluations,
    materialisations,
    materialise,
    published,
)
from tests.services.shop_run import ShopRun

# --- the whole way ------------------------------------------------------------------------------


def test_a_run_fills_every_shipped_segment_of_the_published_set(
    finished_shop_run: ShopRun,
) -> None:
    with open_reader(finished_shop_run.settings, "analyst") as reader:
        for segment in SEGMENTS:
            row = reader.execute(f"SELECT count(*) FROM {segment}").fetchone()
            assert row is not None
            assert row[0] > 0, segment


def test_the_map_of_personal_data_knows_every_column_that_a_run_leaves(
    finished_shop_run: ShopRun,
) -> None:
    settings = finished_shop_run.settings
    with open_warehouse(settings) as warehouse:
        columns = warehouse_columns(warehouse)
    assert {"raw", *STAGES[1:], "governance"} <= {column.schema for column in columns}
    missing = [str(column) for column in load_personal_data(settings).undeclared(columns)]
    assert missing == [], f"say in config/personal_data.yml what these columns hold: {missing}"


def test_a_run_reports_rows_of_every_table_and_lineage_of_columns(
    finished_shop_run: ShopRun,
) -> None:
    found = materialisations(finished_shop_run, finished_shop_run.first.run_id)
    profiles = found["profiles/dim_profiles"].metadata
    assert int(str(profiles["dagster/row_count"].value)) > 0
    lineage = profiles["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    spent = {
        (dep.asset_key.to_user_string(), dep.column_name)
        for dep in lineage.deps_by_column["total_spent"]
    }
    assert spent == {("profiles/int_profile_orders", "total_spent")}
    nodes = list(finished_shop_run.deployment.manifest["nodes"].values())
    # Counting a view runs its query once more, so only segments are, which select from a table.
    views = {
        f"{node['schema']}/{node['name']}"
        for node in nodes
        if node["config"]["materialized"] == "view"
        and (node["schema"] != "segments" or node["name"].startswith("int_"))
    }
    assert {
        name for name, each in found.items() if "dagster/row_count" not in each.metadata
    } == views
    no_sql = [
        node for node in nodes if node["resource_type"] == "model" and node["language"] != "sql"
    ]
    assert no_sql
    for node in no_sql:
        told = found[f"{node['schema']}/{node['name']}"].metadata["dagster/column_lineage"].value
        assert isinstance(told, dg.TableColumnLineage)
        assert set(told.deps_by_column) == set(node["columns"])
        # Of tables that the model reads, and of columns that they have.
        read = {
            f"{each['schema']}/{each['name']}": set(each["columns"])
            for each in nodes
            if each["unique_id"] in node["depends_on"]["nodes"]
        }
        for deps in told.deps_by_column.values():
            for dep in deps:
                assert dep.column_name in read[dep.asset_key.to_user_string()]


def test_a_run_materialises_everything_that_is_made(finished_shop_run: ShopRun) -> None:
    graph = finished_shop_run.definitions().resolve_asset_graph()
    made = {key.to_user_string() for key in graph.executable_asset_keys}
    assert set(materialisations(finished_shop_run, finished_shop_run.first.run_id)) == made


def test_every_step_of_a_run_is_one_run_of_the_record_under_dagsters_id(
    finished_shop_run: ShopRun,
) -> None:
    with open_warehouse(finished_shop_run.settings) as warehouse:
        rows = warehouse.rows("SELECT run_id, status, as_of FROM governance.runs")
        assert [(row[0], row[1]) for row in rows] == [(finished_shop_run.first.run_id, "published")]
        assert rows[0][2] == finished_shop_run.settings.as_of
        states = stage_states(warehouse)
    assert {state.built_by for state in states.values()} == {finished_shop_run.first.run_id}


# --- with nothing new ---------------------------------------------------------------------------


def tables_by_content(warehouse: Warehouse) -> dict[str, tuple[int, str]]:
    """Every current table with its rows and a digest of them, apart from what tells the run."""
    told_by_run = {"int_current_run", "segment_sizes"}
    found = {}
    for schema, name in warehouse.rows(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'warehouse' "
        "AND schema_name IN ('staging', 'identity', 'profiles', 'segments') ORDER BY ALL"
    ):
        if name in told_by_run or name.startswith(("int_changed", "int_touched")):
            continue
        found[f"{schema}.{name}"] = warehouse.rows(
            f"SELECT count(*), coalesce(sum(hash(t)), 0)::VARCHAR FROM {schema}.{name} AS t"
        )[0]
    return found


def test_a_run_with_nothing_new_leaves_every_table_and_publishes(shop_run: ShopRun) -> None:
    with open_warehouse(shop_run.settings) as warehouse:
        before = tables_by_content(warehouse)
    outcome = shop_run.run()
    assert outcome.success, outcome.errors
    assert all(news.detail["quiet"] for news in outcome.news if news.what == "built")
    with open_warehouse(shop_run.settings) as warehouse:
        assert tables_by_content(warehouse) == before
        assert warehouse.scalar("SELECT count(*) FROM profiles.int_changed_profiles") == 0
        assert warehouse.scalar("SELECT run_id FROM governance.int_current_run") == outcome.run_id
        sizes = warehouse.rows(
            "SELECT run_number, count(*) FROM segments.segment_sizes GROUP BY ALL ORDER BY ALL"
        )
    assert sizes == [(1, len(SEGMENTS)), (2, len(SEGMENTS))]
    assert published(shop_run).endswith(outcome.run_id.replace("-", "")[:12])


def test_a_quiet_run_holds_what_a_full_rebuild_at_its_moment_holds(shop_run: ShopRun) -> None:
    assert shop_run.run().success
    with open_warehouse(shop_run.settings) as warehouse:
        quiet = tables_by_content(warehouse)
        # As if the logic had been another one: everything current is built anew.
        warehouse.execute("UPDATE governance.runs SET logic_hash = 'another'")
    outcome = shop_run.run()
    assert outcome.success, outcome.errors
    assert not any(news.detail["quiet"] for news in outcome.news if news.what == "built")
    with open_warehouse(shop_run.settings) as warehouse:
        assert tables_by_content(warehouse) == quiet


def test_time_that_moves_a_verdict_is_something_new(shop_run: ShopRun) -> None:
    assert shop_run.settings.as_of is not None
    with open_warehouse(shop_run.settings) as warehouse:
        flip = warehouse.scalar("SELECT min(next_flip_at) FROM segments.int_segment_verdicts")
    later = shop_run.with_settings(as_of=flip)
    outcome = later.run()
    assert outcome.success, outcome.errors
    assert not any(news.detail["quiet"] for news in outcome.news if news.what == "built")


def test_a_new_row_is_something_new(shop_run: ShopRun) -> None:
    folder = shop_run.settings.landing_dir / "consent"
    (folder / "consents-later.ndjson").write_text(
        json.dumps(
            {
                "record": "later-1",
                "subject": {"type": "email", "value": "someone@inbox.example"},
                "purpose": "ads",
                "decision": "granted",
                "at": "2026-06-30T10:00:00Z",
            }
        )
        + "\n"
    )
    outcome = shop_run.run()
    assert outcome.success, outcome.errors
    assert not any(news.detail["quiet"] for news in outcome.news if news.what == "built")


def test_a_request_to_fit_the_scores_anew_is_something_new(shop_run: ShopRun) -> None:
    with open_warehouse(shop_run.settings) as warehouse:
        warehouse.execute("INSERT INTO governance.refit_requests VALUES ('rfm', now()::TIMESTAMP)")
    outcome = shop_run.run()
    assert outcome.success, outcome.errors
    with open_warehouse(shop_run.settings) as warehouse:
        assert warehouse.scalar("SELECT max(version) FROM profiles.rfm_cut_points") == 2
        assert warehouse.scalar("SELECT max(rfm_version) FROM profiles.dim_profiles") == 2
    assert all(news.detail["quiet"] for news in shop_run.run().news if news.what == "built")


# --- two at once ----------------------------------------------------------------------------------


def test_two_runs_at_once_wait_for_each_other_and_both_publish(shop_run: ShopRun) -> None:
    command = [sys.executable, "-m", "cdp", "run", "--json"]
    environment = {"CDP_HOME": str(shop_run.settings.home), "PATH": "/usr/bin:/bin"}
    started = [
        subprocess.Popen(
            command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=300)[0]) for process in started]
    assert [answer["success"] for answer in answers] == [True, True]
    with open_warehouse(shop_run.settings) as warehouse:
        runs = warehouse.rows(
            "SELECT run_id, status, started_at, finished_at FROM governance.runs "
            "WHERE run_number > 1 ORDER BY run_number"
        )
    assert {run[0] for run in runs} == {answer["run_id"] for answer in answers}
    assert [run[1] for run in runs] == ["published", "published"]
    assert runs[0][3] <= runs[1][2], "the second run began before the first had ended"


def test_a_killed_run_keeps_nobody_waiting(shop_run: ShopRun, receiver: Receiver) -> None:
    told = shop_run.with_settings(alert_webhook_url=receiver.url)
    process = subprocess.Popen(
        [sys.executable, "-m", "cdp", "run"],
        cwd=PROJECT_ROOT,
        env={"CDP_HOME": str(shop_run.settings.home), "PATH": "/usr/bin:/bin"},
        stderr=subprocess.DEVNULL,
    )
    signs = shop_run.settings.dagster_dir / "alive"
    until = time.monotonic() + 120
    while not list(signs.glob("*.lock")) and time.monotonic() < until:
        time.sleep(0.05)
    (sign,) = signs.glob("*.lock")
    with open_instance(told.settings) as instance:
        assert end_lost_runs(told.settings, instance) == [], "it is alive"
        process.kill()
        process.wait()
        killed = instance.get_run_by_id(sign.stem)
        assert killed is not None
        assert killed.status == dg.DagsterRunStatus.STARTED
    outcome = told.run()
    assert outcome.success, outcome.errors
    with open_instance(told.settings) as instance:
        killed = instance.get_run_by_id(sign.stem)
        assert killed is not None
        assert killed.status == dg.DagsterRunStatus.FAILURE
    assert [alert["facts"]["run"] for alert in receiver.alerts] == [killed.run_id]
    assert list(signs.glob("*.lock")) == []


def test_a_run_that_was_killed_before_its_first_step_keeps_nobody_waiting_either(
    finished_shop_run: ShopRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = finished_shop_run.definitions().resolve_job_def("main")
    with dg.DagsterInstance.ephemeral() as instance:
        killed = instance.create_run_for_job(main, status=dg.DagsterRunStatus.STARTED)
        assert end_lost_runs(finished_shop_run.settings, instance) == [], "it may have just begun"
        monkeypatch.setattr(lost_runs, "WITHOUT_SIGN_SECONDS", -1)
        assert end_lost_runs(finished_shop_run.settings, instance) == [killed.run_id]
        ended = instance.get_run_by_id(killed.run_id)
    assert ended is not None
    assert ended.status == dg.DagsterRunStatus.FAILURE


def test_a_run_whose_end_is_being_recorded_is_not_lost(
    finished_shop_run: ShopRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = finished_shop_run.settings
    main = finished_shop_run.definitions().resolve_job_def("main")
    with dg.DagsterInstance.ephemeral() as instance:
        ending = instance.create_run_for_job(main, status=dg.DagsterRunStatus.STARTED)
        long_ago = time.time() - 3600
        monkeypatch.setattr(dg.RunRecord, "start_time", long_ago, raising=False)
        with lost_runs.alive(settings, ending.run_id):
            assert end_lost_runs(settings, instance) == [], "it is alive"
        assert end_lost_runs(settings, instance) == [], "it has just let go"
        monkeypatch.setattr(lost_runs, "WITHOUT_SIGN_SECONDS", 0)
        assert end_lost_runs(settings, instance) == [ending.run_id]
    assert list((settings.dagster_dir / "alive").iterdir()) == []


def test_a_killed_run_is_launched_again_whole_and_a_failed_step_is_not(
    finished_shop_run: ShopRun,
) -> None:
    with open_instance(finished_shop_run.settings) as instance:
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries > 0
        assert not instance.run_retries_retry_on_asset_or_op_failure
    for job in ("main", "reextract"):
        tags = finished_shop_run.definitions().resolve_job_def(job).run_tags
        assert tags["dagster/retry_strategy"] == "ALL_STEPS"


# --- stopped by a gate ----------------------------------------------------------------------------


@pytest.fixture
def closed_gate(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The gate of profiles finds something; all others judge as they do."""
    judge = gates.decide

    def decide(warehouse: Any, run: Any, stage: str, *rest: Any) -> GateVerdict:
        verdict = judge(warehouse, run, stage, *rest)
        if stage != "profiles":
            return verdict
        found = CheckResult("is as it never is", "profiles.dim_profiles", False, {"value": 1})
        return replace(verdict, passed=False, checks=(*verdict.checks, found))

    monkeypatch.setattr(gates, "decide", decide)
    return monkeypatch


def test_a_closed_gate_stops_this_run_and_whatever_would_build_on_it(
    shop_run: ShopRun, closed_gate: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = published(shop_run)
    outcome = shop_run.run()
    assert not outcome.success
    assert outcome.refused == "profiles"
    assert outcome.failed == ("profiles_gate",)
    found = "profiles.dim_profiles is as it never is (value: 1)"
    assert outcome.errors == (f"profiles_gate: {found}",)
    complain(outcome)
    assert found in capsys.readouterr().err
    assert outcome_as_data(outcome)["failed_checks"] == [
        {
            "stage": "profiles",
            "table": "profiles.dim_profiles",
            "check": "is as it never is",
            "observed": {"value": 1},
        }
    ]
    assert not any(news.name == "segments" for news in outcome.news)
    assert published(shop_run) == before

    closed_gate.undo()
    # A later run that only goes on from there finds the verdict in the data.
    later = materialise(shop_run, "serving/analyst", "serving/marketing")
    assert not later.success
    assert published(shop_run) == before
    with open_warehouse(shop_run.settings) as warehouse:
        run = current_run(warehouse)
        assert run is not None
        with pytest.raises(PublishRefused, match="stage"):
            publish(warehouse, run, project=shop_run.deployment.project, validate=lambda path: True)

    with open_reader(shop_run.settings, "analyst") as reader:
        assert reader.execute("SELECT count(*) FROM dim_profiles").fetchone() != (0,)
    # Once the gate lets it pass, everything is as if nothing had happened.
    assert shop_run.run().success
    assert published(shop_run) != before


def test_a_gates_verdict_stands_in_the_graph_with_what_it_found(
    shop_run: ShopRun, closed_gate: pytest.MonkeyPatch
) -> None:
    outcome = shop_run.run()
    found = {each.check_name: each for each in evaluations(shop_run, outcome.run_id)}
    assert found["staging_gate"].passed
    assert not found["profiles_gate"].passed
    table = found["profiles_gate"].metadata["verdict"]
    assert isinstance(table, dg.TableMetadataValue)
    assert table.records[0].data["check"] == "is as it never is"
    assert "segments_gate" not in found


def test_a_closed_gate_is_told_once_with_the_checks_that_failed(
    shop_run: ShopRun, closed_gate: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    told = shop_run.with_settings(alert_webhook_url=receiver.url)
    outcome = told.run()
    assert [alert["facts"]["stage"] for alert in receiver.alerts] == ["profiles"]
    assert receiver.alerts[0]["facts"]["run"] == outcome.run_id
    assert receiver.alerts[0]["findings"] == ["profiles.dim_profiles is as it never is (value: 1)"]
    with open_instance(told.settings) as instance:
        run = instance.get_run_by_id(outcome.run_id)
        assert run is not None
        # What the sensor on failed runs does when it sees this one.
        assert not tell_if_untold(told.settings, instance, run)
    assert len(receiver.alerts) == 1


def test_a_run_that_could_not_speak_for_itself_is_told_by_the_sensor(
    finished_shop_run: ShopRun, receiver: Receiver
) -> None:
    told = finished_shop_run.with_settings(alert_webhook_url=receiver.url)
    with dg.DagsterInstance.ephemeral() as instance:
        killed = instance.create_run_for_job(told.definitions().resolve_job_def("main"))
        assert tell_if_untold(told.settings, instance, killed)
        assert not tell_if_untold(told.settings, instance, killed)
    assert [alert["facts"]["run"] for alert in receiver.alerts] == [killed.run_id]


def test_a_run_that_gets_no_warehouse_says_that_it_is_busy(shop_run: ShopRun) -> None:
    hasty = shop_run.with_settings(lock_wait_seconds=0.5)
    with (
        FileLock(shop_run.settings.lock_file, timeout=0),
        pytest.raises(WarehouseBusy, match="held by another run"),
    ):
        hasty.run()


def test_a_run_that_cannot_begin_is_told_too(shop_run: ShopRun, receiver: Receiver) -> None:
    """No step fails where the warehouse itself cannot be opened, and no daemon may be listening."""
    told = shop_run.with_settings(alert_webhook_url=receiver.url)
    shop_run.settings.warehouse_file.write_bytes(b"not a warehouse" * 1000)
    outcome = told.run()
    assert not outcome.success
    assert [alert["facts"]["run"] for alert in receiver.alerts] == [outcome.run_id]


def test_a_source_that_fails_leaves_what_is_published(
    shop_run: ShopRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion import landing

    def fail(*arguments: object, **named: object) -> None:
        raise LookupError("no such thing")

    before = published(shop_run)
    monkeypatch.setattr(landing, "land", fail)
    outcome = shop_run.run()
    assert not outcome.success
    assert outcome.refused is None
    assert "no such thing" in outcome.errors[0]
    assert published(shop_run) == before
    with open_warehouse(shop_run.settings) as warehouse:
        statuses = warehouse.rows("SELECT status FROM governance.runs ORDER BY run_number")
    assert statuses == [("published",), ("failed",)]


def test_every_stage_of_the_record_is_a_stage_of_the_graph(finished_shop_run: ShopRun) -> None:
    gates_seen = [news.name for news in finished_shop_run.first.news if news.what == "gate"]
    assert gates_seen == [*STAGES, "serving"]
    assert Path(finished_shop_run.settings.dagster_dir / "dagster.yaml").exists()


# --- no value of a row where none belongs -------------------------------------------------------

CANARY = 'canary.it\'s "told" nowhere@personal.example'


def holding(shop: ShopRun, values: set[bytes]) -> list[str]:
    """Files of the home that hold one of the values, but for those that are there to hold them."""
    settings = shop.settings
    marketing = settings.serving_dir.glob("sets/*/marketing")
    lawful = [
        *(settings.landing_dir, settings.demo_dir, settings.truth_dir, *marketing),
        *settings.warehouse_file.parent.glob(f"{settings.warehouse_file.name}*"),
    ]
    known = re.compile(b"|".join(map(re.escape, sorted(values))))
    return [
        str(path.relative_to(settings.home))
        for path in settings.home.rglob("*")
        if path.is_file()
        and not any(path == place or place in path.parents for place in lawful)
        and known.search(path.read_bytes())
    ]


def test_a_run_leaves_no_address_outside_the_files_that_are_to_hold_it(
    finished_shop_run: ShopRun,
) -> None:
    with open_reader(finished_shop_run.settings, "marketing") as reader:
        found = reader.execute(
            "SELECT email FROM profiles.dim_profiles WHERE email IS NOT NULL"
        ).fetchall()
    emails = {email.encode() for (email,) in found}
    assert len(emails) > 50
    assert holding(finished_shop_run, emails) == []


def test_a_model_that_fails_on_a_value_tells_it_nowhere(
    shop_run: ShopRun, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with open_warehouse(shop_run.settings) as warehouse:
        warehouse.execute(
            "INSERT INTO raw.web SELECT * REPLACE (row_key || 'x' AS row_key, ? AS payload, "
            "landing_number + 1_000_000 AS landing_number) FROM raw.web LIMIT 1",
            [CANARY],
        )
    result = materialise(shop_run, "staging/stg_web__events")
    assert not result.success
    said = [
        str(event.step_failure_data.error) for event in result.all_events if event.is_step_failure
    ]
    told = capfd.readouterr()
    everything = " ".join([*said, told.out, told.err, caplog.text])
    assert "stg_web__events" in everything
    assert "canary" not in everything
    assert holding(shop_run, {b"canary.it"}) == []
