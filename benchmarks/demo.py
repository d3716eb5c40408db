"""The first command of the README: from nothing but the environment to segments on the screen.

Belongs here: how long `cdp demo` takes in a process of its own, imports included. Does not belong
here: what it prints (`tests/cli`).

Data: the default shop, 5,000 people and about 250,000 events, which the command generates itself.
To reach: 60 seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure
from benchmarks.machine import seconds
from benchmarks.refresh import EVENTS_PER_PERSON

FIGURES = (
    Figure("seconds", "`make demo`, with its environment made", "the clock, seconds", 60, "people"),
)


def measured(events: int) -> dict[str, Any]:
    """The command over a shop of about so many events, in a data home of its own."""
    people = events // EVENTS_PER_PERSON
    with TemporaryDirectory() as name:
        home = Path(name) / "home"
        command = [sys.executable, "-m", "cdp", "demo", "--people", str(people)]
        taken = seconds(
            lambda: subprocess.run(
                command,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "CDP_HOME": str(home)},
            )
        )
    return {"people": people, "seconds": round(taken, 1)}


def run(sizes: Sequence[int] = (250_000,)) -> list[dict[str, Any]]:
    """Measure each size, given in events."""
    return [measured(size) for size in sizes]
