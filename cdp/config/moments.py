"""Days and moments as people write them on a command line or in a launchpad.

Belongs here: reading them. Does not belong here: times inside data, which the models read.
"""

from __future__ import annotations

from datetime import UTC, datetime


class NoMoment(ValueError):
    """A text is neither a day nor a moment."""


def moment_in_utc(text: str | None) -> datetime | None:
    """A day (its beginning) or a moment in ISO 8601 as naive UTC; None stays None.

    Raises:
        NoMoment: it is neither.
    """
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise NoMoment(
            f"'{text}' is neither a day (2026-06-01) nor a moment (2026-06-01T12:00:00Z)"
        ) from None
    return parsed.astimezone(UTC).replace(tzinfo=None) if parsed.tzinfo else parsed
