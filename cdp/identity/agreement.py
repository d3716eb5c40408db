"""What rows and rules alone say, held against what people have said.

Belongs here: whether the two identifiers of a label hang together without it, and precision and
recall of that. Does not belong here: which labels are in force (the model `int_identity_labels`).

A label decides who is who, so that who is who agrees with it tells nothing. Hence labels themselves
are left out here: two identifiers are tied where edges lead from one to the other, those that were
left out for a label to split among them. An edge that a rule would leave out, but for a label that
joins both sides, is on record nowhere and counts, so recall is at most what is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cdp.identity.graph import Union
from cdp.warehouse.store import Session


@dataclass(frozen=True)
class Agreement:
    """Pairs of identifiers that people have judged, and how rows and rules alone have them.

    Attributes:
        joins, splits: pairs that are said to be one person's, two people's.
        joins_tied, splits_tied: those of them that rows and rules tie together.
    """

    joins: int
    splits: int
    joins_tied: int
    splits_tied: int

    @property
    def precision(self) -> float | None:
        """Of the pairs that are tied, the share that people say are one; None where none is."""
        tied = self.joins_tied + self.splits_tied
        return self.joins_tied / tied if tied else None

    @property
    def recall(self) -> float | None:
        """Of the pairs that people say are one, the share that is tied; None where none is."""
        return self.joins_tied / self.joins if self.joins else None


def agreement(session: Session, *, with_likely: bool = False) -> Agreement | None:
    """Hold the labels in force, as the last build saw them, against rows and rules alone.

    Reads the edges of the components that labels speak of, and no others. None where there are no
    labels to join or to split.

    Args:
        with_likely: what matching has found likely counts too, as it does without labels; it has
            been looked for by some run (`int_match_edges` is there).
    """
    labels = session.rows(
        "SELECT DISTINCT kind, left_node, right_node FROM identity.int_identity_labels "
        "WHERE is_in_force AND kind IN ('join', 'split')"
    )
    if not labels:
        return None
    edges = session.rows(_edges("identity.fct_identity_edges", "edges.blocked_by IS NULL"))
    if with_likely:
        edges += session.rows(_edges("identity.int_match_edges", "edges.is_in_force"))
    return of_labels(labels, edges)


def _edges(table: str, counts: str) -> str:
    """A query of the edges of a table that a condition lets count, in components of labels."""
    return f"""
        WITH ends AS (
            SELECT left_node AS node FROM identity.int_identity_labels
            WHERE is_in_force AND kind IN ('join', 'split')
            UNION
            SELECT right_node AS node FROM identity.int_identity_labels
            WHERE is_in_force AND kind IN ('join', 'split')
        ),
        components AS (
            SELECT DISTINCT members.component_id
            FROM identity.dim_identifiers AS members
            INNER JOIN ends ON members.birth = ends.node
        )
        SELECT edges.left_node, edges.right_node
        FROM {table} AS edges
        INNER JOIN identity.dim_identifiers AS members ON edges.left_node = members.birth
        INNER JOIN components ON members.component_id = components.component_id
        LEFT JOIN identity.fct_rejected_edges AS rejected
          ON edges.left_node = rejected.left_node AND edges.right_node = rejected.right_node
        WHERE {counts} AND coalesce(rejected.rule, 'split') = 'split'
    """


def of_labels(
    labels: Iterable[tuple[str, int, int]], edges: Iterable[tuple[int, int]]
) -> Agreement:
    """The same of labels (kind, and both births) and the edges (both births) that count.

    Of a pair that is said to be both, the pair counts in both.
    """
    judged, known = list(labels), list(edges)
    parts = Union(
        {end for _, *ends in judged for end in ends} | {e for pair in known for e in pair}
    )
    for left, right in known:
        parts.unite(left, right)
    tied = [(kind, parts.root(left) == parts.root(right)) for kind, left, right in judged]
    return Agreement(
        joins=sum(kind == "join" for kind, _ in tied),
        splits=sum(kind == "split" for kind, _ in tied),
        joins_tied=sum(kind == "join" and together for kind, together in tied),
        splits_tied=sum(kind == "split" and together for kind, together in tied),
    )
