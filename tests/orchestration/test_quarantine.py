"""One address of hundreds of people merges nobody, and is told once."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
from dagster import DagsterInstance, DagsterRunStatus, job, op

from cdp.warehouse.quarantined_clusters import Entered, EnteredInRun
from cdp.warehouse.runs import Run
from cdp.warehouse.store import open_warehouse
from orchestration.alerting import QUARANTINE_ALERT, claim_of_quarantine
from orchestration.instance import open_instance
from tests.orchestration.receiver import Receiver
from tests.services.shop_run import ShopRun
from tests.whole_way.killed_job import run_and_kill

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PEOPLE = 300
AT = datetime(2026, 7, 1)


def land(shop: ShopRun, name: str, people: range) -> None:
    """A message of each of them, all with one address."""
    at = datetime.now(tz=UTC).replace(tzinfo=None) - timedelta(hours=1)
    lines = [
        json.dumps(
            {
                "type": "identify",
                "messageId": f"planted-{n}",
                "userId": f"planted-{n}",
                "anonymousId": f"planted-device-{n}",
                "traits": {"email": "everybody@planted.example"},
                "timestamp": f"{at.isoformat()}Z",
            }
        )
        for n in people
    ]
    folder = shop.settings.home / "landing" / "web"
    with gzip.open(folder / name, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def test_one_address_of_hundreds_merges_nobody_and_is_told_once(
    shop_run: ShopRun, receiver: Receiver
) -> None:
    told = shop_run.with_settings(alert_webhook_url=receiver.url)
    land(told, "planted_1.ndjson.gz", range(PEOPLE))
    assert told.run().success
    (alert,) = receiver.alerts
    assert alert["title"].startswith("Tributary: 1 group of identifiers implausible")
    land(told, "planted_2.ndjson.gz", range(PEOPLE, PEOPLE + 5))
    assert told.run().success
    assert len(receiver.alerts) == 1
    with open_warehouse(told.settings) as warehouse:
        people = warehouse.rows(
            "SELECT count(DISTINCT profile_id), count(*) FROM identity.dim_identifiers "
            "WHERE identifier_value LIKE 'planted-%'"
        )
        quarantined = warehouse.rows(
            "SELECT clusters.kind, clusters.sign, clusters.seen, identifiers.identifier_value "
            "FROM identity.quarantined_clusters AS clusters "
            "INNER JOIN identity.dim_identifiers AS identifiers "
            "ON clusters.cluster_id = identifiers.birth"
        )
        rules = warehouse.rows(
            "SELECT DISTINCT rule FROM identity.fct_rejected_edges AS edges "
            "INNER JOIN identity.dim_identifiers AS identifiers "
            "ON edges.left_node = identifiers.birth OR edges.right_node = identifiers.birth "
            "WHERE identifiers.identifier_value LIKE 'planted-%'"
        )
    # Each has its device.
    assert people == [(PEOPLE + 5, 2 * (PEOPLE + 5))]
    everybody = "everybody@planted.example"
    assert quarantined == [("value", "identifiers", 2 * (PEOPLE + 5) + 1, everybody)]
    assert rules == [("bad_value",)]


def test_what_a_run_found_that_was_killed_once_it_had_published_the_next_one_tells_once(
    shop_run: ShopRun, receiver: Receiver
) -> None:
    land(shop_run, "planted_1.ndjson.gz", range(PEOPLE))
    assert run_and_kill(shop_run.settings.home, "publish.after_record", 1)
    assert not receiver.alerts
    told = shop_run.with_settings(alert_webhook_url=receiver.url)
    for _ in range(2):
        assert told.run().success
        titles = [each["title"] for each in receiver.alerts if "implausible" in each["title"]]
        assert len(titles) == 1


def test_a_run_that_was_killed_while_it_told_is_told_of_again_under_the_same_id(
    shop_run: ShopRun, receiver: Receiver
) -> None:
    told = shop_run.with_settings(alert_webhook_url=receiver.url)
    land(told, "planted_1.ndjson.gz", range(PEOPLE))
    first = told.run()
    assert first.success
    with open_instance(told.settings) as instance:
        instance.add_run_tags(first.run_id, {QUARANTINE_ALERT: f"sending {first.run_id}"})
    assert told.run().success
    one, other = receiver.alerts
    assert one["alert_id"] == other["alert_id"]


def test_what_another_run_is_telling_or_has_told_is_claimed_by_none() -> None:
    with DagsterInstance.ephemeral() as instance:
        runs = {}
        for name, status in (
            ("killed", DagsterRunStatus.FAILURE),
            ("telling", DagsterRunStatus.STARTED),
            ("ended", DagsterRunStatus.SUCCESS),
            ("begun again", DagsterRunStatus.FAILURE),
            ("mine", DagsterRunStatus.STARTED),
        ):
            runs[name] = instance.create_run_for_job(a_job, status=status).run_id
        mine = Run(9, runs["mine"], AT, AT, "test")
        found = [
            EnteredInRun(run_id, AT, (Entered(1, "value", "identifiers", 600),))
            for name, run_id in runs.items()
            if name != "telling"
        ]

        def claimed() -> set[str]:
            names = {run_id: name for name, run_id in runs.items()}
            return {names[each.run_id] for each in claim_of_quarantine(instance, mine, found)}

        instance.add_run_tags(runs["killed"], {QUARANTINE_ALERT: f"sending {runs['telling']}"})
        # Dagster gives a run that is begun again the tags of the one that it repeats.
        instance.add_run_tags(runs["begun again"], {QUARANTINE_ALERT: f"sent {runs['ended']}"})
        assert claimed() == {"begun again", "mine"}
        telling = instance.get_run_by_id(runs["telling"])
        assert telling is not None
        instance.report_run_failed(telling)
        assert "killed" in claimed()
        instance.add_run_tags(runs["killed"], {QUARANTINE_ALERT: f"sent {runs['killed']}"})
        assert "killed" not in claimed()


@op
def nothing() -> None: ...


@job
def a_job() -> None:
    nothing()
