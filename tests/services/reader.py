"""A reader who reads the published set again and again while a test does other things.

Belongs here: reading, and noting what was seen. Does not belong here: any expectation.
"""

from __future__ import annotations

import threading

from cdp.warehouse.readers import open_reader
from cdp.warehouse.settings import Settings


class Reader(threading.Thread):
    """Opens the current set anew for every read.

    Attributes:
        reads: how many were answered.
        sets: the sets that were seen.
        problems: what was refused, or not whole.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._settings, self._done = settings, threading.Event()
        self.reads = 0
        self.sets: set[str] = set()
        self.problems: list[str] = []

    def run(self) -> None:
        while not self._done.wait(0.05):
            try:
                with open_reader(self._settings, "marketing") as reader:
                    ((name, profiles, events),) = reader.execute(
                        "SELECT (SELECT set_name FROM core.about.publication), "
                        "(SELECT count(*) FROM dim_profiles), (SELECT count(*) FROM fct_events)"
                    ).fetchall()
            except Exception as error:  # noqa: BLE001 - whatever a reader meets is a finding
                self.problems.append(f"{type(error).__name__}: {error}")
                continue
            self.reads += 1
            self.sets.add(name)
            if not profiles or not events:
                self.problems.append(f"{name} has {profiles} profiles and {events} events")

    def finish(self) -> None:
        """Stop reading."""
        self._done.set()
        self.join(30)
