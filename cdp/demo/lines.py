"""Single lines of the event files that are written one by one, and what is known about them.

Belongs here: the record of such a line. Does not belong here: which lines there are (`cases`,
`broken`), the many that are drawn at random (`messages`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Platform = Literal["mobile", "web"]
Outcome = Literal["landed", "duplicate", "quarantined"]
Deed = Literal["added", "ordered", "other"]


@dataclass(frozen=True)
class Act:
    """What a landed event says that somebody did."""

    at: int
    name: Deed
    counts: bool = True
    """False for bots and the shop's own people."""


@dataclass(frozen=True)
class SingleLine:
    """One line, where it stands and what must become of it."""

    placed_at: int
    """When the collector wrote it: gives the file and the place in it."""
    data: bytes
    """Without a line feed."""
    platform: Platform = "web"
    outcome: Outcome = "landed"
    reason: str | None = None
    message_id: str | None = None
    visitor: str | None = None
    """The device's anonymous id."""
    person_id: str | None = None
    kind: str = "person"
    act: Act | None = None
