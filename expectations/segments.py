"""What segments must hold: a verdict for everybody, and memberships that say the same.

Belongs here: the checks of segments that are more than a table's own declaration. Does not belong
here: what a rule means (`cdp.segmentation`), row floors, keys and types (`expectations.declared`).
"""

from __future__ import annotations

from expectations.checks import (
    Check,
    Gate,
    Table,
    counted,
    missing_values,
    orphans,
    relation,
    rows_where,
    same_total,
)

VERDICTS: Table = ("segments", "int_segment_verdicts")
VERDICT_ROWS: Table = ("segments", "int_segment_verdict_rows")
MEMBERSHIPS: Table = ("segments", "fct_segment_memberships")
CHANGES: Table = ("segments", "fct_segment_changes")
SIZES: Table = ("segments", "segment_sizes")
SEGMENTS: Table = ("segments", "dim_segments")
PROFILES: Table = ("profiles", "dim_profiles")

OPEN = (
    "(SELECT profile_id, segment_name FROM segments.fct_segment_memberships "
    "WHERE exited_at IS NULL)"
)
MEMBERS = "(SELECT profile_id, segment_name FROM segments.int_segment_verdict_rows WHERE is_member)"


def changed_rows(gate: Gate, name: str) -> str:
    """Condition on a table of segments: the row may differ from the last published run's."""
    if gate.scope.full:
        return "true"
    return {
        "int_segment_verdict_rows": "profile_id IN (SELECT changed.profile_id "
        "FROM profiles.int_changed_profiles AS changed)",
        "fct_segment_memberships": "profile_id IN (SELECT changed.profile_id "
        "FROM segments.int_changed_members AS changed)",
        "fct_segment_changes": f"run_number > {gate.scope.run_after}",
    }.get(name, "true")


def checks(gate: Gate) -> list[Check]:
    """What the tables of segments must hold, beside what they declare themselves."""
    return [*_verdicts(gate), *_memberships(gate), *_sizes(gate)]


def _verdicts(gate: Gate) -> list[Check]:
    verdicts = [
        column for column, kind in gate.columns(*VERDICTS).items() if kind.upper() == "BOOLEAN"
    ]
    return [
        counted(
            "has a verdict for every profile",
            VERDICTS,
            "profiles.dim_profiles AS built ANTI JOIN segments.int_segment_verdicts AS judged "
            "ON built.profile_id = judged.profile_id",
            [PROFILES],
            unit="profiles",
        ),
        orphans(VERDICTS, "profile_id", PROFILES, "profile_id"),
        missing_values(*VERDICTS, ("profile_id", *verdicts)),
        counted(
            "judges every declared segment, and no other",
            VERDICTS,
            "(SELECT count(*) AS declared FROM segments.dim_segments) AS segments",
            [SEGMENTS],
            value=f"any_value(abs(declared - {len(verdicts)}))",
            unit="segments",
        ),
        counted(
            "has no verdict that should have flipped by as_of",
            VERDICTS,
            rows_where("segments", "int_segment_verdicts"),
            value=f"count(*) FILTER (next_flip_at <= {gate.as_of})",
            unit="profiles",
            every_run=True,
        ),
    ]


def _memberships(gate: Gate) -> list[Check]:
    changed = movers = changed_rows(gate, "fct_segment_memberships")
    return [
        missing_values(
            *MEMBERSHIPS,
            ("profile_id", "segment_name", "entered_at", "rule_version", "entered_run_number"),
            changed,
        ),
        orphans(MEMBERSHIPS, "profile_id", PROFILES, "profile_id", "exited_at IS NULL"),
        orphans(MEMBERSHIPS, "segment_name", SEGMENTS, "segment_name", "exited_at IS NULL"),
        counted(
            "has an open membership for every member by verdict",
            MEMBERSHIPS,
            f"{MEMBERS} AS members ANTI JOIN {OPEN} AS staying "
            "ON members.profile_id = staying.profile_id "
            "AND members.segment_name = staying.segment_name",
            [VERDICT_ROWS],
            unit="members",
        ),
        counted(
            "has no open membership that the verdict denies",
            MEMBERSHIPS,
            f"{OPEN} AS staying ANTI JOIN {MEMBERS} AS members "
            "ON members.profile_id = staying.profile_id "
            "AND members.segment_name = staying.segment_name",
            [VERDICT_ROWS],
            unit="members",
        ),
        counted(
            "ends no membership before it begins",
            MEMBERSHIPS,
            rows_where("segments", "fct_segment_memberships", changed),
            [("segments", "int_changed_members")],
            # By runs: after a clock that was set back, the later run has the earlier moment.
            value="count(*) FILTER (exited_run_number <= entered_run_number)",
            unit="memberships",
        ),
        counted(
            "begins no membership while another of the same profile and segment lasts",
            MEMBERSHIPS,
            "(SELECT exited_run_number AS left_in, lead(entered_run_number) OVER (PARTITION BY "
            "profile_id, segment_name ORDER BY entered_run_number) AS next_in "
            f"FROM segments.fct_segment_memberships WHERE {changed}) AS stays "
            "WHERE next_in IS NOT NULL AND (left_in IS NULL OR left_in > next_in)",
            [("segments", "int_changed_members")],
            unit="memberships",
        ),
        counted(
            "enters and leaves in turn",
            CHANGES,
            "(SELECT change, lag(change) OVER (PARTITION BY profile_id, segment_name "
            f"ORDER BY run_number) AS before FROM segments.fct_segment_changes WHERE {movers}) "
            "AS moves WHERE change = coalesce(before, 'left') "
            "OR change NOT IN ('entered', 'left')",
            [("segments", "int_changed_members")],
            unit="changes",
        ),
    ]


def _sizes(gate: Gate) -> list[Check]:
    newest = (
        "SELECT segment_name, members FROM segments.segment_sizes "
        f"WHERE run_number = {gate.run.run_number}"
    )
    found = [
        counted(
            "says how big every segment is in this run",
            SIZES,
            f"segments.dim_segments AS declared ANTI JOIN ({newest}) AS sizes "
            "ON declared.segment_name = sizes.segment_name",
            [SEGMENTS],
            unit="segments",
        ),
        counted(
            "counts the open memberships of each segment",
            SIZES,
            f"({newest}) AS sizes LEFT JOIN (SELECT segment_name, count(*) AS n FROM {OPEN} "
            "GROUP BY segment_name) AS staying ON sizes.segment_name = staying.segment_name "
            "WHERE sizes.members <> coalesce(staying.n, 0)",
            [MEMBERSHIPS],
            unit="segments",
        ),
    ]
    for name in _declared(gate):
        view: Table = ("segments", name)
        told = f"SELECT members FROM ({newest}) AS sizes WHERE segment_name = '{name}'"
        found.append(
            same_total(
                "shows as many members as segment_sizes says",
                view,
                ("members", f"SELECT count(*) FROM {relation(*view)}"),
                ("told", told),
                [SIZES],
                unit="members too many or too few",
            )
        )
    return found


def _declared(gate: Gate) -> list[str]:
    """The declared segments; their names are plain identifiers."""
    if SEGMENTS not in gate.tables or "segment_name" not in gate.columns(*SEGMENTS):
        return []
    return [
        str(row[0])
        for row in gate.warehouse.rows(
            "SELECT segment_name FROM segments.dim_segments ORDER BY segment_name"
        )
    ]
