"""What ties each identifier of a profile to the others of it.

Belongs here: of what a row, matching or a person says, the strongest for each identifier. Does not
belong here: the path between two identifiers (`explaining`), who may see what of it
(`cdp.commands.profile`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cdp.identity.explaining import LABEL, identities_built_by, joins_seen, knows_likely
from cdp.identity.identifiers import Identifier
from cdp.warehouse.store import Warehouse


@dataclass(frozen=True)
class Evidence:
    """The strongest tie of an identifier to others of its profile: what a person says, else what a
    row has told, else what matching has found.

    Attributes:
        event_id: the row that told it.
        probability: how likely the two are one person, where matching has tied them.
        label: the number of the label that ties them, or where it stands in the seed (file:line).
        author, reason: who says so, and why.
    """

    source: str | None
    event_id: str | None
    first_occurred_at: datetime | None
    probability: float | None = None
    label: str | None = None
    author: str | None = None
    reason: str | None = None


def evidence_of(warehouse: Warehouse, profile_id: int) -> dict[int, Evidence]:
    """By birth, what ties each identifier of a profile to another one of it; an identifier that
    stands alone has none."""
    found = _of_edges(warehouse, profile_id)
    members = warehouse.rows(
        "SELECT identifier_type, identifier_value, birth FROM identity.dim_identifiers "
        "WHERE profile_id = ?",
        [profile_id],
    )
    births = {Identifier(kind, value): birth for kind, value, birth in members}
    built_by, _ = identities_built_by(warehouse)
    said: dict[int, Evidence] = {}
    for left, right, label in joins_seen(warehouse, births, built_by):
        told = Evidence(
            LABEL,
            None,
            label.recorded_at,
            label=label.origin or str(label.number),
            author=label.author,
            reason=label.reason,
        )
        for birth in (left, right):
            said.setdefault(birth, told)
    return found | said


def _of_edges(warehouse: Warehouse, profile_id: int) -> dict[int, Evidence]:
    likely = (
        "UNION ALL SELECT left_node, right_node, weakness, source, NULL, NULL, probability "
        "FROM identity.int_match_edges WHERE is_in_force"
        if knows_likely(warehouse)
        else ""
    )
    rows = warehouse.rows(
        f"""
        WITH members AS (
            SELECT birth FROM identity.dim_identifiers WHERE profile_id = $profile
        ),
        known AS (
            SELECT left_node, right_node, weakness, source, event_id, first_occurred_at,
                   CAST(NULL AS DOUBLE) AS probability
            FROM identity.fct_identity_edges {likely}
        ),
        inside AS (
            SELECT edges.left_node, edges.right_node, edges.weakness, edges.source, edges.event_id,
                   edges.first_occurred_at, edges.probability
            FROM known AS edges
            INNER JOIN members AS elder ON edges.left_node = elder.birth
            INNER JOIN members AS younger ON edges.right_node = younger.birth
            LEFT JOIN identity.fct_rejected_edges AS rejected
              ON edges.left_node = rejected.left_node AND edges.right_node = rejected.right_node
            WHERE rejected.left_node IS NULL
        ),
        ends AS (
            SELECT left_node AS birth, weakness, source, event_id, first_occurred_at, probability
            FROM inside
            UNION ALL
            SELECT right_node AS birth, weakness, source, event_id, first_occurred_at, probability
            FROM inside
        ),
        ranked AS (
            SELECT birth, source, event_id, first_occurred_at, probability,
                   row_number() OVER (
                       PARTITION BY birth
                       ORDER BY weakness, first_occurred_at NULLS LAST, source, event_id
                   ) AS nth
            FROM ends
        )
        SELECT birth, source, event_id, first_occurred_at, probability FROM ranked WHERE nth = 1
        """,
        {"profile": profile_id},
    )
    return {birth: Evidence(*evidence) for birth, *evidence in rows}
