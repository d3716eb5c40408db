"""A run in a process of its own that is killed at a fault point.

`python -m tests.serving.killed_run HOME PROJECT RUN_ID VERSION POINT PASS`

Belongs here: one run of the tiny shop, and starting it from a test. Does not belong here: what
should be true afterwards.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from cdp.warehouse import fault_points
from cdp.warehouse.settings import PROJECT_ROOT
from tests.serving.tiny_shop import open_shop

PEOPLE = 20


def run_and_kill(
    home: Path, project: Path, run_id: str, version: int, point: str, on_pass: int = 1
) -> None:
    """Start a run that publishes `version`, and let it be killed at a point.

    Raises:
        AssertionError: the run ended otherwise.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.serving.killed_run", home, project, run_id, str(version),
         point, str(on_pass)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, (
        f"the run was not killed at {point} (exit {done.returncode}): {done.stderr[-2000:]}"
    )


def main(home: str, project: str, run_id: str, version: str, point: str, on_pass: str) -> None:
    """Run once, to the point."""
    with open_shop(Path(home), Path(project)) as shop:
        shop.version, shop.people = int(version), people_of(int(version))
        fault_points.arm(point, on_pass=int(on_pass))
        shop.run(run_id)


def people_of(version: int) -> int:
    """How many people there are in a version: even, and another number than in its neighbours."""
    return PEOPLE + 2 * (version % 7)


if __name__ == "__main__":
    main(*sys.argv[1:])
