"""The gate of serving: what the graph, the alert and the terminal say of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from cdp.commands.following import complain, outcome_as_data
from cdp.warehouse.runs import Run
from cdp.warehouse.store import Warehouse
from expectations import serving
from expectations.checks import GateVerdict
from tests.orchestration.receiver import Receiver
from tests.orchestration.shop_runs import evaluations, published
from tests.services.shop_run import ShopRun

CANARY = "canary@personal.example"
FOUND = "holds no personal value in profiles.dim_profiles"


@pytest.fixture
def leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """The candidate's file for analysts comes to hold an address before its gate looks at it."""
    validate_set = serving.validate_set

    def leaking(
        candidate: Path, warehouse: Warehouse, run: Run, *, project: Path | None = None
    ) -> GateVerdict:
        path = candidate / "analyst" / "core.duckdb"
        os.chmod(path, 0o644)
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"ATTACH '{path}' AS candidate")
            connection.execute(f"UPDATE candidate.profiles.dim_profiles SET email = '{CANARY}'")
            connection.execute("DETACH candidate")
        return validate_set(candidate, warehouse, run, project=project)

    monkeypatch.setattr(serving, "validate_set", leaking)


def of_serving(shop: ShopRun, run_id: str) -> dict[str, dg.AssetCheckEvaluation]:
    return {
        each.asset_key.path[-1]: each
        for each in evaluations(shop, run_id)
        if each.check_name == "serving_gate"
    }


def records(evaluation: dg.AssetCheckEvaluation) -> list[dict[str, object]]:
    table = evaluation.metadata["verdict"]
    assert isinstance(table, dg.TableMetadataValue)
    return [dict(record.data) for record in table.records]


def test_a_set_with_a_fault_is_told_with_stage_and_checks_wherever_people_look(
    shop_run: ShopRun, leak: None, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    before = published(shop_run)
    outcome = shop_run.with_settings(alert_webhook_url=receiver.url).run()
    assert (outcome.success, outcome.refused, outcome.failed) == (False, "serving", ("publish",))
    assert published(shop_run) == before

    found = of_serving(shop_run, outcome.run_id)
    assert {role: each.passed for role, each in found.items()} == {
        "analyst": False,
        "marketing": True,
    }
    assert found["analyst"].blocking
    assert FOUND in str(found["analyst"].description)
    worst = records(found["analyst"])[0]
    assert (worst["table"], worst["check"], worst["passed"]) == (
        "serving.analyst.core",
        FOUND,
        False,
    )

    (alert,) = receiver.alerts
    assert alert["facts"]["stage"] == "serving"
    assert [finding.split(" (")[0] for finding in alert["findings"]] == [
        f"serving.analyst.core {FOUND}"
    ]

    data = outcome_as_data(outcome)
    assert [(each["stage"], each["table"], each["check"]) for each in data["failed_checks"]] == [
        ("serving", "serving.analyst.core", FOUND)
    ]
    complain(outcome)
    said = capsys.readouterr().err
    assert "nothing was published" in said
    assert f"serving_gate: serving.analyst.core {FOUND}" in said

    everything = [found, receiver.alerts, json.dumps(data), said]
    assert CANARY not in repr(everything)


def test_a_set_that_is_fit_says_for_each_role_what_was_checked(finished_shop_run: ShopRun) -> None:
    found = of_serving(finished_shop_run, finished_shop_run.first.run_id)
    assert set(found) == set(finished_shop_run.deployment.roles)
    for role, evaluation in found.items():
        assert evaluation.passed
        told = records(evaluation)
        assert evaluation.metadata["checks"].value == len(told)
        assert {str(each["table"]) for each in told} == {
            "serving.set",
            f"serving.{role}.core",
            f"serving.{role}.facts",
        }
    # Only who may not see personal data is checked for having none.
    checks = {str(each["check"]) for each in records(found["analyst"])}
    assert FOUND in checks
