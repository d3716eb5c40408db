"""Groups of identifiers that entered quarantine, as a run has recorded them.

Belongs here: reading what the models found, for whoever tells people of it. Does not belong here:
when a group is implausible (`cdp.identity.plausibility`), sending anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdp.warehouse.runs import Run
from cdp.warehouse.store import Warehouse

CHANGES = ("identity", "fct_quarantine_changes")


@dataclass(frozen=True)
class Entered:
    """A group that entered quarantine: its id, its kind and sign, and how much of that it shows."""

    cluster_id: int
    kind: str
    sign: str
    seen: int


def entered(warehouse: Warehouse, run: Run) -> list[Entered]:
    """The groups that entered quarantine in a run, which has to have been published: until then its
    repetition finds the same, and nobody is to be told twice."""
    if not warehouse.has_table(*CHANGES):
        return []
    rows = warehouse.rows(
        "SELECT changes.cluster_id, changes.kind, changes.sign, changes.seen "
        "FROM identity.fct_quarantine_changes AS changes "
        "INNER JOIN governance.runs AS runs ON changes.run_number = runs.run_number "
        "WHERE changes.run_number = ? AND changes.is_quarantined AND runs.status = 'published' "
        "ORDER BY changes.seen DESC, changes.cluster_id",
        [run.run_number],
    )
    return [Entered(*row) for row in rows]
