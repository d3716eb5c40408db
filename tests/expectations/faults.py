"""Faults, one for every check that the gates make beside what models declare themselves.

Belongs here: SQL that plants a fault in the tiny warehouse, and the checks that must fail for it,
and no other. Does not belong here: running a gate.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """A fault: SQL that plants it, and what fails then, as the table and how the check begins."""

    stage: str
    sql: str
    fails: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        table, check = self.fails[0]
        return f"{table} {check}"


def _fault(stage: str, sql: str, *fails: tuple[str, str]) -> Fault:
    return Fault(stage, sql, fails)


_LOAD = "INSERT INTO raw.loads SELECT load_id, run_id, source, started_at, landed_at"

FAULTS = [
    # --- raw ---
    _fault(
        "raw",
        "UPDATE raw.web SET payload_hash = NULL WHERE landing_number = 1",
        ("raw.web", "has no missing values in stream, row_key"),
    ),
    _fault(
        "raw",
        "UPDATE raw.web SET row_key = 'm:1' WHERE landing_number = 2",
        ("raw.web", "has one row per stream, row_key"),
    ),
    _fault(
        "raw",
        "UPDATE raw.loads SET rows_read = rows_read + 1 WHERE source = 'shop'",
        ("raw.loads", "reconciles for every load"),
    ),
    _fault(
        "raw",
        "UPDATE raw.loads SET rows_duplicate = -1, rows_read = rows_landed - 1 "
        "WHERE source = 'shop'",
        ("raw.loads", "reconciles for every load"),
    ),
    _fault(
        "raw",
        "UPDATE raw.loads SET rows_landed = NULL WHERE source = 'consent'",
        ("raw.loads", "reconciles for every load"),
        ("raw.loads", "says of every load how many rows landed"),
    ),
    _fault(
        "raw",
        f"{_LOAD}, 0, 0, 0, 0 FROM raw.loads WHERE source = 'crm'",
        ("raw.loads", "has one row per load_id, source"),
    ),
    _fault(
        "raw",
        "UPDATE raw.loads SET rows_landed = 5, rows_duplicate = 3 WHERE source = 'shop'",
        ("raw.loads", "says of every load how many rows landed"),
    ),
    _fault(
        "raw",
        "UPDATE raw.web SET load_id = 'unknown' WHERE landing_number = 1; "
        "UPDATE raw.loads SET rows_landed = 3, rows_duplicate = 3 WHERE source = 'web'",
        ("raw.loads", "says of every load how many rows landed"),
    ),
    _fault(
        "raw",
        "DELETE FROM raw.quarantine",
        ("raw.loads", "says of every load how many rows were quarantined"),
    ),
    _fault(
        "raw",
        "UPDATE raw.quarantine SET reason = NULL",
        ("raw.quarantine", "has no missing values in load_id"),
    ),
    _fault(
        "raw",
        "INSERT INTO raw.quarantine (load_id, source, reason, landed_at, raw_bytes) "
        "SELECT 'load-crm', 'crm', 'malformed_json', now()::TIMESTAMP, '{canary}'::BLOB "
        "FROM range(130); UPDATE raw.loads SET rows_read = 9233, rows_duplicate = 9102, "
        "rows_quarantined = 130 WHERE source = 'crm'",
        ("raw.quarantine", "keeps few rows of crm in quarantine"),
    ),
    _fault(
        "raw",
        "UPDATE raw.consent SET landing_number = 13",
        ("raw.loads", "numbers what has landed without a gap"),
    ),
    _fault(
        "raw",
        "UPDATE raw.consent SET landing_number = 1",
        ("raw.loads", "numbers what has landed without a gap"),
    ),
    # --- staging ---
    _fault(
        "staging",
        "UPDATE governance.int_current_run SET run_number = 7",
        ("governance.int_current_run", "is the run under way"),
    ),
    _fault(
        "staging",
        "UPDATE governance.int_current_run SET as_of = as_of + INTERVAL 1 DAY",
        ("governance.int_current_run", "is the run under way"),
    ),
    _fault(
        "staging",
        "UPDATE staging.stg_crm__contacts SET landed_at = NULL",
        ("staging.stg_crm__contacts", "has no missing values in source"),
    ),
    _fault(
        "staging",
        "UPDATE staging.stg_crm__contacts SET landing_number = 99",
        ("staging.stg_crm__contacts", "has no row that has not landed"),
    ),
    _fault(
        "staging",
        "UPDATE staging.stg_crm__contacts SET contact_id = '{canary}'",
        ("staging.stg_crm__contacts", "has every key that has landed in stream contacts"),
    ),
    _fault(
        "staging",
        "DELETE FROM staging.stg_shop__orders WHERE order_id = 'o2'",
        ("staging.stg_shop__orders", "has every key that has landed in stream orders"),
    ),
    _fault(
        "staging",
        "INSERT INTO staging.stg_shop__orders SELECT * FROM staging.stg_shop__orders",
        ("staging.stg_shop__orders", "has one row per source, order_id"),
    ),
    _fault(
        "staging",
        "UPDATE staging.stg_consent__consents SET subject_type = NULL",
        ("staging.stg_consent__consents", "says in most rows whom they are about"),
    ),
    _fault(
        "staging",
        "DELETE FROM staging.stg_web__events WHERE landing_number = 4",
        ("staging.stg_web__events", "has every row that has landed in stream events"),
    ),
    _fault(
        "staging",
        "UPDATE staging.stg_web__events SET occurred_at = NULL WHERE landing_number = 4",
        ("staging.stg_web__events", "has no missing values in occurred_at"),
    ),
    _fault(
        "staging",
        "UPDATE staging.stg_web__events SET occurred_at = '1969-12-31' WHERE landing_number = 4",
        ("staging.stg_web__events", "has no event before 1970"),
    ),
    _fault(
        "staging",
        "UPDATE staging.stg_web__events SET occurred_at = '2026-07-04' WHERE landing_number = 4",
        ("staging.stg_web__events", "has no event before 1970"),
    ),
    _fault(
        "staging",
        "CREATE OR REPLACE VIEW staging.int_contacts AS SELECT *, 'crm_id' AS id_type, "
        "'contacts' AS contact_kind FROM staging.stg_crm__contacts",
        ("staging.int_contacts", "has the rows of all sources together"),
    ),
    _fault(
        "staging",
        "CREATE TABLE staging.copied AS FROM staging.int_events; DROP VIEW staging.int_events; "
        "CREATE VIEW staging.int_events AS FROM staging.copied WHERE landing_number < 4",
        ("staging.int_events", "has one row per row of staging.int_all_events"),
    ),
    _fault(
        "staging",
        "CREATE TABLE staging.copied AS FROM staging.int_contact_versions "
        "WHERE landing_number > 7; "
        "DROP VIEW staging.int_contact_versions; "
        "CREATE VIEW staging.int_contact_versions AS FROM staging.copied",
        ("staging.int_contact_versions", "has every version that has landed"),
    ),
    # --- identity ---
    _fault(
        "identity",
        "UPDATE identity.identifier_births SET birth = 6 WHERE birth = 5",
        ("identity.identifier_births", "numbers births from 1 without a gap"),
    ),
    _fault(
        "identity",
        "UPDATE identity.identifier_births SET raw_value = NULL WHERE birth = 5",
        ("identity.identifier_births", "has no missing values in birth"),
    ),
    _fault(
        "identity",
        "UPDATE identity.identifier_births SET raw_value = 'd1' WHERE birth = 3",
        ("identity.identifier_births", "gives no raw identifier two births"),
    ),
    _fault(
        "identity",
        "DELETE FROM identity.int_identifier_values WHERE birth = 5",
        ("identity.int_identifier_values", "has a value for every birth"),
    ),
    _fault(
        "identity",
        "UPDATE identity.int_identifier_values SET node = 6 WHERE birth = 5",
        ("identity.int_identifier_values", "gives every spelling the node of the earliest"),
    ),
    _fault(
        "identity",
        "UPDATE identity.dim_identifiers SET identifier_value = NULL WHERE birth = 3",
        ("identity.dim_identifiers", "has no missing values in identifier_type"),
    ),
    _fault(
        "identity",
        "UPDATE identity.dim_identifiers SET identifier_value = 'd1' WHERE birth = 3",
        ("identity.dim_identifiers", "gives every identifier exactly one profile"),
    ),
    _fault(
        "identity",
        "UPDATE identity.int_identifier_values SET is_blocked = false WHERE birth = 5",
        ("identity.dim_identifiers", "has every identifier that is somebody's own"),
    ),
    _fault(
        "identity",
        "UPDATE identity.int_identifier_values SET is_blocked = true WHERE birth = 3",
        ("identity.dim_identifiers", "has no identifier that is nobody's own"),
    ),
    _fault(
        "identity",
        "UPDATE identity.dim_identifiers SET profile_id = 2 WHERE profile_id = 1",
        ("identity.dim_identifiers", "calls every profile after its earliest-born member"),
    ),
    _fault(
        "identity",
        "UPDATE identity.dim_identifiers SET profile_id = 1 WHERE birth = 3",
        ("identity.dim_identifiers", "has no profile across two components"),
    ),
    _fault(
        "identity",
        "UPDATE identity.dim_identifiers SET identifier_type = 'user_id' WHERE birth = 2",
        ("identity.dim_identifiers", "has no profile above the limits of identifier_types"),
    ),
    _fault(
        "identity",
        "INSERT INTO identity.int_identity_components VALUES (5, 5)",
        ("identity.int_identity_components", "has one component for every identifier"),
    ),
    _fault(
        "identity",
        "UPDATE identity.dim_identifiers SET component_id = 4 WHERE profile_id = 3",
        ("identity.int_identity_components", "agrees with dim_identifiers on the component"),
    ),
    _fault(
        "identity",
        "UPDATE identity.int_identity_components SET component_id = 2 WHERE component_id = 1; "
        "UPDATE identity.dim_identifiers SET component_id = 2 WHERE component_id = 1",
        ("identity.int_identity_components", "calls every component after its earliest-born"),
    ),
    _fault(
        "identity",
        "INSERT INTO identity.fct_identity_edges (edge_key, left_node, right_node, "
        "last_landing_number) VALUES ('e13', 1, 3, 3); "
        "INSERT INTO identity.fct_rejected_edges (left_node, right_node, component_id) "
        "VALUES (1, 3, 1)",
        ("identity.fct_identity_edges", "joins only what is in one component"),
    ),
    _fault(
        "identity",
        "INSERT INTO identity.int_match_edges (left_node, right_node, is_in_force) "
        "VALUES (1, 3, true); "
        "INSERT INTO identity.fct_rejected_edges (left_node, right_node, component_id) "
        "VALUES (1, 3, 1)",
        ("identity.int_match_edges", "joins only what is in one component"),
    ),
    _fault(
        "identity",
        "INSERT INTO identity.fct_identity_edges (edge_key, left_node, right_node, blocked_by, "
        "last_landing_number) VALUES ('e13', 1, 3, 'blocked', 3); "
        "INSERT INTO identity.fct_rejected_edges (left_node, right_node, component_id) "
        "VALUES (1, 3, 9)",
        ("identity.fct_rejected_edges", "has every component_id in"),
    ),
    _fault(
        "identity",
        "INSERT INTO identity.fct_identity_edges (edge_key, left_node, right_node, blocked_by, "
        "last_landing_number) VALUES ('e45', 4, 5, 'blocked', 3)",
        (
            "identity.fct_rejected_edges",
            "tells every edge between two profiles, and no other, with its rule",
        ),
    ),
    _fault(
        "identity",
        "INSERT INTO identity.dim_identifiers (identifier_type, identifier_value, birth, "
        "component_id, profile_id) VALUES ('phone', '+491', 6, 1, 6); "
        "INSERT INTO identity.identifier_births VALUES (6, 'phone', '+491', 3, 1); "
        "INSERT INTO identity.int_identifier_values (birth, node, identifier_value, is_blocked) "
        "VALUES (6, 6, '+491', false); "
        "INSERT INTO identity.int_identity_components VALUES (6, 1); "
        "INSERT INTO identity.int_match_edges (left_node, right_node, is_in_force) "
        "VALUES (1, 6, true)",
        (
            "identity.fct_rejected_edges",
            "tells every edge between two profiles, and no other, with its rule",
        ),
    ),
    # --- profiles ---
    _fault(
        "profiles",
        "INSERT INTO identity.dim_identifiers (birth, profile_id) VALUES (9, 9)",
        ("profiles.dim_profiles", "has every profile of dim_identifiers"),
    ),
    _fault(
        "profiles",
        "INSERT INTO profiles.dim_profiles (profile_id, event_count, session_count, order_count, "
        "total_spent) VALUES (9, 0, 0, 0, 0)",
        ("profiles.dim_profiles", "has every profile_id in identity.dim_identifiers"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.dim_profiles SET total_spent = NULL WHERE profile_id = 3",
        ("profiles.dim_profiles", "has no missing values in profile_id"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.dim_profiles SET session_count = -1 WHERE profile_id = 3",
        ("profiles.dim_profiles", "counts nothing below zero"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.dim_profiles SET last_seen = '2026-05-01' WHERE profile_id = 3",
        ("profiles.dim_profiles", "saw nobody last before it saw them first"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.dim_profiles SET last_seen = '2026-06-30 12:00:01' WHERE profile_id = 3",
        ("profiles.dim_profiles", "knows nothing of the time after as_of"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.dim_profiles SET next_change_at = '2026-06-30 12:00' WHERE profile_id = 1",
        ("profiles.dim_profiles", "has no value that should have changed by as_of"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.dim_profiles SET first_purchase_date = NULL, last_purchase_date = NULL "
        "WHERE profile_id = 1",
        ("profiles.dim_profiles", "dates the last purchase of everybody with orders"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.dim_profiles SET rfm_monetary = 6 WHERE profile_id = 1",
        ("profiles.dim_profiles", "scores from 1 to 5"),
    ),
    _fault(
        "profiles",
        "INSERT INTO staging.stg_web__events (source, landing_number) VALUES ('web', 0)",
        ("profiles.fct_events", "has every event of staging"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_events SET landing_number = 3 WHERE landing_number = 4",
        ("profiles.fct_events", "has each event of staging once"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_events SET event_type = NULL WHERE landing_number = 4",
        ("profiles.fct_events", "has no missing values in event_id"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_events SET profile_id = 9 WHERE landing_number = 4",
        ("profiles.fct_events", "has every profile_id in profiles.dim_profiles"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_events SET event_id = 'm:1' WHERE landing_number = 2",
        ("profiles.fct_events", "has one row per source, event_id"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.dim_profiles SET event_count = 7 WHERE profile_id = 1",
        ("profiles.fct_events", "is counted event by event in dim_profiles"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_sessions SET started_at = NULL WHERE session_id = 1",
        ("profiles.fct_sessions", "has no missing values in session_id"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_sessions SET ended_at = '2026-05-01' WHERE session_id = 1",
        ("profiles.fct_sessions", "ends no session before it starts"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_events SET session_id = NULL WHERE landing_number = 3",
        ("profiles.fct_sessions", "holds every event that is part of a session"),
    ),
    _fault(
        "profiles",
        "INSERT INTO staging.stg_shop__orders (source, order_id) VALUES ('shop', 'o3')",
        ("profiles.fct_orders", "has every order of staging"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_orders SET order_id = NULL WHERE order_key = 'x2'",
        ("profiles.fct_orders", "has no missing values in order_key"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_orders SET is_counted = true, profile_id = NULL, amount_base = NULL, "
        "net_base = NULL WHERE order_key = 'x2'",
        ("profiles.fct_orders", "converts 99 of 100 orders that count"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_orders SET refunded_base = 10 WHERE order_key = 'x2'",
        ("profiles.fct_orders", "refunds what it nets"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_orders SET profile_id = 9 WHERE order_key = 'x2'",
        ("profiles.fct_orders", "has every profile_id in profiles.dim_profiles"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.fct_loose_refunds SET profile_id = 9",
        ("profiles.fct_loose_refunds", "has every profile_id in profiles.dim_profiles"),
    ),
    _fault(
        "profiles",
        "INSERT INTO profiles.fct_loose_refunds (refund_key, source, refund_id, profile_id, "
        "refunded_at) VALUES ('y2', 'shop', 'r10', 1, '2026-01-01')",
        ("profiles.fct_loose_refunds", "converts 99 of 100 refunds that name no order"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.dim_profiles SET order_count = 2 WHERE profile_id = 1",
        ("profiles.dim_profiles", "counts every order that counts"),
    ),
    _fault(
        "profiles",
        "UPDATE profiles.dim_profiles SET total_spent = 65.0001 WHERE profile_id = 1",
        ("profiles.dim_profiles", "spends what orders net"),
    ),
    _fault(
        "profiles",
        "UPDATE governance.dim_consent_in_force SET is_granted = NULL",
        ("governance.dim_consent_in_force", "has no missing values in profile_id"),
    ),
    _fault(
        "profiles",
        "UPDATE governance.dim_consent_in_force SET profile_id = 9",
        ("governance.dim_consent_in_force", "has every profile_id in profiles.dim_profiles"),
    ),
    # --- segments ---
    _fault(
        "segments",
        "INSERT INTO profiles.dim_profiles (profile_id) VALUES (9)",
        ("segments.int_segment_verdicts", "has a verdict for every profile"),
    ),
    _fault(
        "segments",
        "INSERT INTO segments.int_segment_verdicts "
        "SELECT 9, false, false, false, false, next_flip_at FROM segments.int_segment_verdicts "
        "LIMIT 1",
        ("segments.int_segment_verdicts", "has every profile_id in profiles.dim_profiles"),
    ),
    _fault(
        "segments",
        "UPDATE segments.int_segment_verdicts SET in_new_visitors = NULL WHERE profile_id = 3",
        ("segments.int_segment_verdicts", "has no missing values in profile_id"),
    ),
    _fault(
        "segments",
        "INSERT INTO segments.dim_segments (segment_name, rule_version) "
        "VALUES ('undecided', 'v1'); "
        "INSERT INTO segments.segment_sizes (run_number, segment_name, members) "
        "VALUES (1, 'undecided', 0); CREATE VIEW segments.undecided AS "
        "FROM segments.new_visitors",
        ("segments.int_segment_verdicts", "judges every declared segment, and no other"),
    ),
    _fault(
        "segments",
        "UPDATE segments.int_segment_verdicts SET next_flip_at = '2026-06-30 12:00:00'",
        ("segments.int_segment_verdicts", "has no verdict that should have flipped by as_of"),
    ),
    _fault(
        "segments",
        "UPDATE segments.fct_segment_memberships SET rule_version = NULL",
        ("segments.fct_segment_memberships", "has no missing values in profile_id"),
    ),
    _fault(
        "segments",
        "INSERT INTO segments.fct_segment_memberships (profile_id, segment_name, entered_at, "
        "entered_run_number, rule_version) VALUES (9, 'new_visitors', '2026-06-01', 1, 'v1'); "
        "UPDATE segments.segment_sizes SET members = 1 WHERE segment_name = 'new_visitors'",
        ("segments.fct_segment_memberships", "has every profile_id in profiles.dim_profiles"),
        ("segments.fct_segment_memberships", "has no open membership that the verdict denies"),
    ),
    _fault(
        "segments",
        "INSERT INTO segments.fct_segment_memberships (profile_id, segment_name, entered_at, "
        "entered_run_number, rule_version) VALUES (1, 'forgotten', '2026-06-01', 1, 'v1')",
        ("segments.fct_segment_memberships", "has every segment_name in segments.dim_segments"),
        ("segments.fct_segment_memberships", "has no open membership that the verdict denies"),
    ),
    _fault(
        "segments",
        "UPDATE segments.int_segment_verdicts SET in_new_visitors = true WHERE profile_id = 3",
        ("segments.fct_segment_memberships", "has an open membership for every member"),
    ),
    _fault(
        "segments",
        "UPDATE segments.int_segment_verdicts SET in_loyal_customers = false",
        ("segments.fct_segment_memberships", "has no open membership that the verdict denies"),
    ),
    _fault(
        "segments",
        "UPDATE segments.fct_segment_memberships SET exited_run_number = entered_run_number "
        "WHERE profile_id = 3",
        ("segments.fct_segment_memberships", "ends no membership before it begins"),
    ),
    _fault(
        "segments",
        "INSERT INTO segments.fct_segment_memberships (profile_id, segment_name, entered_at, "
        "exited_at, entered_run_number, exited_run_number, rule_version) "
        "VALUES (3, 'new_visitors', '2026-06-01', '2026-06-15', -3, 0, 'v1')",
        ("segments.fct_segment_memberships", "begins no membership while another"),
    ),
    _fault(
        "segments",
        "UPDATE segments.fct_segment_changes SET change = 'left' WHERE run_number = 1",
        ("segments.fct_segment_changes", "enters and leaves in turn"),
    ),
    _fault(
        "segments",
        "DELETE FROM segments.segment_sizes WHERE segment_name = 'new_visitors'",
        ("segments.segment_sizes", "says how big every segment is in this run"),
    ),
    _fault(
        "segments",
        "UPDATE segments.segment_sizes SET members = 2 WHERE segment_name = 'loyal_customers'",
        ("segments.segment_sizes", "counts the open memberships of each segment"),
        ("segments.loyal_customers", "shows as many members as segment_sizes says"),
    ),
    _fault(
        "segments",
        "CREATE OR REPLACE VIEW segments.loyal_customers AS SELECT profile_id, entered_at, "
        "rule_version FROM segments.fct_segment_memberships",
        ("segments.loyal_customers", "shows as many members as segment_sizes says"),
    ),
]
