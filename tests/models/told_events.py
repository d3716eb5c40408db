"""Events that a test tells in so many words, as files of the shop's web source.

Belongs here: writing them into the landing folder. Does not belong here: any expectation.
"""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any


def identify(device: str, email: str, user_id: str | None = None) -> dict[str, Any]:
    """A call that says whose device it is."""
    return {
        "type": "identify",
        "anonymousId": device,
        "traits": {"email": email},
        **({"userId": user_id} if user_id else {}),
    }


def deliver_events(home: Path, name: str, at: datetime, *events: dict[str, Any]) -> None:
    """Put events of one moment (naive UTC), where they tell none, into a file of their own."""
    moment = at.isoformat() + "Z"
    folder = home / "landing" / "web"
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / f"{name}.ndjson.gz", "wt", encoding="utf-8") as lines:
        for number, event in enumerate(events):
            told = {"messageId": f"{name}-{number}", "timestamp": moment, "receivedAt": moment}
            lines.write(json.dumps({**told, **event}) + "\n")
