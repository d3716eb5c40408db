"""What other rules would make of who is who: the tables by both, held against each other.

Belongs here: keeping what there was before, comparing it with what is there after, as counts and
ids. Does not belong here: building either (`cdp.warehouse.rehearsal`), how it is shown
(`cdp.commands.rule_change_report`).

What is compared are identifiers as they landed, so that two values of which the rules make
spellings of one are seen to come together. Written for the embedded engine, which holds the copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cdp.warehouse.store import Session, Warehouse


@dataclass(frozen=True)
class Joined:
    """Profiles of which one would be made.

    Attributes:
        profile_id: the id that the one would have.
        of: the ids of those that it would be made of, whole or in part.
    """

    profile_id: int
    of: tuple[int, ...]


@dataclass(frozen=True)
class Parted:
    """A profile of which several would be made: its id, and the ids that they would have."""

    profile_id: int
    into: tuple[int, ...]


@dataclass(frozen=True)
class Resolved:
    """An id that no profile would have, and the one that it would resolve to; None where none."""

    former_id: int
    profile_id: int | None


@dataclass(frozen=True)
class BeforeAfter:
    """How many there are, and how many there would be."""

    before: int
    after: int


@dataclass(frozen=True)
class SegmentChange:
    """One segment: its members, and how many profiles would enter and leave it."""

    segment: str
    before: int
    after: int
    entered: int
    left: int


@dataclass(frozen=True)
class RuleChange:
    """Everything that would differ; of what has examples, how many there are and the first few.

    Attributes:
        merges: profiles that would be made of several.
        merged: the profiles that those would be made of.
        splits: profiles of which several would be made.
        ids_ended: ids that no profile would have any more.
        ids_begun: ids that no profile has yet.
        moved: identifiers, as they landed, that would be another profile's, or somebody's at all,
            or nobody's; among them `freed`, which would be nobody's, and `claimed`, which are.
        changed: profiles of one id before and after whose golden record or traits would differ.
        changed_columns: how many of those differ in each column, the most first.
        segments: every segment, in the order of names.
        left_out: edges that join nobody, by rule.
        left_out_anew, joins_again: edges that would join nobody any more, and the reverse.
        quarantined, released: groups that would enter quarantine, and leave it, by their ids.
    """

    profiles: BeforeAfter
    merges: int
    merged: int
    merge_examples: tuple[Joined, ...]
    splits: int
    split_examples: tuple[Parted, ...]
    ids_ended: int
    ended_examples: tuple[Resolved, ...]
    ids_begun: int
    moved: int
    freed: int
    claimed: int
    changed: int
    changed_columns: Mapping[str, int]
    changed_examples: tuple[int, ...]
    segments: tuple[SegmentChange, ...]
    left_out: Mapping[str, BeforeAfter]
    left_out_anew: int
    joins_again: int
    quarantine: BeforeAfter
    quarantined: tuple[int, ...]
    released: tuple[int, ...]

    @property
    def is_none(self) -> bool:
        """Whether nothing at all would differ."""
        return (
            not any((self.moved, self.ids_ended, self.ids_begun, self.changed))
            and not any(each.entered or each.left for each in self.segments)
            and not (self.left_out_anew or self.joins_again or self.quarantined or self.released)
            and all(each.before == each.after for each in self.left_out.values())
        )


BEFORE = "before_rules"
"""The schema of what there was before."""

_KEPT = {
    "owners": """
        SELECT spelled.birth, members.profile_id
        FROM identity.int_identifier_values AS spelled
        LEFT JOIN identity.dim_identifiers AS members ON spelled.node = members.birth
    """,
    "profiles": "SELECT * FROM profiles.dim_profiles",
    "members": """
        SELECT segment_name, profile_id FROM segments.fct_segment_memberships
        WHERE exited_at IS NULL
    """,
    "segments": "SELECT segment_name FROM segments.dim_segments",
    "left_out": "SELECT left_node, right_node, rule FROM identity.fct_rejected_edges",
    "quarantine": "SELECT cluster_id FROM identity.quarantined_clusters",
}
"""What is compared, by name: as it is before, and as it is asked for again after."""


def keep_before(warehouse: Warehouse) -> None:
    """Keep what is there now, for `compare` once other rules have been built by."""
    warehouse.execute(f"DROP SCHEMA IF EXISTS {BEFORE} CASCADE; CREATE SCHEMA {BEFORE}")
    for name, query in _KEPT.items():
        warehouse.execute(f"CREATE TABLE {BEFORE}.{name} AS {query}")


def compare(warehouse: Warehouse, limit: int = 10) -> RuleChange:
    """Hold what is there now against what was kept.

    Args:
        limit: how many examples of each kind.
    """
    with warehouse.session() as session:
        for name, query in _KEPT.items():
            session.temporary(f"{name}_after", query)
        session.temporary("sides", _SIDES)
        merges, merged, merge_examples = _merges(session, limit)
        splits, split_examples = _splits(session, limit)
        ended, ended_examples = _ended(session, limit)
        changed, columns, changed_examples = _changed(session, limit)
        moved, freed, claimed = session.rows(_MOVED)[0]
        anew, again = session.rows(_EDGES)[0]
        quarantined, released = _quarantine(session)
        return RuleChange(
            profiles=BeforeAfter(*session.rows(_PROFILES)[0]),
            merges=merges,
            merged=merged,
            merge_examples=merge_examples,
            splits=splits,
            split_examples=split_examples,
            ids_ended=ended,
            ended_examples=ended_examples,
            ids_begun=session.scalar(_BEGUN),
            moved=moved,
            freed=freed,
            claimed=claimed,
            changed=changed,
            changed_columns=columns,
            changed_examples=changed_examples,
            segments=tuple(SegmentChange(*row) for row in session.rows(_SEGMENTS)),
            left_out={rule: BeforeAfter(*told) for rule, *told in session.rows(_LEFT_OUT)},
            left_out_anew=anew,
            joins_again=again,
            quarantine=BeforeAfter(*session.rows(_QUARANTINE)[0]),
            quarantined=quarantined[:limit],
            released=released[:limit],
        )


_SIDES = f"""
    SELECT coalesce(one.birth, other.birth) AS birth,
           one.profile_id AS before_id, other.profile_id AS after_id
    FROM {BEFORE}.owners AS one
    FULL JOIN owners_after AS other ON one.birth = other.birth
"""
"""Grain: one row per identifier as it landed, with its profile before and after."""

_PROFILES = "SELECT count(DISTINCT before_id), count(DISTINCT after_id) FROM sides"

_MOVED = """
    SELECT count(*) FILTER (before_id IS DISTINCT FROM after_id),
           count(*) FILTER (after_id IS NULL AND before_id IS NOT NULL),
           count(*) FILTER (before_id IS NULL AND after_id IS NOT NULL)
    FROM sides
"""

_BEGUN = """
    SELECT count(DISTINCT after_id) FROM sides
    WHERE after_id NOT IN (SELECT before_id FROM sides WHERE before_id IS NOT NULL)
"""


def _at_least_one(limit: int) -> int:
    """How many rows to ask for: each tells how many there are, also where none is to be shown."""
    return max(int(limit), 1)


def _merges(session: Session, limit: int) -> tuple[int, int, tuple[Joined, ...]]:
    rows = session.rows(
        f"""
        WITH joined AS (
            SELECT after_id, list_sort(list(DISTINCT before_id)) AS parts
            FROM sides WHERE before_id IS NOT NULL AND after_id IS NOT NULL
            GROUP BY after_id HAVING count(DISTINCT before_id) > 1
        )
        SELECT after_id, parts, count(*) OVER (),
               (SELECT count(DISTINCT part) FROM (SELECT unnest(parts) AS part FROM joined))
        FROM joined ORDER BY len(parts) DESC, after_id LIMIT {_at_least_one(limit)}
        """
    )
    examples = tuple(Joined(profile, tuple(parts)) for profile, parts, *_ in rows[:limit])
    return (rows[0][2], rows[0][3], examples) if rows else (0, 0, ())


def _splits(session: Session, limit: int) -> tuple[int, tuple[Parted, ...]]:
    rows = session.rows(
        f"""
        SELECT before_id, list_sort(list(DISTINCT after_id)) AS parts, count(*) OVER ()
        FROM sides WHERE before_id IS NOT NULL AND after_id IS NOT NULL
        GROUP BY before_id HAVING count(DISTINCT after_id) > 1
        ORDER BY len(parts) DESC, before_id LIMIT {_at_least_one(limit)}
        """
    )
    examples = tuple(Parted(profile, tuple(parts)) for profile, parts, _ in rows[:limit])
    return (rows[0][2], examples) if rows else (0, ())


def _ended(session: Session, limit: int) -> tuple[int, tuple[Resolved, ...]]:
    """As `dim_profile_ids` resolves: to where the identifier that the id is called after belongs,
    else to where the earliest born of the others does."""
    rows = session.rows(
        f"""
        WITH ended AS (
            SELECT before_id,
                   max(after_id) FILTER (birth = before_id) AS own,
                   arg_min(after_id, birth) FILTER (after_id IS NOT NULL) AS others
            FROM sides
            WHERE before_id NOT IN (SELECT after_id FROM sides WHERE after_id IS NOT NULL)
            GROUP BY before_id
        )
        SELECT before_id, coalesce(own, others), count(*) OVER () FROM ended
        ORDER BY before_id LIMIT {_at_least_one(limit)}
        """
    )
    return (rows[0][2] if rows else 0, tuple(Resolved(*row[:2]) for row in rows[:limit]))


def _changed(session: Session, limit: int) -> tuple[int, dict[str, int], tuple[int, ...]]:
    # Of an upgrade that no run has seen yet, columns that are on one side only say nothing.
    before, after = (
        session.arrow(f"SELECT * FROM {table} WHERE false").column_names
        for table in (f"{BEFORE}.profiles", "profiles_after")
    )
    columns = [name for name in after if name != "profile_id" and name in before]
    told = ", ".join(
        f'one."{name}" IS DISTINCT FROM other."{name}" AS "{name}"' for name in columns
    )
    session.temporary(
        "differing",
        f"SELECT profile_id, {told} FROM {BEFORE}.profiles AS one "
        "JOIN profiles_after AS other USING (profile_id)",
    )
    sums = ", ".join(f'count(*) FILTER ("{name}")' for name in columns)
    (numbers,) = session.rows(f"SELECT {sums} FROM differing")
    by_column = dict(zip(columns, numbers, strict=True))
    found = sorted(((n, name) for name, n in by_column.items() if n), key=_most_first)
    any_of_them = " OR ".join(f'"{name}"' for name in columns)
    rows = session.rows(
        f"SELECT profile_id, count(*) OVER () FROM differing WHERE {any_of_them} "
        f"ORDER BY profile_id LIMIT {_at_least_one(limit)}"
    )
    examples = tuple(profile for profile, _ in rows[:limit])
    return rows[0][1] if rows else 0, {name: number for number, name in found}, examples


def _most_first(counted: tuple[int, str]) -> tuple[int, str]:
    number, name = counted
    return -number, name


_SEGMENTS = f"""
    WITH names AS (
        SELECT segment_name FROM {BEFORE}.segments UNION SELECT segment_name FROM segments_after
    ),
    moves AS (
        SELECT coalesce(one.segment_name, other.segment_name) AS segment_name,
               one.profile_id IS NOT NULL AS was, other.profile_id IS NOT NULL AS is_now
        FROM {BEFORE}.members AS one
        FULL JOIN members_after AS other
          ON one.segment_name = other.segment_name AND one.profile_id = other.profile_id
    )
    SELECT names.segment_name,
           count(*) FILTER (was), count(*) FILTER (is_now),
           count(*) FILTER (is_now AND NOT was), count(*) FILTER (was AND NOT is_now)
    FROM names LEFT JOIN moves ON names.segment_name = moves.segment_name
    GROUP BY names.segment_name ORDER BY names.segment_name
"""

_LEFT_OUT = f"""
    SELECT rule, count(*) FILTER (side = 'before'), count(*) FILTER (side = 'after')
    FROM (
        SELECT rule, 'before' AS side FROM {BEFORE}.left_out
        UNION ALL
        SELECT rule, 'after' AS side FROM left_out_after
    )
    GROUP BY rule ORDER BY rule
"""

_EDGES = f"""
    SELECT count(*) FILTER (one.left_node IS NULL), count(*) FILTER (other.left_node IS NULL)
    FROM (SELECT DISTINCT left_node, right_node FROM {BEFORE}.left_out) AS one
    FULL JOIN (SELECT DISTINCT left_node, right_node FROM left_out_after) AS other
      ON one.left_node = other.left_node AND one.right_node = other.right_node
"""

_QUARANTINE = f"""
    SELECT (SELECT count(*) FROM {BEFORE}.quarantine), (SELECT count(*) FROM quarantine_after)
"""


def _quarantine(session: Session) -> tuple[tuple[int, ...], tuple[int, ...]]:
    before, after = f"{BEFORE}.quarantine", "quarantine_after"
    entered, left = (
        session.rows(
            f"SELECT cluster_id FROM {one} EXCEPT SELECT cluster_id FROM {other} ORDER BY 1"
        )
        for one, other in ((after, before), (before, after))
    )
    return _ids(entered), _ids(left)


def _ids(rows: Iterable[tuple[Any, ...]]) -> tuple[int, ...]:
    return tuple(row[0] for row in rows)
