"""Runs whose process is gone, ended in Dagster's record so that nobody waits for them.

Belongs here: telling a run that is under way from one that was killed. Does not belong here:
putting the warehouse right after a kill, which the next run does when it begins (`cdp.warehouse`).

Dagster takes a run for started until it says otherwise. One that was killed never does, and its
place in the pool would keep every later run in the queue for good. So the process of a run holds a
lock on a file while it lives: the operating system lets go of it however the process ends. Dagster
records the end of a run a moment after its process has let go, so that an end leaves a mark.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from cdp.warehouse.settings import Settings
from orchestration.alerting import tell_if_untold

WITHOUT_SIGN_SECONDS = 60
"""A run that shows no sign of life for so long after it has started was killed before its first
step; one that does so after its last step, before its end was recorded."""


@contextmanager
def alive(settings: Settings, run_id: str) -> Iterator[None]:
    """Show that the process of a run lives, for as long as the block lasts."""
    sign = _sign(settings, run_id)
    sign.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(sign, timeout=10):
        try:
            yield
        finally:
            _end(settings, run_id).touch()
            sign.unlink(missing_ok=True)


def end_lost_runs(settings: Settings, instance: dg.DagsterInstance) -> list[str]:
    """Record every run whose process is gone as failed, and tell people; return their ids."""
    lost = []
    _forget_old_ends(settings)
    under_way = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
    for record in instance.get_run_records(under_way):
        run = record.dagster_run
        sign = _sign(settings, run.run_id)
        if not sign.exists():
            # It has not come to its first step, or has just ended; neither takes long.
            since = _ended_at(settings, run.run_id) or record.start_time or time.time()
            if time.time() - since < WITHOUT_SIGN_SECONDS:
                continue
        elif _is_held(sign):
            continue
        now = instance.get_run_by_id(run.run_id)
        if now is None or now.is_finished:
            continue
        instance.report_run_failed(now, "The process of this run is gone: it was killed.")
        tell_if_untold(settings, instance, now)
        lost.append(run.run_id)
    return lost


def _is_held(sign: Path) -> bool:
    """Whether a process shows that it lives; if none does, the sign is taken away."""
    try:
        with FileLock(sign, timeout=0):
            sign.unlink(missing_ok=True)
    except Timeout:
        return True
    return False


def _ended_at(settings: Settings, run_id: str) -> float | None:
    """When a run let go of everything, if it did so lately."""
    try:
        return _end(settings, run_id).stat().st_mtime
    except FileNotFoundError:
        return None


def _forget_old_ends(settings: Settings) -> None:
    for mark in _end(settings, "any").parent.glob("*.ended"):
        with suppress(FileNotFoundError):
            if time.time() - mark.stat().st_mtime >= WITHOUT_SIGN_SECONDS:
                mark.unlink()


def _end(settings: Settings, run_id: str) -> Path:
    return settings.dagster_dir / "alive" / f"{run_id}.ended"


def _sign(settings: Settings, run_id: str) -> Path:
    return settings.dagster_dir / "alive" / f"{run_id}.lock"
