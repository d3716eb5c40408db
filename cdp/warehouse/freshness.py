"""How far each source is known, against how fresh it is declared to be.

Belongs here: reading that from what has landed. Does not belong here: telling it, which publishing
does to readers and the check on each source to whoever runs the deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cdp.config.sources import Source
from cdp.warehouse.runs import Run
from cdp.warehouse.store import Warehouse


@dataclass(frozen=True)
class Freshness:
    """How far a source is known.

    Attributes:
        landed_at: when something of it was landed last, or it was asked last.
        occurred_at: the newest fact in it. One that says it is yet to come counts as of when it
            landed, for one such row must not make a source that has died look fresh for good.
        complete_until: up to when it is known; None where nothing is.
        within: how old that may be.
        as_of: the moment it is held against.
    """

    landed_at: datetime | None
    occurred_at: datetime | None
    complete_until: datetime | None
    within: timedelta
    as_of: datetime

    @property
    def is_stale(self) -> bool:
        """Whether the source is known less far than it is declared to be."""
        return self.complete_until is None or self.complete_until < self.as_of - self.within


def freshness_of(warehouse: Warehouse, run: Run, source: Source) -> Freshness:
    """How far a source is known at the moment of a run.

    A source that is asked, a database or an API, is known up to the last time it answered; one
    that delivers files, up to the newest fact in them.
    """
    landed: list[datetime | None] = []
    occurred = None
    if warehouse.has_table("raw", "loads"):
        landed.append(
            warehouse.scalar("SELECT max(landed_at) FROM raw.loads WHERE source = ?", [source.name])
        )
    if warehouse.has_table("raw", source.name):
        # The least of moments of which one is missing is the least of the others.
        newest, occurred = warehouse.rows(
            "SELECT max(landed_at), max(least(occurred_at, landed_at, ?)) "
            f'FILTER (occurred_at IS NOT NULL) FROM raw."{source.name}"',
            [run.as_of],
        )[0]
        landed.append(newest)
    landed_at = max((each for each in landed if each), default=None)
    delivers = source.kind == "files" and occurred is not None
    until = occurred if delivers else landed_at
    return Freshness(landed_at, occurred, until, source.fresh_within, run.as_of)
