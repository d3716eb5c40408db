"""A few people laid into the tables of identity by hand, whose figures can be counted by eye.

Belongs here: the rows. Does not belong here: what is counted of them. Five profiles:

- 1: a person with two devices and three spellings of a name, in six postcodes;
- 4: two user ids that an alias makes one, beside each other's e-mail addresses;
- 8 and 9: single identifiers, of two profiles that tell one name and postcode;
- 10: a shop's terminal, at which people 1 and 4 were seen, which is nobody's own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cdp.warehouse.runs import ensure_run_tables
from cdp.warehouse.store import Warehouse

AT = datetime(2026, 6, 30, 12)

_TABLES = """
CREATE TABLE identity.dim_identifiers (
    identifier_type VARCHAR, identifier_value VARCHAR, birth BIGINT, component_id BIGINT,
    profile_id BIGINT
);
CREATE TABLE identity.int_identifier_values (
    birth BIGINT, identifier_type VARCHAR, raw_value VARCHAR, identifier_value VARCHAR,
    node BIGINT, is_blocked BOOLEAN
);
CREATE TABLE identity.int_identifier_names (node BIGINT, given_name VARCHAR, surname VARCHAR);
CREATE TABLE identity.fct_identity_edges (
    left_node BIGINT, right_node BIGINT, blocked_by VARCHAR
);
CREATE TABLE identity.fct_rejected_edges (left_node BIGINT, right_node BIGINT, rule VARCHAR);
CREATE TABLE identity.quarantined_clusters (
    cluster_id BIGINT, kind VARCHAR, sign VARCHAR, seen BIGINT, allowed BIGINT,
    identifiers BIGINT, edges_left_out BIGINT
);
CREATE TABLE identity.int_identity_labels (
    kind VARCHAR, left_node BIGINT, right_node BIGINT, is_in_force BOOLEAN
);
CREATE TABLE identity.identity_assignments (
    birth BIGINT, profile_before BIGINT, profile_id BIGINT, run_number BIGINT
);
CREATE TABLE identity.fct_identity_changes (birth BIGINT, cause VARCHAR, run_number BIGINT);
CREATE TABLE staging.int_contacts (id_type VARCHAR, contact_id VARCHAR, postal_code VARCHAR);
CREATE TABLE staging.identity_signs (sign VARCHAR, allowed BIGINT);
CREATE TABLE staging.identifier_types (
    identifier_type VARCHAR, max_per_profile BIGINT, window_days BIGINT, do_not_merge BOOLEAN
);
CREATE TABLE profiles.dim_profiles (
    profile_id BIGINT, full_name VARCHAR, first_name VARCHAR, last_name VARCHAR,
    postal_code VARCHAR, birth_date DATE
)
"""

_MEMBERS = [
    ("user_id", 1, 1),
    ("anonymous_id", 2, 1),
    ("anonymous_id", 3, 1),
    ("user_id", 4, 4),
    ("user_id", 5, 4),
    ("email", 6, 4),
    ("email", 7, 4),
    ("email", 8, 8),
    ("email", 9, 9),
    ("anonymous_id", 10, 10),
]
_EDGES = [(1, 2), (1, 3), (4, 5), (4, 6), (5, 7), (1, 10), (4, 10), (5, 10), (6, 10), (2, 11)]


def lay(warehouse: Warehouse) -> None:
    """Lay the tables into a warehouse that has none."""
    ensure_run_tables(warehouse)
    for statement in _TABLES.split(";"):
        warehouse.execute(statement)
    rows: dict[str, list[tuple[object, ...]]] = {
        "identity.dim_identifiers": [
            (kind, f"v{birth}", birth, 1, profile) for kind, birth, profile in _MEMBERS
        ],
        "identity.int_identifier_values": [
            *((birth, kind, f"v{birth}", f"v{birth}", birth, False) for kind, birth, _ in _MEMBERS),
            (11, "email", "kiosk", "kiosk", 11, True),
            (12, "phone", "none", None, 12, True),
            # Another spelling of what is blocked is no second value.
            (13, "email", "KIOSK", "kiosk", 11, True),
        ],
        "identity.int_identifier_names": [
            (1, "ada", "lovelace"), (2, "ada", "byron"), (3, "a", "lovelace"), (3, "adah", None),
        ],
        "identity.fct_identity_edges": [
            (left, right, "blocked" if right == 11 else None) for left, right in _EDGES
        ],
        "identity.fct_rejected_edges": [
            (1, 10, "bad_value"), (4, 10, "bad_value"), (5, 10, "bad_value"),
            (6, 10, "bad_value"), (2, 11, "blocked"),
        ],
        "identity.quarantined_clusters": [(10, "value", "identifiers", 600, 500, 8, 4)],
        # Rows tie 4 to 6 and 4 to 7; what was taken back says nothing.
        "identity.int_identity_labels": [
            ("join", 4, 6, True), ("join", 8, 9, True), ("split", 4, 7, True),
            ("split", 1, 8, True), ("join", 1, 9, False), ("distrust", 10, None, True),
        ],
        # In the second run 5 and 7, who were a person 5, became 4's; 9 had been 8's.
        "identity.identity_assignments": [
            *((birth, None, {5: 5, 7: 5, 9: 8}.get(birth, profile), 1)
              for _, birth, profile in _MEMBERS if birth != 10),
            (5, 5, 4, 2), (7, 5, 4, 2), (9, 8, 9, 2), (10, None, 10, 2),
            # A run that has not been published.
            (10, 10, None, 3),
        ],
        "identity.fct_identity_changes": [
            (5, "merge", 2), (7, "merge", 2), (9, "label", 2), (10, "rule", 3),
        ],
        "staging.int_contacts": [
            *(("user_id", "v1", code) for code in ("1", "2", "3", "4", "5", "SW1 A", "sw1a")),
            ("user_id", "v1", None),
        ],
        "staging.identity_signs": [("identifiers", 500), ("given_names", 2), ("surnames", 2)],
        "staging.identifier_types": [
            ("user_id", 1, None, False), ("email", 1, 30, False), ("*", None, None, False),
        ],
        "profiles.dim_profiles": [
            (1, None, None, None, None, None),
            (4, "Bo", None, None, "1", datetime(1990, 1, 1).date()),
            (8, None, "Cy", "Dee", "AB 1", datetime(1990, 1, 1).date()),
            (9, "cy dee ", None, None, "ab1", None),
            (10, "Bo", None, None, "1", datetime(1990, 1, 1).date()),
        ],
        "governance.runs": [
            _run(1, "published"), _run(2, "published"), _run(3, "failed"),
        ],
        "governance.stage_builds": [("identity", "run-2", "built", AT)],
    }  # fmt: skip
    for table, told in rows.items():
        warehouse.insert(table, told)


def _run(number: int, status: str) -> tuple[object, ...]:
    at = AT + timedelta(days=number)
    told = (number, f"run-{number}", at, at, at, status, "test", "logic", 0, None)
    return (*told, "UTC", "USD", "US", "", "", 0)
