"""What the models say of the demo shop is what really happened there."""

from __future__ import annotations

import pytest

from cdp.demo import DemoShop
from tests.models.deployment import Deployment

pytestmark = pytest.mark.integration

Shop = tuple[Deployment, DemoShop]

PEOPLE_OF_ROWS = """
    SELECT truth.person_id, facts.profile_id
    FROM read_parquet('{rows}') AS truth
    INNER JOIN profiles.fct_events AS facts
        ON truth.stream = 'events' AND facts.event_id = 'm:' || truth.row_key
    WHERE truth.determined AND truth.kind = 'person'
    UNION ALL
    SELECT truth.person_id, facts.profile_id
    FROM read_parquet('{rows}') AS truth
    INNER JOIN profiles.fct_orders AS facts
        ON truth.stream = 'orders' AND facts.order_id = truth.row_key
    WHERE truth.determined AND truth.kind = 'person'
    UNION ALL
    SELECT truth.person_id, known.profile_id
    FROM read_parquet('{rows}') AS truth
    INNER JOIN identity.int_identifier_values AS spelled
        ON spelled.raw_value = truth.row_key
        AND spelled.identifier_type = CASE truth.source WHEN 'crm' THEN 'crm_id' ELSE 'user_id' END
    INNER JOIN identity.dim_identifiers AS known ON spelled.node = known.birth
    WHERE truth.stream IN ('contacts', 'customers') AND truth.determined AND truth.kind = 'person'
"""


def people_of_rows(shop: Shop) -> str:
    return PEOPLE_OF_ROWS.format(rows=shop[1].truth("rows"))


def test_no_two_people_share_a_profile(shop: Shop) -> None:
    mixed = shop[0].rows(
        f"SELECT profile_id FROM ({people_of_rows(shop)}) GROUP BY 1 "
        "HAVING count(DISTINCT person_id) > 1"
    )
    assert mixed == []


def test_nobody_is_split_over_profiles(shop: Shop) -> None:
    split = shop[0].rows(
        f"SELECT person_id FROM ({people_of_rows(shop)}) GROUP BY 1 "
        "HAVING count(DISTINCT profile_id) <> 1 OR count(*) <> count(profile_id)"
    )
    assert split == []


def test_the_rows_of_many_people_were_compared(shop: Shop) -> None:
    ((rows, people),) = shop[0].rows(
        f"SELECT count(*), count(DISTINCT person_id) FROM ({people_of_rows(shop)})"
    )
    assert rows > 5_000
    assert people > 150


@pytest.mark.parametrize(
    "trait",
    [
        "first_seen",
        "last_seen",
        "event_count",
        "order_count",
        "total_spent",
        "first_purchase_date",
        "last_purchase_date",
    ],
)
def test_a_trait_is_what_really_happened(shop: Shop, trait: str) -> None:
    deployment, made = shop
    wrong = deployment.rows(
        f"""
        WITH people AS (
            SELECT DISTINCT person_id, profile_id FROM ({people_of_rows(shop)})
        )
        SELECT people.person_id, truth.{trait}, profiles.{trait}
        FROM read_parquet('{made.truth("profiles")}') AS truth
        INNER JOIN people USING (person_id)
        INNER JOIN profiles.dim_profiles AS profiles USING (profile_id)
        WHERE truth.whole AND truth.{trait} IS DISTINCT FROM profiles.{trait}
        """
    )
    assert wrong == []


@pytest.mark.parametrize(
    "segment",
    ["active_cart_abandoners", "new_visitors", "loyal_customers", "high_value_recent"],
)
def test_a_segment_holds_exactly_its_true_members(shop: Shop, segment: str) -> None:
    deployment, made = shop
    true = deployment.rows(
        f"""
        WITH people AS (
            SELECT DISTINCT person_id, profile_id FROM ({people_of_rows(shop)})
        )
        SELECT people.profile_id
        FROM read_parquet('{made.truth("segments")}') AS truth
        LEFT JOIN people USING (person_id)
        WHERE truth.segment = '{segment}' ORDER BY 1
        """
    )
    members = deployment.rows(f"SELECT profile_id FROM segments.{segment} ORDER BY 1")
    assert members == true
    assert members


def test_every_line_landed_or_was_refused_for_the_reason_that_it_was_broken_for(
    shop: Shop,
) -> None:
    deployment, made = shop
    expected = deployment.rows(
        f"SELECT source, coalesce(reason, outcome), count(*) "
        f"FROM read_parquet('{made.truth('outcomes')}') WHERE outcome <> 'landed' "
        "GROUP BY ALL ORDER BY ALL"
    )
    found = deployment.rows(
        """
        SELECT source, reason, count(*) FROM raw.quarantine GROUP BY ALL
        UNION ALL
        SELECT source, 'duplicate', sum(rows_duplicate) FROM raw.loads
        GROUP BY source HAVING sum(rows_duplicate) > 0
        ORDER BY ALL
        """
    )
    assert [tuple(row) for row in found] == expected


def test_bots_and_own_people_are_nobodys_profile(shop: Shop) -> None:
    deployment, made = shop
    wrong = deployment.rows(
        f"""
        SELECT truth.kind, count(*)
        FROM read_parquet('{made.truth("rows")}') AS truth
        INNER JOIN profiles.fct_events AS facts ON facts.event_id = 'm:' || truth.row_key
        WHERE truth.stream = 'events'
            AND (truth.kind = 'bot' AND NOT facts.is_bot
                OR truth.kind = 'person' AND (facts.is_bot OR facts.is_internal))
        GROUP BY 1
        """
    )
    assert wrong == []
