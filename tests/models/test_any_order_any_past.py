"""What current tables say depends on what landed: not on its order, nor on what was taken back."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.models.current_rows import differences, told
from tests.models.deployment import Deployment
from tests.models.told_events import deliver_events, identify
from tests.services.delivery import Deliveries

pytestmark = pytest.mark.integration

END = datetime(2026, 6, 30, 12)


def test_another_order_of_landing_says_the_same_of_everybody(
    shop_files: Path, tmp_path: Path
) -> None:
    one, other = Deployment(tmp_path / "one"), Deployment(tmp_path / "other")
    for deployment, shuffled in ((one, False), (other, True)):
        deployment.home.mkdir()
        deliveries = Deliveries(shop_files, deployment.home, seed=8)
        parts = deliveries.batches(2 if shuffled else 1, shuffled=shuffled)
        for number, part in enumerate(parts, 1):
            deliveries.deliver(part)
            deliveries.database_up_to(None if number == len(parts) else END - timedelta(days=9))
            deployment.run(END)
    found = told(one, numbers=False)
    assert sum(found["profiles.dim_profiles"].values()) > 60
    assert differences(found, told(other, numbers=False)) == {}


def test_people_who_were_merged_and_parted_again_are_as_if_never_merged(
    shop_files: Path, tmp_path: Path
) -> None:
    """Visitors give the addresses of customers, and log in as somebody else an hour later."""
    merged = Deployment(tmp_path / "merged")
    merged.home.mkdir()
    deliveries = Deliveries(shop_files, merged.home, seed=8)
    deliveries.deliver(*deliveries.batches(1, shuffled=False))
    deliveries.database_up_to(None)
    merged.run(END - timedelta(hours=3))
    twin = Deployment(tmp_path / "twin", runs=merged.runs)
    shutil.copytree(merged.home, twin.home, symlinks=True)
    pairs = pairs_of_visitor_and_customer(merged)
    at = END - timedelta(hours=3)
    together = [identify(device, email) for device, email in pairs]
    apart = [
        identify(device, f"new-{number}@example.org", user_id=f"new-{number}")
        for number, (device, _) in enumerate(pairs)
    ]
    before = count_of_people(merged)
    deliver_events(merged.home, "together-1", at, *together)
    merged.run(END - timedelta(hours=2))
    assert count_of_people(merged) == before - len(pairs)
    deliver_events(merged.home, "together-2", at, *apart)
    deliver_events(twin.home, "together-1", at, *together)
    deliver_events(twin.home, "together-2", at, *apart)
    for deployment in (merged, twin):
        deployment.run(END)
        assert count_of_people(deployment) == before
    causes = "SELECT count(*) FROM identity.fct_identity_changes WHERE cause = 'split'"
    assert merged.rows(causes)[0][0] >= len(pairs)
    assert twin.rows(causes) == [(0,)]
    assert differences(told(merged, numbers=True), told(twin, numbers=True)) == {}


def pairs_of_visitor_and_customer(deployment: Deployment) -> list[tuple[str, str]]:
    """Devices of visitors of whom nothing else is known, and addresses of customers who bought."""
    visitors = deployment.rows(
        "SELECT any_value(identifier_value) AS device FROM identity.dim_identifiers "
        "INNER JOIN profiles.dim_profiles USING (profile_id) WHERE event_count > 3 "
        "GROUP BY profile_id HAVING count(*) = 1 AND any_value(identifier_type) = 'anonymous_id' "
        "ORDER BY device LIMIT 5"
    )
    customers = deployment.rows(
        "SELECT min(identifier_value) AS email FROM identity.dim_identifiers "
        "INNER JOIN profiles.dim_profiles USING (profile_id) "
        "WHERE identifier_type = 'email' AND order_count > 0 AND profile_id IN ("
        "    SELECT profile_id FROM identity.dim_identifiers WHERE identifier_type = 'user_id'"
        ") GROUP BY profile_id ORDER BY email LIMIT 5"
    )
    assert len(visitors) == len(customers) == 5
    return [(device, email) for (device,), (email,) in zip(visitors, customers, strict=True)]


def count_of_people(deployment: Deployment) -> int:
    """How many profiles there are."""
    ((people,),) = deployment.rows(
        "SELECT count(DISTINCT profile_id) FROM identity.dim_identifiers"
    )
    return int(people)
