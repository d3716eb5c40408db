"""The main job in a process of its own that is killed at a fault point.

Belongs here: one run of the shipped configuration over a data home, and starting it from a test.
Does not belong here: what should be true afterwards.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from pathlib import Path

from cdp.warehouse import fault_points

PATIENCE_SECONDS = 300

# Processes are forked from one that has imported everything and opened nothing.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.whole_way.warm"])


def run_and_kill(home: Path, point: str, on_pass: int = 1) -> bool:
    """Start the main job and let it be killed at a point; whether it came to that point.

    Raises:
        AssertionError: the run ended otherwise.
    """
    process = processes.Process(target=_run, args=(home, point, on_pass))
    process.start()
    process.join(PATIENCE_SECONDS)
    if process.exitcode == 0:
        return False
    assert process.exitcode == -signal.SIGKILL, (
        f"the run was not killed at {point} (exit {process.exitcode})"
    )
    return True


def _run(home: Path, point: str, on_pass: int) -> None:
    """Run the main job, to the point."""
    from orchestration.running import run_job
    from tests.services.shop_run import settings_of

    fault_points.arm(point, on_pass=on_pass)
    outcome = run_job(settings_of(home))
    if not outcome.success:
        sys.exit("; ".join(outcome.errors))
