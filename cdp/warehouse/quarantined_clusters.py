"""Groups of identifiers that entered quarantine, as a run has recorded them.

Belongs here: reading what the models found, for whoever tells people of it. Does not belong here:
when a group is implausible (`cdp.identity.plausibility`), sending anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from cdp.warehouse.store import Warehouse

CHANGES = ("identity", "fct_quarantine_changes")

RUNS_LOOKED_AT = 20
"""Of this many runs, the newest in which a group entered, it is asked whether people were told."""


@dataclass(frozen=True)
class Entered:
    """A group that entered quarantine: its id, its kind and sign, and how much of that it shows."""

    cluster_id: int
    kind: str
    sign: str
    seen: int


@dataclass(frozen=True)
class EnteredInRun:
    """What entered in a run, with the run's id and `as_of` (naive UTC); the worst first."""

    run_id: str
    as_of: datetime
    groups: tuple[Entered, ...]


def entered(warehouse: Warehouse) -> list[EnteredInRun]:
    """The groups that entered quarantine, by the published run in which they did, newest first.

    What an unpublished run found, its repetition finds again: nobody is to be told twice.
    """
    if not warehouse.has_table(*CHANGES):
        return []
    rows = warehouse.rows(
        f"""
        WITH entries AS (
            SELECT runs.run_number, runs.run_id, runs.as_of, changes.cluster_id, changes.kind,
                   changes.sign, changes.seen,
                   dense_rank() OVER (ORDER BY runs.run_number DESC) AS nth_run
            FROM identity.fct_quarantine_changes AS changes
            INNER JOIN governance.runs AS runs ON changes.run_number = runs.run_number
            WHERE changes.is_quarantined AND runs.status = 'published'
        )
        SELECT run_id, as_of, cluster_id, kind, sign, seen FROM entries
        WHERE nth_run <= {RUNS_LOOKED_AT}
        ORDER BY run_number DESC, seen DESC, cluster_id
        """
    )
    return [
        EnteredInRun(run_id, as_of, tuple(Entered(*group) for _, _, *group in groups))
        for (run_id, as_of), groups in groupby(rows, key=lambda row: row[:2])
    ]
