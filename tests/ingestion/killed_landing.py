"""Landing in a process of its own that is killed at a fault point.

Belongs here: one landing or replay of a home, and starting it from a test. Does not belong here:
what should be true afterwards.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

from cdp.warehouse import fault_points
from tests.ingestion.landing import Landing

PATIENCE_SECONDS = 120

# Processes are forked from one that has imported what landing needs and opened nothing.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.whole_way.warm"])


def land_and_kill(landing: Landing, source: str, point: str) -> None:
    """Land a source up to a point."""
    _killed(_land, landing, source, point)


def replay_and_kill(landing: Landing, source: str, point: str) -> None:
    """Replay the quarantine of a source up to a point."""
    _killed(_replay, landing, source, point)


def _killed(work: Callable[..., None], landing: Landing, source: str, point: str) -> None:
    place = Path.cwd()
    process = _processes.Process(
        target=work, args=(landing, source, point, dict(os.environ), place)
    )
    process.start()
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == -signal.SIGKILL, (
        f"the landing was not killed at {point} (exit {process.exitcode})"
    )


def _land(
    landing: Landing, source: str, point: str, environment: dict[str, str], place: Path
) -> None:
    os.chdir(place)
    os.environ.update(environment)
    fault_points.arm(point)
    landing.land(source)


def _replay(
    landing: Landing, source: str, point: str, environment: dict[str, str], place: Path
) -> None:
    os.chdir(place)
    os.environ.update(environment)
    fault_points.arm(point)
    landing.replay(source)
