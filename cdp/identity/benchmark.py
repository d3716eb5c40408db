"""How good who-is-who is, as the warehouse has it: the figures of `cdp identity benchmark`.

Belongs here: counting what the tables of identity hold, set by set, and what in it looks like too
much or too little of one person. Does not belong here: how it is shown
(`cdp.commands.identity_report`), any rule: what is too much is what the seeds say.

Profiles are told by their ids and by counts, never by a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdp.identity.agreement import Agreement, agreement
from cdp.identity.explaining import identities_built_by
from cdp.identity.looking_up import NothingBuilt
from cdp.warehouse.store import Session, Warehouse

POSTCODES = 5
"""Postcodes that one person may have told, of contacts, before it looks like several people."""

RUNS = 5
"""Published runs whose churn is told."""

_SIZES = ((1, 1), (2, 2), (3, 5), (6, 10), (11, 50), (51, 500), (501, None))
"""Sizes of profiles, in identifiers, that are counted together."""


@dataclass(frozen=True)
class SizeClass:
    """Profiles of `least` to `most` identifiers; `most` is None of the last class."""

    least: int
    most: int | None
    profiles: int
    identifiers: int


@dataclass(frozen=True)
class Cluster:
    """One of the largest profiles, by counts alone.

    Attributes:
        by_type: identifiers of each type.
        given_names, surnames: distinct ones, in their plain spelling, that rows told beside them.
        postcodes: distinct ones of its contacts.
    """

    profile_id: int
    identifiers: int
    by_type: Mapping[str, int]
    given_names: int
    surnames: int
    postcodes: int


@dataclass(frozen=True)
class TooMuch:
    """Profiles that hold more of something than one person is likely to.

    Attributes:
        sign: given_names, surnames, postcodes, or `limit:` and a type of identifiers, of which
            sources or people say that some are one.
        allowed: how many are taken for one person's.
        profiles: how many profiles hold more.
        examples: ids of those that hold the most.
    """

    sign: str
    allowed: int
    profiles: int
    examples: tuple[int, ...]


@dataclass(frozen=True)
class Alike:
    """Profiles that may be one person's, since they tell the same.

    Attributes:
        sign: name_and_postcode or name_and_birth_date, of whole names.
        groups: how often it is told by several profiles.
        profiles: how many profiles those are.
    """

    sign: str
    groups: int
    profiles: int


@dataclass(frozen=True)
class Quarantined:
    """A group that is implausible as one person; see `identity.quarantined_clusters`."""

    cluster_id: int
    kind: str
    sign: str
    seen: int
    allowed: int | None
    identifiers: int
    edges_left_out: int


@dataclass(frozen=True)
class Churn:
    """What one run changed of what there was before.

    Attributes:
        ids_before: ids that profiles had before the run.
        ids_ended: those of them that no profile had after it.
        identifiers_before: identifiers that had a profile before the run.
        moved: those of them that have another profile since, or none, by cause: merge, split,
            label, rule, block.
    """

    run_number: int
    as_of: datetime
    ids_before: int
    ids_ended: int
    identifiers_before: int
    moved: Mapping[str, int]


@dataclass(frozen=True)
class Benchmark:
    """The figures.

    Attributes:
        is_published: whether they are of what the last published run has built.
        by_type: identifiers of each type.
        blocked, unreadable: identifiers that are nobody's own from the start, by type.
        bad_values: values that proved to be nobody's own: of each edge left out for it, the end
            that more such edges meet.
        likely: edges that no row has told and matching has found likely.
        left_out: edges that join nobody, by rule, likely ones among them.
        singles: profiles with a single identifier.
        alike: None where profiles have not been built.
        churn: of the last published runs, the newest first.
        labels: None where no label to join or to split is in force.
    """

    run_id: str | None
    is_published: bool
    identifiers: int
    edges: int
    likely: int
    profiles: int
    by_type: Mapping[str, int]
    sizes: tuple[SizeClass, ...]
    largest: tuple[Cluster, ...]
    too_much: tuple[TooMuch, ...]
    singles: int
    alike: tuple[Alike, ...] | None
    left_out: Mapping[str, int]
    blocked: Mapping[str, int]
    unreadable: Mapping[str, int]
    bad_values: int
    quarantined: Mapping[str, int]
    quarantine: tuple[Quarantined, ...]
    churn: tuple[Churn, ...]
    labels: Agreement | None


def benchmark(warehouse: Warehouse, limit: int = 10) -> Benchmark:
    """Measure the identities that the warehouse holds; writes nothing.

    Args:
        limit: how many of the largest profiles, of the quarantined groups, and of the profiles of
            each sign are told by their ids.

    Raises:
        NothingBuilt: no run has built them yet.
    """
    if not warehouse.has_table("identity", "identity_assignments"):
        raise NothingBuilt("no run has built the identities yet; `cdp run` does")
    with_profiles = warehouse.has_table("profiles", "dim_profiles")
    with_likely = warehouse.has_table("identity", "int_match_edges")
    run_id, is_published = identities_built_by(warehouse)
    with warehouse.session() as session:
        session.temporary(_FACTS, _FACTS_OF_PROFILES)
        by_type = _counts(
            session,
            "SELECT identifier_type, count(*) FROM identity.dim_identifiers "
            "GROUP BY identifier_type",
        )
        sizes = session.rows(
            f"SELECT identifiers, count(*) FROM {_FACTS} GROUP BY identifiers ORDER BY identifiers"
        )
        nobodys = session.rows(_NOBODYS)
        quarantine = tuple(Quarantined(*row) for row in session.rows(_QUARANTINE))
        return Benchmark(
            run_id=run_id,
            is_published=is_published,
            identifiers=sum(by_type.values()),
            edges=session.scalar("SELECT count(*) FROM identity.fct_identity_edges"),
            likely=session.scalar(_LIKELY) if with_likely else 0,
            profiles=sum(profiles for _, profiles in sizes),
            by_type=by_type,
            sizes=tuple(_classes(sizes)),
            largest=_largest(session, limit),
            too_much=(*_names_and_postcodes(session, limit), *_above_limits(session, limit)),
            singles=sum(profiles for size, profiles in sizes if size == 1),
            alike=_alike(session) if with_profiles else None,
            left_out=_counts(
                session, "SELECT rule, count(*) FROM identity.fct_rejected_edges GROUP BY rule"
            ),
            blocked={kind: number for kind, number, _ in nobodys if number},
            unreadable={kind: number for kind, _, number in nobodys if number},
            bad_values=session.scalar(_BAD_VALUES) or 0,
            quarantined=dict(sorted(Counter(each.kind for each in quarantine).items())),
            quarantine=quarantine[:limit],
            churn=_churn(session),
            labels=agreement(session, with_likely=with_likely),
        )


def _counts(session: Session, query: str) -> dict[str, int]:
    """Numbers by a text, the greatest first."""
    rows = sorted(session.rows(query), key=lambda row: (-row[1], row[0]))
    return dict(rows)


_LIKELY = "SELECT count(*) FROM identity.int_match_edges WHERE is_in_force"

_FACTS = "facts_of_profiles"

_FACTS_OF_PROFILES = """
    WITH members AS (
        SELECT birth, profile_id FROM identity.dim_identifiers
    ),
    sizes AS (
        SELECT profile_id, count(*) AS identifiers FROM members GROUP BY profile_id
    ),
    names AS (
        SELECT members.profile_id,
               count(DISTINCT told.given_name) AS given_names,
               count(DISTINCT told.surname) AS surnames
        FROM identity.int_identifier_names AS told
        INNER JOIN members ON told.node = members.birth
        GROUP BY members.profile_id
    ),
    postcodes AS (
        SELECT members.profile_id,
               count(DISTINCT upper(replace(contacts.postal_code, ' ', ''))) AS postcodes
        FROM staging.int_contacts AS contacts
        INNER JOIN identity.int_identifier_values AS spelled
          ON contacts.id_type = spelled.identifier_type AND contacts.contact_id = spelled.raw_value
        INNER JOIN members ON spelled.node = members.birth
        WHERE contacts.postal_code IS NOT NULL
        GROUP BY members.profile_id
    )
    SELECT sizes.profile_id, sizes.identifiers,
           coalesce(names.given_names, 0) AS given_names,
           coalesce(names.surnames, 0) AS surnames,
           coalesce(postcodes.postcodes, 0) AS postcodes
    FROM sizes
    LEFT JOIN names ON sizes.profile_id = names.profile_id
    LEFT JOIN postcodes ON sizes.profile_id = postcodes.profile_id
"""
"""Grain: one row a profile."""


def _classes(sizes: Iterable[tuple[int, int]]) -> Iterable[SizeClass]:
    held = list(sizes)
    for least, most in _SIZES:
        within = [(s, n) for s, n in held if s >= least and (most is None or s <= most)]
        yield SizeClass(least, most, sum(n for _, n in within), sum(s * n for s, n in within))


def _largest(session: Session, limit: int) -> tuple[Cluster, ...]:
    rows = session.rows(
        f"""
        WITH largest AS (
            SELECT profile_id, identifiers, given_names, surnames, postcodes
            FROM {_FACTS} ORDER BY identifiers DESC, profile_id LIMIT {int(limit)}
        )
        SELECT largest.profile_id, largest.identifiers, largest.given_names, largest.surnames,
               largest.postcodes, members.identifier_type, count(*) AS held
        FROM largest
        INNER JOIN identity.dim_identifiers AS members ON largest.profile_id = members.profile_id
        GROUP BY largest.profile_id, largest.identifiers, largest.given_names, largest.surnames,
                 largest.postcodes, members.identifier_type
        ORDER BY largest.identifiers DESC, largest.profile_id, held DESC, members.identifier_type
        """
    )
    facts: dict[int, tuple[int, ...]] = {}
    by_type: dict[int, dict[str, int]] = {}
    for profile, *counted, kind, held in rows:
        facts[profile] = tuple(counted)
        by_type.setdefault(profile, {})[kind] = held
    return tuple(
        Cluster(profile, identifiers, by_type[profile], *told)
        for profile, (identifiers, *told) in facts.items()
    )


def _names_and_postcodes(session: Session, limit: int) -> Iterable[TooMuch]:
    """Where the seed of signs leaves names open, they are no sign here either."""
    signs: dict[str, int | None] = {"given_names": None, "surnames": None}
    signs |= dict(session.rows("SELECT sign, allowed FROM staging.identity_signs"))
    for sign, allowed in (
        ("given_names", signs["given_names"]),
        ("surnames", signs["surnames"]),
        ("postcodes", POSTCODES),
    ):
        if allowed is None:
            continue
        found = session.rows(
            f"SELECT profile_id, count(*) OVER () FROM {_FACTS} WHERE {sign} > {int(allowed)} "
            f"ORDER BY {sign} DESC, profile_id LIMIT {int(limit)}"
        )
        yield TooMuch(sign, allowed, found[0][1] if found else 0, tuple(row[0] for row in found))


def _above_limits(session: Session, limit: int) -> Iterable[TooMuch]:
    """By type that has a limit for ever, profiles with more: none but where values are one."""
    rows = session.rows(
        f"""
        WITH counted AS (
            SELECT profile_id, identifier_type, count(*) AS held
            FROM identity.dim_identifiers GROUP BY profile_id, identifier_type
        ),
        -- What is not named is as the row for any type says.
        judged AS (
            SELECT counted.profile_id, counted.identifier_type, counted.held,
                   CASE
                       WHEN types.identifier_type IS NOT NULL THEN CASE
                           WHEN types.do_not_merge THEN 1
                           WHEN types.window_days IS NULL THEN types.max_per_profile
                       END
                       WHEN others.do_not_merge THEN 1
                       WHEN others.window_days IS NULL THEN others.max_per_profile
                   END AS allowed
            FROM counted
            LEFT JOIN staging.identifier_types AS types
              ON counted.identifier_type = types.identifier_type
            LEFT JOIN staging.identifier_types AS others ON others.identifier_type = '*'
        ),
        ranked AS (
            SELECT profile_id, identifier_type, allowed,
                   count(*) OVER (PARTITION BY identifier_type) AS profiles,
                   row_number() OVER (
                       PARTITION BY identifier_type ORDER BY held DESC, profile_id
                   ) AS nth
            FROM judged WHERE held > allowed
        )
        SELECT identifier_type, allowed, profiles, profile_id FROM ranked
        WHERE nth <= {int(limit)} ORDER BY identifier_type, nth
        """
    )
    found: dict[tuple[str, int, int], list[int]] = {}
    for kind, allowed, profiles, profile in rows:
        found.setdefault((kind, allowed, profiles), []).append(profile)
    for (kind, allowed, profiles), examples in found.items():
        yield TooMuch(f"limit:{kind}", allowed, profiles, tuple(examples))


_TOLD = {
    "name_and_postcode": "upper(replace(postal_code, ' ', ''))",
    "name_and_birth_date": "birth_date",
}


def _alike(session: Session) -> tuple[Alike, ...]:
    """Of whole names alone, for many people have one given name in one town."""
    found = []
    for sign, told in _TOLD.items():
        rows = session.rows(
            f"""
            WITH told AS (
                SELECT lower(trim(coalesce(full_name, first_name || ' ' || last_name))) AS name,
                       {told} AS beside
                FROM profiles.dim_profiles
            ),
            shared AS (
                SELECT name, beside, count(*) AS profiles FROM told
                WHERE name LIKE '% %' AND beside IS NOT NULL
                GROUP BY name, beside HAVING count(*) > 1
            )
            SELECT count(*), coalesce(sum(profiles), 0) FROM shared
            """
        )
        groups, profiles = rows[0]
        found.append(Alike(sign, groups, int(profiles)))
    return tuple(found)


_NOBODYS = """
    SELECT identifier_type,
           count(CASE WHEN identifier_value IS NOT NULL THEN 1 END) AS blocked,
           count(CASE WHEN identifier_value IS NULL THEN 1 END) AS unreadable
    FROM identity.int_identifier_values
    WHERE is_blocked AND birth = node
    GROUP BY identifier_type ORDER BY identifier_type
"""

_BAD_VALUES = """
    WITH edges AS (
        SELECT left_node, right_node FROM identity.fct_rejected_edges WHERE rule = 'bad_value'
    ),
    met AS (
        SELECT node, count(*) AS edges FROM (
            SELECT left_node AS node FROM edges
            UNION ALL
            SELECT right_node AS node FROM edges
        ) AS ends
        GROUP BY node
    )
    SELECT count(DISTINCT CASE
        WHEN one.edges >= other.edges THEN edges.left_node ELSE edges.right_node
    END)
    FROM edges
    INNER JOIN met AS one ON edges.left_node = one.node
    INNER JOIN met AS other ON edges.right_node = other.node
"""

_QUARANTINE = """
    SELECT cluster_id, kind, sign, seen, allowed, identifiers, edges_left_out
    FROM identity.quarantined_clusters ORDER BY identifiers DESC, cluster_id
"""


def _churn(session: Session) -> tuple[Churn, ...]:
    """What the record of assignments says of the last published runs.

    An id is in use as long as the identifier that it is called after has it.
    """
    rows = session.rows(
        f"""
        WITH runs AS (
            SELECT run_number, as_of FROM governance.runs WHERE status = 'published'
        ),
        counted AS (
            SELECT run_number,
                   count(CASE WHEN profile_id = birth THEN 1 END) AS begun,
                   count(CASE WHEN profile_before = birth THEN 1 END) AS ended,
                   count(CASE WHEN profile_before IS NULL THEN 1 END) AS came,
                   count(CASE WHEN profile_id IS NULL THEN 1 END) AS went
            FROM identity.identity_assignments GROUP BY run_number
        ),
        summed AS (
            SELECT runs.run_number, runs.as_of,
                   coalesce(counted.ended, 0) AS ended,
                   coalesce(sum(counted.begun - counted.ended) OVER (
                       ORDER BY runs.run_number
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ), 0) AS ids_before,
                   coalesce(sum(counted.came - counted.went) OVER (
                       ORDER BY runs.run_number
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ), 0) AS identifiers_before
            FROM runs LEFT JOIN counted ON runs.run_number = counted.run_number
        )
        SELECT run_number, as_of, ids_before, ended, identifiers_before
        FROM summed ORDER BY run_number DESC LIMIT {RUNS}
        """
    )
    if not rows:
        return ()
    moved: dict[int, dict[str, int]] = {}
    for run, cause, number in session.rows(
        "SELECT run_number, cause, count(*) FROM identity.fct_identity_changes "
        f"WHERE run_number >= {int(rows[-1][0])} GROUP BY run_number, cause "
        "ORDER BY run_number, cause"
    ):
        moved.setdefault(run, {})[cause] = number
    return tuple(_of_run(moved.get(row[0], {}), *row) for row in rows)


def _of_run(
    moved: Mapping[str, int], run: int, as_of: datetime, ids: Any, ended: int, identifiers: Any
) -> Churn:
    return Churn(run, as_of, int(ids), ended, int(identifiers), moved)
