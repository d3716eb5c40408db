"""Why two identifiers are one person, or two.

Belongs here: reading the component of both, and telling the path that ties them together, or what
parts them. Does not belong here: the search (`paths`), what ties one profile (`tied_by`), how it is
shown (`cdp.commands.identity`).

What is read is the component of both alone, however many others the warehouse has. A blocked value
may stand beside everybody: one between the two is found, a way over several of them is not looked
for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cdp.identity.identifiers import Identifier, NoIdentifier
from cdp.identity.label_record import recorded
from cdp.identity.labels import Label, in_force
from cdp.identity.looking_up import NeverSeen, Seen
from cdp.identity.matching.evidence import SOURCE as LIKELY
from cdp.identity.matching.evidence import Likeliness, of_accepted
from cdp.identity.paths import Edge, shortest
from cdp.identity.seed_labels import loaded, seed_labels
from cdp.warehouse.runs import add_missing_columns
from cdp.warehouse.store import Warehouse

LABEL = "label"
"""What stands as the source of an edge that a label makes."""

_WEAKEST = 999_999_999
"""The weakness of an edge with a blocked end, of which only that it was left out is known."""

_AS_A_PERSON_SAYS = -1
"""The weakness of what a person says: stronger than whatever a source does."""

Why = Literal["same_identifier", "tied", "left_out", "nothing", "elsewhere"]
"""What an explanation comes to: both are spellings of one identifier; a path ties them; every path
has edges that were left out; no row ties them together, but for ways over several blocked values,
which are not looked for; they are one profile, and no edge and no label says why."""


@dataclass(frozen=True)
class Member:
    """An identifier in its place.

    Attributes:
        component_id, profile_id: None of a value that is blocked, which belongs nowhere.
        is_blocked: its value is on the list of those that are nobody's own, so no row ties it to
            anything.
    """

    identifier: Identifier
    birth: int
    component_id: int | None
    profile_id: int | None
    is_blocked: bool = False


@dataclass(frozen=True)
class Step:
    """One edge of a path, in the direction from the first identifier to the second.

    Attributes:
        likeliness: what speaks for an edge that matching has made; None of any other.
    """

    from_: Identifier
    to: Identifier
    edge: Edge
    likeliness: Likeliness | None = None


@dataclass(frozen=True)
class Explanation:
    """Why two identifiers are one person, or two.

    Attributes:
        path: from left to right; where they are two people, a path through edges that were left
            out, each with its rule.
        is_published: whether this is what the last published run has built.
    """

    left: Member
    right: Member
    why: Why
    path: tuple[Step, ...]
    is_published: bool

    @property
    def is_one_person(self) -> bool:
        """Whether both belong to one profile."""
        profile = self.left.profile_id
        return profile is not None and profile == self.right.profile_id


def explain(
    warehouse: Warehouse, left: str, right: str, declared_types: Iterable[str] = ()
) -> Explanation:
    """Explain two identifiers, each told as `type:value` in any spelling.

    Raises:
        NothingBuilt, NoIdentifier, NeverSeen: see `Seen`.
    """
    seen = Seen(warehouse, declared_types)
    ends = []
    for place, text in (("first", left), ("second", right)):
        try:
            ends.append(_member(warehouse, seen.find(text)))
        except (NoIdentifier, NeverSeen) as error:
            raise type(error)(f"the {place} identifier: {error}") from error
    one, other = ends
    built_by, is_published = identities_built_by(warehouse)
    if one.birth == other.birth:
        return Explanation(one, other, "same_identifier", (), is_published)
    members = _members(warehouse, one, other)
    edges = [*_edges(warehouse, one, other), *_labels(warehouse, members, built_by)]
    why: Why
    if one.profile_id is not None and one.profile_id == other.profile_id:
        path = shortest((edge for edge in edges if edge.rule is None), one.birth, other.birth)
        why = "elsewhere" if path is None else "tied"
    else:
        path = shortest(edges, one.birth, other.birth)
        why = "nothing" if path is None else "left_out"
    known = _known(warehouse, path or ())
    steps = _steps(path or (), one.birth, known, _evidence(warehouse, path or ()))
    return Explanation(one, other, why, steps, is_published)


def _member(warehouse: Warehouse, identifier: Identifier) -> Member:
    rows = warehouse.rows(
        """
        SELECT spelled.node, identifiers.component_id, identifiers.profile_id, spelled.is_blocked
        FROM identity.int_identifier_values AS spelled
        LEFT JOIN identity.dim_identifiers AS identifiers ON spelled.node = identifiers.birth
        WHERE spelled.birth = spelled.node
          AND spelled.identifier_type = $kind AND spelled.identifier_value = $value
          AND (spelled.is_blocked OR identifiers.birth IS NOT NULL)
        """,
        {"kind": identifier.type, "value": identifier.value},
    )
    if not rows:
        raise NeverSeen("it has landed, and no run has built whose it is yet; `cdp run` does")
    return Member(identifier, *rows[0])


_COMPONENTS = """
    SELECT near.component_id FROM identity.dim_identifiers AS near
    WHERE near.profile_id IN ($one, $other)
    UNION
    SELECT near.component_id FROM identity.dim_identifiers AS near
    WHERE near.component_id IN ($mine, $theirs)
"""
"""The components of both, and those that a label has joined with them in one profile."""


def _near(one: Member, other: Member) -> dict[str, int | None]:
    return {
        "one": one.profile_id,
        "other": other.profile_id,
        "mine": one.component_id,
        "theirs": other.component_id,
    }


def _members(warehouse: Warehouse, one: Member, other: Member) -> list[Member]:
    rows = warehouse.rows(
        "SELECT identifier_type, identifier_value, birth, component_id, profile_id "
        f"FROM identity.dim_identifiers WHERE component_id IN ({_COMPONENTS})",
        _near(one, other),
    )
    return [Member(Identifier(kind, value), *numbers) for kind, value, *numbers in rows]


def _edges(warehouse: Warehouse, one: Member, other: Member) -> Iterator[Edge]:
    """Every edge of the components, those that were left out with their rule."""
    rejected: dict[tuple[int, int], list[Edge]] = {}
    for row in warehouse.rows(
        "SELECT left_node, right_node, source, event_id, first_occurred_at, rule "
        f"FROM identity.fct_rejected_edges WHERE component_id IN ({_COMPONENTS})",
        _near(one, other),
    ):
        left, right, *told = row
        rejected.setdefault((left, right), []).append(Edge(left, right, _WEAKEST, *told))
    seen = warehouse.rows(
        "SELECT edges.left_node, edges.right_node, edges.weakness, edges.source, edges.event_id, "
        "edges.first_occurred_at FROM identity.fct_identity_edges AS edges "
        "INNER JOIN identity.dim_identifiers AS elder ON edges.left_node = elder.birth "
        f"WHERE elder.component_id IN ({_COMPONENTS})",
        _near(one, other),
    )
    for row in [*seen, *_likely(warehouse, one, other)]:
        edge = Edge(*row)
        rules = {each.rule or "" for each in rejected.pop((edge.left, edge.right), [])}
        yield replace(edge, rule=", ".join(sorted(rules))) if rules else edge
    # An end that is blocked is in no component: what is left is edges from such.
    for edges in rejected.values():
        yield edges[0]


def knows_likely(warehouse: Warehouse) -> bool:
    """Whether a run has looked for likely people already; one of an earlier version has not."""
    return warehouse.has_table("identity", "int_match_edges")


def _likely(warehouse: Warehouse, one: Member, other: Member) -> list[tuple[Any, ...]]:
    """The edges that matching has made, as rows of such."""
    if not knows_likely(warehouse):
        return []
    return warehouse.rows(
        "SELECT matches.left_node, matches.right_node, matches.weakness, matches.source, NULL, "
        "NULL FROM identity.int_match_edges AS matches "
        "INNER JOIN identity.dim_identifiers AS elder ON matches.left_node = elder.birth "
        f"WHERE matches.is_in_force AND elder.component_id IN ({_COMPONENTS})",
        _near(one, other),
    )


def _labels(
    warehouse: Warehouse, members: Sequence[Member], built_by: str | None
) -> Iterator[Edge]:
    """The joins that the run which built these tables has seen, as edges."""
    births = {member.identifier: member.birth for member in members}
    for left, right, label in joins_seen(warehouse, births, built_by):
        yield Edge(
            left,
            right,
            _AS_A_PERSON_SAYS,
            LABEL,
            label.origin or str(label.number),
            label.recorded_at,
        )


def joins_seen(
    warehouse: Warehouse, births: Mapping[Identifier, int], built_by: str | None
) -> Iterator[tuple[int, int, Label]]:
    """The labels that join two of some identifiers and that a run has seen, beside the births of
    the two: those of the record in the order of their numbers, then those of the seed."""
    labels = recorded(warehouse)
    # The record may be of an earlier version, and no run begun since.
    add_missing_columns(warehouse)
    seen = warehouse.scalar(
        "SELECT max(label_high_water) FROM governance.runs WHERE run_id = ?", [built_by]
    )
    standing = in_force(row for row in labels if row.number <= (seen or 0))
    of_the_seed = loaded(warehouse, seed_labels(warehouse.settings).labels)
    for label in (*standing, *of_the_seed):
        claim = label.claim
        if claim.kind == "join" and claim.right is not None and claim.ends <= births.keys():
            yield births[claim.left], births[claim.right], label


def identities_built_by(warehouse: Warehouse) -> tuple[str | None, bool]:
    """The run that built the identities as they are, and whether it is the last published one."""
    built_by = warehouse.rows(
        "SELECT builds.run_id FROM governance.stage_builds AS builds "
        "INNER JOIN governance.runs AS runs ON builds.run_id = runs.run_id "
        "WHERE builds.stage = 'identity' "
        "ORDER BY runs.run_number DESC, builds.built_at DESC LIMIT 1"
    )
    published = warehouse.rows(
        "SELECT run_id FROM governance.runs WHERE status = 'published' "
        "ORDER BY run_number DESC LIMIT 1"
    )
    return (built_by[0][0] if built_by else None, bool(built_by) and built_by == published)


def _known(warehouse: Warehouse, path: Iterable[Edge]) -> dict[int, Identifier]:
    """The identifiers on a path, those that are blocked or cannot be read among them."""
    births = sorted({birth for edge in path for birth in (edge.left, edge.right)})
    if not births:
        return {}
    rows = warehouse.rows(
        "SELECT birth, identifier_type, coalesce(identifier_value, raw_value) "
        "FROM identity.int_identifier_values WHERE birth IN "
        f"({', '.join(str(int(birth)) for birth in births)})"
    )
    return {birth: Identifier(kind, value) for birth, kind, value in rows}


def _evidence(warehouse: Warehouse, path: Iterable[Edge]) -> dict[Edge, Likeliness]:
    """Of the edges that matching has made, what speaks for them."""
    edges = {
        (edge.source.removeprefix(LIKELY), edge.left, edge.right): edge
        for edge in path
        if edge.source is not None and edge.event_id is None and edge.source.startswith(LIKELY)
    }
    return {edges[pair]: each for pair, each in of_accepted(warehouse, edges).items()}


def _steps(
    path: Iterable[Edge],
    start: int,
    known: Mapping[int, Identifier],
    evidence: Mapping[Edge, Likeliness],
) -> tuple[Step, ...]:
    steps = []
    for edge in path:
        end = edge.left + edge.right - start
        steps.append(Step(known[start], known[end], edge, evidence.get(edge)))
        start = end
    return tuple(steps)
