"""Dagster's daemon and the run that it launched, killed: recovery needs nobody.

Belongs here: the deployment as a service manager runs it, the daemon with its queue, sensors and
workers, run by `make test-kill`. Does not belong here: jobs that a terminal runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

from cdp.warehouse.serving_sets import current_set
from cdp.warehouse.settings import PROJECT_ROOT, Settings
from orchestration.instance import WORKSPACE, lay_out_instance
from orchestration.running import prepare
from tests.services.reader import Reader
from tests.services.shop_run import settings_of
from tests.whole_way.deployments import before_delivery, published, raw_rows, run

RECOVERY_SECONDS = 60
PATIENCE_SECONDS = 180
Found = TypeVar("Found")


def start_daemon(settings: Settings, log: Path) -> subprocess.Popen[bytes]:
    """The daemon over a data home, in a process group of its own."""
    environment = {
        **os.environ,
        "CDP_HOME": str(settings.home),
        "DAGSTER_HOME": str(lay_out_instance(settings)),
    }
    with log.open("ab") as output:
        return subprocess.Popen(
            [
                str(Path(sys.executable).with_name("dagster-daemon")),
                *("run", "--workspace", str(WORKSPACE)),
            ],
            cwd=PROJECT_ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_for(look: Callable[[], Found | None], what: str) -> Found:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE_SECONDS} seconds for {what}")


def worker_of(daemon: subprocess.Popen[bytes], settings: Settings) -> psutil.Process | None:
    """The process of the run that holds its sign of life."""
    signs = {str(path) for path in (settings.dagster_dir / "alive").glob("*.lock")}
    for process in psutil.Process(daemon.pid).children(recursive=True):
        try:
            if signs & {each.path for each in process.open_files()}:
                return process
        except psutil.Error:
            continue
    return None


def test_a_killed_worker_and_a_killed_daemon_are_followed_by_a_good_set_unattended(
    tmp_path: Path,
) -> None:
    shop = before_delivery(tmp_path / "shop")
    twin, home = shop.delivered(tmp_path / "twin"), shop.delivered(tmp_path / "home")
    run(twin)
    settings, log = settings_of(home), tmp_path / "daemon.log"
    prepare(settings)
    before = current_set(settings)
    reader = Reader(settings)
    reader.start()
    daemon = start_daemon(settings, log)
    try:
        # The sensor on landing folders finds the delivery and launches the main job.
        worker = wait_for(lambda: worker_of(daemon, settings), "a run to be launched")
        worker.kill()
        worker.wait()
        worker = wait_for(lambda: worker_of(daemon, settings), "the run to be launched again")
        assert current_set(settings) == before
        os.killpg(daemon.pid, signal.SIGKILL)
        worker.kill()
        daemon.wait()
        assert current_set(settings) == before, "nothing was killed in its midst"
        started = time.monotonic()
        daemon = start_daemon(settings, log)
        wait_for(lambda: current_set(settings) != before, "the next good set")
        recovery = time.monotonic() - started
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
        reader.finish()
    print(f"published {recovery:.0f} s after the restart; {reader.reads} reads, none refused")
    assert reader.problems == []
    assert raw_rows(settings) == raw_rows(settings_of(twin))
    assert published(settings) == published(settings_of(twin))
    assert recovery <= RECOVERY_SECONDS
