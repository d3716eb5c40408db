"""How far the last value of a cursor may go.

Belongs here: telling values of cursors that lie beyond all time from those by which news are asked
for. Does not belong here: asking for news (`database`, `rest`), or judging rows (`judging`).

Whoever writes 9999-12-31 into one row would otherwise end a source in silence: what is kept as the
last value is the largest, and nothing that happens is ever newer. A row whose cursor lies ahead
lands like any other and moves nothing; it is read again each time, as a duplicate.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SLACK = timedelta(days=1)
"""Times that name no zone may be of any."""


def tells_time(value: Any) -> bool:
    """Whether a value is text that begins with a day."""
    return isinstance(value, str) and _ISO.match(value) is not None


def is_ahead(value: Any, latest: datetime, *, among_times: bool = False) -> bool:
    """Whether a cursor's value lies beyond a moment; numbers, which may count anything, never do.

    Args:
        latest: naive UTC, the moment up to which rows may lie.
        among_times: other values of the cursor are text that tells times, so that text which tells
            none is no place to go on from either.
    """
    if isinstance(value, datetime):
        naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return naive > latest + _SLACK
    if isinstance(value, date):
        return value > (latest + _SLACK).date()
    if not isinstance(value, str) or not (among_times or tells_time(value)):
        return False
    # Text is compared as text, whatever parts a day from its time.
    return value >= latest.date().isoformat()
