"""One address of hundreds of people merges nobody, and is told once."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from cdp.warehouse.store import open_warehouse
from orchestration.alerting import QUARANTINE_ALERT
from orchestration.instance import open_instance
from tests.orchestration.receiver import Receiver
from tests.services.shop_run import ShopRun
from tests.whole_way.killed_job import run_and_kill

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PEOPLE = 300


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


def test_a_run_that_was_killed_while_it_told_is_told_of_again(
    shop_run: ShopRun, receiver: Receiver
) -> None:
    told = shop_run.with_settings(alert_webhook_url=receiver.url)
    land(told, "planted_1.ndjson.gz", range(PEOPLE))
    first = told.run()
    assert first.success
    assert len(receiver.alerts) == 1
    with open_instance(told.settings) as instance:
        instance.add_run_tags(first.run_id, {QUARANTINE_ALERT: "sending"})
    assert told.run().success
    assert len(receiver.alerts) == 2
