"""What the current tables of a deployment say of everybody, row by row.

Belongs here: the rows without what tells one run, or one order of landing, from another. Does not
belong here: any expectation.
"""

from __future__ import annotations

from collections import Counter

from tests.models.deployment import Deployment, current_tables

OF_RUNS = {"load_id", "run_id", "position", "landed_at", "entered_at"}
"""Columns that say how a row came here, or when a run found somebody in a segment."""
NUMBERS = {"birth", "session_id", "node", "component"}
"""Columns of numbers that are given in the order of landing, and such as end with their names."""
SCORES = {"rfm_recency", "rfm_frequency", "rfm_monetary", "rfm_segment", "rfm_version"}
"""Scores are told by cut points, which are fitted to what the first run has seen."""
STAYS = "segments.fct_segment_memberships"
"""When people came and left depends on when runs were; who is in now does not."""
MEMBERS = f"(SELECT segment_name, rule_version, profile_id FROM {STAYS} WHERE exited_at IS NULL)"


def is_number(column: str) -> bool:
    return column.endswith(("_number", *NUMBERS))


def told(deployment: Deployment, *, numbers: bool) -> dict[str, Counter[str]]:
    """Every row of the current tables of profiles, segments and consent.

    Args:
        numbers: as they stand. Otherwise a profile is called by its identifiers, and what else is
            numbered by the order of landing is left out.
    """
    found: dict[str, Counter[str]] = {}
    for table in current_tables(deployment):
        if not table.startswith(("profiles.", "segments.", "governance.")):
            continue
        content = MEMBERS if table == STAYS else table
        columns = [
            column
            for column, *_ in deployment.rows(f"DESCRIBE FROM {content}")
            if column not in OF_RUNS | SCORES
            and column not in ("landing_number", "last_landing_number")
            and (numbers or not is_number(column))
        ]
        if not numbers and "profile_id" in columns:
            columns.remove("profile_id")
            people = (
                "SELECT profile_id, string_agg(identifier_type || '=' || identifier_value, ' ' "
                "ORDER BY identifier_type, identifier_value) AS person "
                "FROM identity.dim_identifiers GROUP BY profile_id"
            )
            content = f"{content} AS content LEFT JOIN ({people}) USING (profile_id)"
            columns.append("person")
        listed = ", ".join(f'"{column}"' for column in columns)
        found[table] = Counter(map(repr, deployment.rows(f"SELECT {listed} FROM {content}")))
    return found


def differences(one: dict[str, Counter[str]], other: dict[str, Counter[str]]) -> dict[str, object]:
    """Tables that differ, with some rows that only one of them has."""
    assert one.keys() == other.keys()
    return {
        table: (list(one[table] - other[table])[:3], list(other[table] - one[table])[:3])
        for table in one
        if one[table] != other[table]
    }
