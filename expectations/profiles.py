"""What profiles must hold: one row a profile, and no event, order or amount lost on the way there.

Belongs here: the checks of profiles, and of consent which is built with them, that are more than a
table's own declaration. Does not belong here: how a trait is computed
(`dbt_project/models/profiles`), row floors, keys and types (`expectations.declared`).
"""

from __future__ import annotations

from expectations.checks import (
    Check,
    Gate,
    Table,
    counted,
    missing_values,
    orphans,
    rows_where,
    same_total,
)

PROFILES: Table = ("profiles", "dim_profiles")
EVENTS: Table = ("profiles", "fct_events")
SESSIONS: Table = ("profiles", "fct_sessions")
ORDERS: Table = ("profiles", "fct_orders")
LOOSE_REFUNDS: Table = ("profiles", "fct_loose_refunds")
IDENTIFIERS: Table = ("identity", "dim_identifiers")

UNCONVERTED = (
    "count(*) FILTER (is_counted AND ordered_at IS NOT NULL "
    "AND (amount_base IS NULL OR net_base IS NULL))"
)
VISITORS = "SELECT changed.visitor_birth FROM profiles.int_changed_visitors AS changed"


def changed_rows(gate: Gate, name: str) -> str:
    """Condition on a table of profiles: the row may differ from the last published run's."""
    scope = gate.scope
    if scope.full:
        return "true"
    return {
        "fct_events": f"(visitor_birth IN ({VISITORS}) OR landing_number > {scope.landed_after})",
        "fct_sessions": f"visitor_birth IN ({VISITORS})",
        "fct_orders": "order_key IN (SELECT changed.order_key "
        "FROM profiles.int_changed_orders AS changed)",
    }.get(name, "true")


def checks(gate: Gate) -> list[Check]:
    """What the tables of profiles must hold, beside what they declare themselves."""
    return [*_people(gate), *_events(gate), *_sessions(gate), *_orders(gate), *_consent()]


def _people(gate: Gate) -> list[Check]:
    served = "(SELECT DISTINCT profile_id FROM identity.dim_identifiers) AS known"
    return [
        counted(
            "has every profile of dim_identifiers",
            PROFILES,
            f"{served} ANTI JOIN profiles.dim_profiles AS built "
            "ON known.profile_id = built.profile_id",
            [IDENTIFIERS],
            unit="profiles",
        ),
        orphans(PROFILES, "profile_id", IDENTIFIERS, "profile_id"),
        missing_values(
            *PROFILES,
            ("profile_id", "event_count", "session_count", "order_count", "total_spent"),
        ),
        counted(
            "counts nothing below zero",
            PROFILES,
            rows_where("profiles", "dim_profiles"),
            value="count(*) FILTER (least(event_count, session_count, order_count) < 0)",
            unit="profiles",
        ),
        counted(
            "saw nobody last before it saw them first",
            PROFILES,
            rows_where("profiles", "dim_profiles"),
            value="count(*) FILTER (last_seen < first_seen "
            "OR last_purchase_date < first_purchase_date "
            "OR (first_seen IS NULL) <> (last_seen IS NULL))",
            unit="profiles",
        ),
        counted(
            "knows nothing of the time after as_of",
            PROFILES,
            rows_where("profiles", "dim_profiles"),
            value=f"count(*) FILTER (last_seen > {gate.as_of} "
            f"OR last_purchase_date > {gate.as_of})",
            unit="profiles",
            every_run=True,
        ),
        counted(
            "has no value that should have changed by as_of",
            PROFILES,
            rows_where("profiles", "dim_profiles"),
            value=f"count(*) FILTER (next_change_at <= {gate.as_of})",
            unit="profiles",
            every_run=True,
        ),
        counted(
            "dates the last purchase of everybody with orders, and of nobody else",
            PROFILES,
            rows_where("profiles", "dim_profiles"),
            value="count(*) FILTER ((order_count > 0) <> (last_purchase_date IS NOT NULL))",
            unit="profiles",
        ),
        counted(
            "scores from 1 to 5",
            PROFILES,
            rows_where("profiles", "dim_profiles"),
            # One by one: the least and greatest of several are null on some engines if one is.
            value="count(*) FILTER (rfm_recency NOT BETWEEN 1 AND 5 "
            "OR rfm_frequency NOT BETWEEN 1 AND 5 OR rfm_monetary NOT BETWEEN 1 AND 5)",
            unit="profiles",
        ),
    ]


def _events(gate: Gate) -> list[Check]:
    staged: Table = ("staging", "int_all_events")
    visits = (
        f"NOT is_bot AND NOT is_internal AND profile_id IS NOT NULL AND occurred_at <= {gate.as_of}"
    )
    changed = changed_rows(gate, "fct_events")
    return [
        same_total(
            "has every event of staging",
            EVENTS,
            ("events", "SELECT count(*) FROM profiles.fct_events"),
            ("staged", "SELECT count(*) FROM staging.int_all_events"),
            [staged],
            unit="events too many or too few",
        ),
        # Two mistakes that even each other out in the count do not do so here.
        same_total(
            "has each event of staging once",
            EVENTS,
            ("landing numbers", "SELECT sum(landing_number) FROM profiles.fct_events"),
            ("staged", "SELECT sum(landing_number) FROM staging.int_all_events"),
            [staged],
        ),
        missing_values(
            *EVENTS,
            ("event_id", "source", "event_type", "is_bot", "is_internal", "landing_number"),
            changed,
        ),
        orphans(EVENTS, "profile_id", PROFILES, "profile_id", changed),
        counted(
            "is counted event by event in dim_profiles",
            EVENTS,
            f"(SELECT (SELECT count(*) FROM profiles.fct_events WHERE {visits}) AS happened, "
            "(SELECT coalesce(sum(event_count), 0) FROM profiles.dim_profiles) AS counted)",
            [PROFILES],
            value="any_value(abs(happened - counted))",
            unit="events",
            facts={"events": "any_value(happened)", "counted": "any_value(counted)"},
        ),
    ]


def _sessions(gate: Gate) -> list[Check]:
    changed = changed_rows(gate, "fct_sessions")
    return [
        missing_values(
            *SESSIONS,
            ("session_id", "visitor_birth", "started_at", "ended_at", "event_count"),
            changed,
        ),
        counted(
            "ends no session before it starts, and has none without events",
            SESSIONS,
            rows_where("profiles", "fct_sessions", changed),
            [("profiles", "int_changed_visitors")],
            value="count(*) FILTER (ended_at < started_at OR event_count < 1)",
            unit="sessions",
        ),
        same_total(
            "holds every event that is part of a session",
            SESSIONS,
            ("in sessions", "SELECT sum(event_count) FROM profiles.fct_sessions"),
            ("events", "SELECT count(session_id) FROM profiles.fct_events"),
            [EVENTS],
            unit="events too many or too few",
        ),
    ]


def _orders(gate: Gate) -> list[Check]:
    happened = f"is_counted AND profile_id IS NOT NULL AND ordered_at <= {gate.as_of}"
    refunded = f"profile_id IS NOT NULL AND refunded_at <= {gate.as_of}"
    return [
        same_total(
            "has every order of staging",
            ORDERS,
            ("orders", "SELECT count(*) FROM profiles.fct_orders"),
            ("staged", "SELECT count(*) FROM staging.int_orders"),
            [("staging", "int_orders")],
            unit="orders too many or too few",
        ),
        missing_values(*ORDERS, ("order_key", "source", "order_id", "is_counted")),
        counted(
            "converts 99 of 100 orders that count",
            ORDERS,
            rows_where("profiles", "fct_orders"),
            # A mistyped currency or year must not keep everybody else from being published; a
            # currency that the seed lacks must.
            value=f"coalesce(round(100.0 * {UNCONVERTED} / "
            "nullif(count(*) FILTER (is_counted), 0), 2), 0)",
            unit="per cent of the orders have no rate of their day",
            high=1,
            facts={"orders without a rate": UNCONVERTED},
        ),
        counted(
            "converts 99 of 100 refunds that name no order",
            LOOSE_REFUNDS,
            rows_where("profiles", "fct_loose_refunds"),
            value="coalesce(round(100.0 * (count(*) - count(amount_base)) / "
            "nullif(count(*), 0), 2), 0)",
            unit="per cent of the refunds have no rate of their day",
            high=1,
            facts={"refunds without a rate": "count(*) - count(amount_base)"},
        ),
        counted(
            "refunds what it nets: net = amount - refunded",
            ORDERS,
            rows_where("profiles", "fct_orders"),
            value="count(*) FILTER (net_base <> amount_base - refunded_base)",
            unit="orders",
        ),
        orphans(ORDERS, "profile_id", PROFILES, "profile_id"),
        orphans(LOOSE_REFUNDS, "profile_id", PROFILES, "profile_id"),
        same_total(
            "counts every order that counts",
            PROFILES,
            ("counted", "SELECT sum(order_count) FROM profiles.dim_profiles"),
            ("orders", f"SELECT count(*) FROM profiles.fct_orders WHERE {happened}"),
            [ORDERS],
            unit="orders too many or too few",
        ),
        # The difference alone is told: with one customer the sums would be that person's.
        counted(
            "spends what orders net, less refunds that name no order",
            PROFILES,
            "(SELECT (SELECT coalesce(sum(total_spent), 0) FROM profiles.dim_profiles) AS spent, "
            "(SELECT coalesce(sum(net_base), 0) FROM profiles.fct_orders "
            f"WHERE {happened}) AS net, "
            "(SELECT coalesce(sum(amount_base), 0) FROM profiles.fct_loose_refunds "
            f"WHERE {refunded}) AS refunded)",
            [ORDERS, LOOSE_REFUNDS],
            value="any_value(abs(spent - (net - refunded)))",
            unit="difference in the base currency",
        ),
    ]


def _consent() -> list[Check]:
    in_force: Table = ("governance", "dim_consent_in_force")
    return [
        missing_values(*in_force, ("profile_id", "purpose", "is_granted")),
        orphans(in_force, "profile_id", PROFILES, "profile_id"),
    ]
