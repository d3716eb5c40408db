"""Named points at which a run can be cut off, so that tests can kill it exactly there.

Belongs here: the list of points, in the order in which a run passes them, with what has just
happened at each; and arming one of them from inside the process. A process that arms none pays a
look into an empty dictionary. Nothing outside the process can arm a point, on purpose: a deployment
has no switch that kills it.
Does not belong here: the tests that kill (`tests/kill/`), or what recovery means at a point.

A test starts a child process that arms a point and then does what any run does::

    fault_points.arm("publish.after_swap")          # SIGKILL, the first time it is reached
    publish(warehouse, run, gate)
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

POINTS: dict[str, str] = {
    "landing.before_extract": "The load has its id; nothing has been read.",
    "landing.after_extract": "Rows stand in a package on disk; the inbox has none of them.",
    "landing.after_inbox": "A file of the package is in the inbox; the loader is not done with it.",
    "landing.before_promote": "The loader is done; raw has none of the rows.",
    "landing.in_promote": "Rows are written to raw inside a transaction that is not committed.",
    "landing.after_promote": "Raw has the rows and the load is recorded; the inbox has them still.",
    "landing.after_land": "The load is complete; the warehouse goes on to its next source.",
    "models.before_stage": "The stage is marked as building; none of its models has been built.",
    "models.after_model": "One model of the stage has just been built.",
    "models.after_stage": "All models of the stage are built; the stage is not marked as built.",
    "gates.before_record": "A gate's checks have run; their results are not recorded.",
    "gates.after_record": "A gate's results are recorded.",
    "publish.before_build": "The gates have been found passed; no file of the set exists.",
    "publish.after_file": "One file of the candidate is written and synced.",
    "publish.after_manifest": "The candidate has its manifest; it has not been validated.",
    "publish.after_validate": "The candidate is validated; it still has its temporary name.",
    "publish.after_rename": "The set has its final name; the pointer names the one before.",
    "publish.before_swap": "The new pointer exists under a temporary name.",
    "publish.after_swap": "The pointer names the new set; the warehouse does not know.",
    "publish.in_record": "The publication is written inside a transaction not yet committed.",
    "publish.after_record": "The publication is recorded; older sets are still on disk.",
    "publish.in_removal": "An older set has been moved aside and is about to be deleted.",
    "publish.after_removal": "Older sets are gone; the run is not closed.",
}
"""Every point by name: `<stage>.<where>`, and what is true of the disk there."""

Action = Callable[[], None]

_armed: dict[str, tuple[int, Action]] = {}


def kill() -> None:
    """End this process as a power cut would: no handler, no `finally`, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(name: str, action: Action = kill, *, on_pass: int = 1) -> None:
    """Do `action` when the point is reached for the `on_pass`-th time from now on.

    Raises:
        KeyError: no point has that name.
    """
    if name not in POINTS:
        raise KeyError(f"no fault point is called '{name}'; there are: {', '.join(POINTS)}")
    _armed[name] = (on_pass, action)


def disarm() -> None:
    """Forget every armed point."""
    _armed.clear()


def reached(name: str) -> None:
    """Say that the process is at a point; does nothing unless a test has armed it.

    Raises:
        KeyError: something is armed and no point has that name.
    """
    if not _armed:
        return
    if name not in POINTS:
        raise KeyError(f"no fault point is called '{name}'; declare it in {__name__}.POINTS")
    if name not in _armed:
        return
    remaining, action = _armed[name]
    if remaining > 1:
        _armed[name] = (remaining - 1, action)
        return
    del _armed[name]
    action()
