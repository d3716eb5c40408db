"""What people say of who is who reaches profiles, traits, segments and consent with the next run,
and is gone from all of them when it is taken back."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cdp.identity.identifiers import Identifier
from cdp.identity.label_record import Said, record
from cdp.identity.labels import Claim, Label
from cdp.warehouse.readers import open_reader
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import open_warehouse
from tests.models.current_rows import differences, told
from tests.models.deployment import Deployment
from tests.services.delivery import Deliveries
from tests.services.shop_run import ShopRun

pytestmark = pytest.mark.integration

END = datetime(2026, 6, 30, 12)

REACHED = {
    "profiles.dim_profiles",
    "profiles.fct_events",
    "profiles.fct_orders",
    "profiles.fct_sessions",
    "segments.fct_segment_memberships",
    "governance.dim_consent_in_force",
}

IN_SEGMENTS = (
    "SELECT profile_id, count(DISTINCT segment_name) AS segments "
    "FROM segments.fct_segment_memberships WHERE exited_at IS NULL GROUP BY profile_id"
)

WITH_CONSENTS = (
    "SELECT profile_id, count(*) AS consents FROM governance.dim_consent_in_force "
    "GROUP BY profile_id"
)


def say(settings: Settings, *claims: Claim) -> list[Label]:
    with open_warehouse(settings) as warehouse:
        return record(warehouse, [Said(claim, "ada", "she told us") for claim in claims])


def take_back(settings: Settings, *labels: Label) -> None:
    with open_warehouse(settings) as warehouse:
        record(
            warehouse,
            [Said(each.claim, "ada", "a mistake", removes=each.number) for each in labels],
        )


def visitor_and_customer(rows: list[tuple[str, str]]) -> Claim:
    """That a visitor of whom nothing but a device is known is a customer who bought."""
    ((device, email),) = rows
    return Claim("join", Identifier("anonymous_id", device), Identifier("email", email))


VISITOR_AND_CUSTOMER = f"""
    WITH people AS (
        SELECT profile_id, count(*) AS identifiers, min(identifier_value) FILTER (
            identifier_type = 'anonymous_id') AS device,
            min(identifier_value) FILTER (identifier_type = 'email') AS email
        FROM identity.dim_identifiers GROUP BY profile_id
    ), known AS (
        SELECT * FROM people INNER JOIN profiles.dim_profiles AS profiles USING (profile_id)
        LEFT JOIN ({IN_SEGMENTS}) USING (profile_id)
        LEFT JOIN ({WITH_CONSENTS}) USING (profile_id)
    )
    SELECT
        (SELECT device FROM known WHERE identifiers = 1 AND device IS NOT NULL AND event_count > 2
         ORDER BY consents DESC NULLS LAST, segments DESC NULLS LAST, device LIMIT 1),
        (SELECT known.email FROM known WHERE known.email IS NOT NULL AND order_count > 0
         ORDER BY segments DESC NULLS LAST, known.email LIMIT 1)
"""

TIED = f"""
    SELECT min(identifier_value) FILTER (identifier_type = 'email') AS email,
        min(identifier_value) FILTER (identifier_type = 'user_id') AS user_id
    FROM identity.dim_identifiers
    INNER JOIN profiles.dim_profiles AS profiles USING (profile_id)
    INNER JOIN ({WITH_CONSENTS}) USING (profile_id)
    WHERE order_count > 0
    GROUP BY profile_id
    HAVING count(*) FILTER (identifier_type = 'email') = 1
        AND count(*) FILTER (identifier_type = 'user_id') = 1
    ORDER BY max(event_count) DESC, profile_id LIMIT 1
"""


def test_labels_reach_every_table_as_in_a_full_build_and_leave_none_changed(
    shop_files: Path, tmp_path: Path
) -> None:
    labelled = Deployment(tmp_path / "labelled")
    labelled.home.mkdir()
    deliveries = Deliveries(shop_files, labelled.home, seed=8)
    deliveries.deliver(*deliveries.batches(1, shuffled=False))
    deliveries.database_up_to(None)
    labelled.run(END - timedelta(hours=3))
    twin = Deployment(tmp_path / "twin", runs=labelled.runs)
    shutil.copytree(labelled.home, twin.home, symlinks=True)
    join = visitor_and_customer(labelled.rows(VISITOR_AND_CUSTOMER))
    ((email, user),) = labelled.rows(TIED)
    split = Claim("split", Identifier("email", email), Identifier("user_id", user))
    labels = say(labelled.settings(), join, split)

    for deployment in (labelled, twin):
        deployment.run(END - timedelta(hours=2))
    under_labels = told(labelled, numbers=True)
    assert differences(under_labels, told(twin, numbers=True)).keys() >= REACHED
    labelled.run(END - timedelta(hours=2), full_refresh=True)
    assert differences(under_labels, told(labelled, numbers=True)) == {}

    take_back(labelled.settings(), *labels)
    for deployment in (labelled, twin):
        deployment.run(END)
    assert differences(told(labelled, numbers=True), told(twin, numbers=True)) == {}


def test_a_label_reaches_readers_and_leaves_them_again(shop_run: ShopRun) -> None:
    def read(sql: str) -> list[tuple[int, ...]]:
        with open_reader(shop_run.settings, "marketing") as reader:
            return reader.execute(sql).fetchall()

    with open_warehouse(shop_run.settings) as warehouse:
        join = visitor_and_customer(warehouse.rows(VISITOR_AND_CUSTOMER))
    (device, customer) = join.ends
    people = (
        "SELECT identifiers.profile_id, profiles.event_count, profiles.order_count "
        "FROM dim_identifiers AS identifiers INNER JOIN dim_profiles AS profiles "
        "USING (profile_id) WHERE identifiers.identifier_value IN "
        f"('{device.value}', '{customer.value}') ORDER BY ALL"
    )
    apart = read(people)
    assert len({profile for profile, *_ in apart}) == 2
    (label,) = say(shop_run.settings, join)
    assert shop_run.run().success
    together = read(people)
    (first,) = {profile for profile, *_ in together}
    assert first == min(profile for profile, *_ in apart)
    assert together[0][1] == sum(events for _, events, _ in apart)
    take_back(shop_run.settings, label)
    assert shop_run.run().success
    assert read(people) == apart
