"""Any sequence of increments ends in the same current tables as one full rebuild."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.models.deployment import Deployment
from tests.models.told_events import deliver_events, identify
from tests.services.delivery import Deliveries

pytestmark = pytest.mark.integration

END = datetime(2026, 6, 30, 12)
AT = END - timedelta(hours=1)


@pytest.fixture(scope="module")
def begun(shop_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a shop without a website, after its first run, two hours before the end."""
    home = tmp_path_factory.mktemp("begun")
    Deliveries(shop_files, home, seed=6).database_up_to(None)
    (home / "landing" / "web").mkdir(parents=True)
    Deployment(home).run(END - timedelta(hours=2))
    return home


@pytest.fixture
def without_events(begun: Path, tmp_path: Path) -> Deployment:
    """That shop, for one test alone."""
    home = tmp_path / "home"
    shutil.copytree(begun, home, symlinks=True)
    return Deployment(home, runs=1)


def differing(deployment: Deployment) -> dict[str, list[tuple[object, ...]]]:
    """Tables whose content changes when everything is built anew at the same moment."""
    deployment.keep_copies()
    deployment.run(END, full_refresh=True)
    return deployment.changed_since_copies()


@pytest.mark.parametrize(
    ("batches", "shuffled", "repeat"),
    [(4, False, False), (3, True, True), (6, True, True)],
    ids=["day by day", "any order, repeated", "any order, small batches, repeated"],
)
def test_increments_equal_a_rebuild(
    shop_files: Path, tmp_path: Path, batches: int, shuffled: bool, repeat: bool
) -> None:
    deployment = Deployment(tmp_path)
    deliveries = Deliveries(shop_files, tmp_path, seed=batches)
    parts = deliveries.batches(batches, shuffled=shuffled)
    for number, part in enumerate(parts, 1):
        moment = END - timedelta(days=40) * (len(parts) - number) / len(parts)
        deliveries.deliver(part, repeat=repeat)
        deliveries.database_up_to(None if number == len(parts) else moment)
        deployment.run(moment)
    assert differing(deployment) == {}


def test_time_alone_moves_what_it_should(shop_files: Path, tmp_path: Path) -> None:
    """Nothing lands any more, but windows expire and facts of the future come due."""
    deployment = Deployment(tmp_path)
    deliveries = Deliveries(shop_files, tmp_path, seed=1)
    (everything,) = deliveries.batches(1, shuffled=False)
    deliveries.deliver(everything)
    deliveries.database_up_to(None)
    for hours in (24 * 20, 24 * 3, 30, 5, 1):
        deployment.run(END - timedelta(hours=hours))
    assert deployment.rows(
        "SELECT count(*) FROM segments.fct_segment_changes WHERE change = 'left'"
    ) > [(0,)]
    deployment.run(END)
    assert differing(deployment) == {}


def test_a_clock_set_back_is_right_again(shop_files: Path, tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    deliveries = Deliveries(shop_files, tmp_path, seed=1)
    (everything,) = deliveries.batches(1, shuffled=False)
    deliveries.deliver(everything)
    deliveries.database_up_to(None)
    deployment.run(END + timedelta(days=30))
    deployment.run(END)
    assert differing(deployment) == {}


def test_a_run_that_was_never_published_is_repeated(shop_files: Path, tmp_path: Path) -> None:
    """A run that built some stages, or all, and was killed before publishing leaves no trace."""
    deployment = Deployment(tmp_path)
    deliveries = Deliveries(shop_files, tmp_path, seed=5)
    first, second, third = deliveries.batches(3, shuffled=True)
    deliveries.deliver(first)
    deliveries.database_up_to(END - timedelta(days=10))
    deployment.run(END - timedelta(days=10))
    deliveries.deliver(second)
    deployment.run(END - timedelta(days=5), publish=False, stages=["staging", "identity"])
    deliveries.deliver(third)
    deliveries.database_up_to(None)
    deployment.run(END - timedelta(days=1), publish=False)
    deployment.run(END)
    assert differing(deployment) == {}


def test_ids_survive_a_rebuild_and_say_how_they_changed(shop_files: Path, tmp_path: Path) -> None:
    """Anonymous visitors who log in later merge into the earliest born; each change is recorded."""
    deployment = Deployment(tmp_path)
    deliveries = Deliveries(shop_files, tmp_path, seed=9)
    parts = deliveries.batches(5, shuffled=True)
    for number, part in enumerate(parts, 1):
        deliveries.deliver(part)
        deliveries.database_up_to(None if number == len(parts) else END - timedelta(days=30))
        deployment.run(END)
    before = dict(deployment.rows("SELECT birth, profile_id FROM identity.dim_identifiers"))
    births = deployment.rows(
        "SELECT min(birth), max(birth), count(*) FROM identity.identifier_births"
    )
    assert births[0][0] == 1
    assert births[0][1] == births[0][2]
    merges = deployment.rows(
        "SELECT count(*) FROM identity.fct_identity_changes WHERE cause = 'merge'"
    )
    assert merges[0][0] > 0
    latest = deployment.rows(
        "SELECT birth, arg_max(profile_id, run_number) "
        "FROM identity.identity_assignments GROUP BY birth"
    )
    assert dict(latest) == before
    deployment.run(END, full_refresh=True)
    assert dict(deployment.rows("SELECT birth, profile_id FROM identity.dim_identifiers")) == before


def test_a_merge_of_an_unpublished_run_that_a_later_row_undoes_leaves_nothing_behind(
    shop_files: Path, tmp_path: Path
) -> None:
    """Nothing lands for the second device again, so only the former change set knows of it."""
    deployment = Deployment(tmp_path)
    deliveries = Deliveries(shop_files, tmp_path, seed=3)
    (everything,) = deliveries.batches(1, shuffled=False)
    deliveries.deliver(everything)
    deliveries.database_up_to(None)
    deliver_events(
        tmp_path,
        "apart",
        AT,
        identify("device-1", "ada@example.org", user_id="ada"),
        identify("device-2", "shared@example.org"),
        identify("device-3", "shared@example.org"),
        {"type": "track", "event": "Product Added", "anonymousId": "device-3"},
    )
    deployment.run(END)
    deliver_events(tmp_path, "together", AT, identify("device-2", "ada@example.org"))
    deployment.run(END + timedelta(hours=1), publish=False)
    assert len(set(profiles_of(deployment, "device-1", "device-2", "device-3"))) == 1
    deliver_events(
        tmp_path, "undone", AT, identify("device-2", "shared@example.org", user_id="bob")
    )
    deployment.run(END + timedelta(hours=2))
    ada, bob, third = profiles_of(deployment, "device-1", "device-2", "device-3")
    assert ada != bob == third
    deployment.keep_copies()
    deployment.run(END + timedelta(hours=2), full_refresh=True)
    assert deployment.changed_since_copies() == {}


def test_what_changes_hands_leaves_its_former_owner(shop_files: Path, tmp_path: Path) -> None:
    """Orders and refunds that are moved or deleted count for those they belong to now, and no more
    for those they belonged to before."""
    deployment = Deployment(tmp_path)
    deliveries = Deliveries(shop_files, tmp_path, seed=4)
    deliveries.deliver(*deliveries.batches(1, shuffled=False))
    deliveries.database_up_to(None)
    with sqlite3.connect(tmp_path / "demo" / "shop.sqlite") as database:
        orders = database.execute(
            "SELECT min(order_no), customer_no FROM orders WHERE customer_no IS NOT NULL "
            "AND deleted_at IS NULL AND placed_at < '2026-06-20' GROUP BY 2 ORDER BY 1 LIMIT 5"
        ).fetchall()
        *bought, (first, _), (second, _) = orders
        for number, order in (("r-one", first), ("r-two", second)):
            database.execute(
                "INSERT INTO refunds (refund_no, order_no, amount, currency_code, refunded_at, "
                "created_at, updated_at) VALUES (?, ?, 1, 'EUR', '2026-06-25 10:00:00', "
                "'2026-06-25 10:00:00', '2026-06-25 10:00:00')",
                [number, order],
            )
    deployment.run(END - timedelta(hours=2))
    with sqlite3.connect(tmp_path / "demo" / "shop.sqlite") as database:
        now = "updated_at = '2026-06-30 11:00:00'"
        database.execute(
            f"UPDATE orders SET customer_no = ?, {now} WHERE order_no = ?",
            [bought[1][1], bought[0][0]],
        )
        database.execute(
            f"UPDATE orders SET customer_no = NULL, {now} WHERE order_no = ?", [bought[1][0]]
        )
        database.execute(
            f"UPDATE orders SET deleted_at = '2026-06-30 11:00:00', {now} WHERE order_no = ?",
            [bought[2][0]],
        )
        database.execute(
            f"UPDATE refunds SET order_no = ?, {now} WHERE refund_no = ?",
            [second, "r-one"],
        )
        database.execute(f"UPDATE refunds SET order_no = NULL, {now} WHERE refund_no = 'r-two'")
    deployment.run(END - timedelta(hours=1), publish=False)
    deployment.run(END)
    assert differing(deployment) == {}


def test_a_late_event_cuts_the_sessions_of_everybody_on_its_device(
    without_events: Deployment,
) -> None:
    deployment = without_events
    start = END - timedelta(hours=5)

    def viewed(user: str, minutes: int) -> dict[str, Any]:
        moment = (start + timedelta(minutes=minutes)).isoformat() + "Z"
        told = {"type": "track", "event": "Product Viewed", "anonymousId": "shared tablet"}
        return {**told, "userId": user, "timestamp": moment, "receivedAt": moment}

    deliver_events(deployment.home, "first", AT, viewed("900001", 0), viewed("900001", 50))
    deployment.run(END - timedelta(hours=1))
    deliver_events(deployment.home, "late", AT, viewed("900002", 25))
    deployment.run(END)
    assert deployment.rows(
        "SELECT session_count FROM profiles.dim_profiles "
        "INNER JOIN identity.dim_identifiers USING (profile_id) WHERE identifier_value = '900001'"
    ) == [(1,)]
    assert differing(deployment) == {}


def test_the_first_events_after_a_publication_without_any_have_their_sessions(
    without_events: Deployment,
) -> None:
    deployment = without_events
    deliver_events(deployment.home, "first", AT, identify("device", "ada@example.org"))
    deployment.run(END)
    assert deployment.rows("SELECT count(*) FROM profiles.fct_sessions") == [(1,)]
    assert differing(deployment) == {}


def test_consent_follows_its_time_and_whom_it_is_about(without_events: Deployment) -> None:
    """Nothing else happens to these people, so a decision alone makes them part of the change."""
    deployment = without_events
    home = deployment.home
    introduce(home, "900001", "900002", "900003")
    deliver_decision(home, "early", "about", "900001", "granted", END - timedelta(days=9))
    due = END - timedelta(hours=1)
    # Types of identifiers are told as people like.
    deliver_decision(home, "due", "later", "900003", "denied", due, " User_ID ")
    deployment.run(END - timedelta(hours=2))
    assert consent_in_force(deployment) == {"900001": True}
    deployment.run(END - timedelta(hours=1))
    assert consent_in_force(deployment) == {"900001": True, "900003": False}
    deliver_decision(home, "moved", "about", "900002", "granted", END - timedelta(days=9))
    deployment.run(END, publish=False)
    deployment.run(END)
    assert consent_in_force(deployment) == {"900002": True, "900003": False}
    assert differing(deployment) == {}


def test_a_decision_that_was_not_in_force_leaves_whom_it_was_about(
    without_events: Deployment,
) -> None:
    """A refusal of everything is of the purposes that the person has decided on: where the only
    decision that named one turns out to be another's, there is none to refuse."""
    deployment = without_events
    home = deployment.home
    introduce(home, "900001", "900002")
    long_ago = END - timedelta(days=9)
    deliver_decision(home, "named", "named", "900001", "granted", long_ago)
    deliver_decision(home, "all", "all", "900001", "denied", AT, purpose=None)
    deployment.run(END - timedelta(hours=1))
    assert consent_in_force(deployment) == {"900001": False}
    deliver_decision(home, "moved", "named", "900002", "granted", long_ago)
    deployment.run(END)
    assert consent_in_force(deployment) == {"900002": True}
    assert differing(deployment) == {}


def test_a_refusal_meets_the_grant_however_its_purpose_is_spelled(
    without_events: Deployment,
) -> None:
    deployment = without_events
    home = deployment.home
    introduce(home, "900001")
    long_ago = END - timedelta(days=9)
    deliver_decision(home, "yes", "yes", "900001", " Granted", long_ago, purpose="marketing")
    deliver_decision(home, "no", "no", "900001", "DENIED", AT, purpose=" Marketing ")
    deployment.run(END - timedelta(hours=2))
    assert consent_in_force(deployment) == {"900001": True}
    deployment.run(END)
    assert consent_in_force(deployment) == {"900001": False}


def test_a_version_of_a_decision_that_names_nobody_ends_the_grant(
    without_events: Deployment,
) -> None:
    """A source that takes the person out of a record takes the grant away."""
    deployment = without_events
    home = deployment.home
    introduce(home, "900001")
    deliver_decision(home, "yes", "one", "900001", "granted", END - timedelta(days=9))
    deployment.run(END - timedelta(hours=1))
    assert consent_in_force(deployment) == {"900001": True}
    deliver_decision(home, "taken out", "one", None, "granted", END - timedelta(days=9))
    deployment.run(END)
    assert consent_in_force(deployment) == {}
    assert differing(deployment) == {}


def introduce(home: Path, *user_ids: str) -> None:
    """Let users be known, each with a device."""
    deliver_events(home, "people", AT, *(identify(f"d{each}", "", each) for each in user_ids))


def deliver_decision(
    home: Path,
    name: str,
    record: str,
    user_id: str | None,
    decision: str,
    at: datetime,
    id_type: str = "user_id",
    purpose: str | None = "marketing",
) -> None:
    """Put a decision into a file of its own."""
    folder = home / "landing" / "consent"
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "record": record,
        "subject": {"type": id_type, "value": user_id},
        "purpose": purpose,
        "decision": decision,
        "at": at.isoformat() + "Z",
    }
    (folder / f"consents-{name}.ndjson").write_text(json.dumps(told) + "\n", encoding="utf-8")


def consent_in_force(deployment: Deployment) -> dict[str, bool]:
    """For each user whose decision is in force, whether it grants."""
    return dict(
        deployment.rows(
            "SELECT identifier_value, is_granted FROM governance.dim_consent_in_force "
            "INNER JOIN identity.dim_identifiers USING (profile_id) "
            "WHERE identifier_type = 'user_id'"
        )
    )


def profiles_of(deployment: Deployment, *devices: str) -> list[int]:
    """The profile of each device."""
    found = dict(
        deployment.rows(
            "SELECT identifier_value, profile_id FROM identity.dim_identifiers "
            "WHERE identifier_type = 'anonymous_id'"
        )
    )
    return [found[device] for device in devices]
