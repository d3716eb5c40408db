"""What a benchmark is to reach: a number of its results, and the limit that was set for it.

Belongs here: the shape of such a statement, which goes into the results as it stands, so that the
page that shows them (`docs/reference/performance.md`) asks nobody else. Does not belong here: any
measurement, and how to show one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One number that says whether the work is fast enough.

    Attributes:
        key: its name in a result.
        what: what was done, in words.
        against: what it is measured against: a peer in the same run, or the clock.
        reach: the limit: not more than this, or not less where `more_is_better`.
        size: the name in a result of how much was worked on.
    """

    key: str
    what: str
    against: str
    reach: float
    size: str
    more_is_better: bool = False
