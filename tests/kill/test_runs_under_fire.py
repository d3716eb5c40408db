"""Runs killed again and again at points drawn by lot, until one of them gets through.

Belongs here: the long sweep over the whole way, run by `make test-kill`. One kill at some points is
in tests/whole_way/test_kills.py, with every other test.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

from cdp.demo.shop import generate
from cdp.warehouse.fault_points import POINTS
from tests.services.delivery import Deliveries
from tests.services.shop_run import settings_of
from tests.whole_way.deployments import published, raw_rows, run
from tests.whole_way.killed_job import run_and_kill

KILLS = int(os.environ.get("KILLS", "60"))
DELIVERIES = 3
SEED = 20_260_630
# How often each of these is passed in a run, at most.
LAST_PASS = {
    "models.after_model": 60,
    "models.before_stage": 4,
    "models.after_stage": 4,
    "gates.before_record": 5,
    "gates.after_record": 5,
    "publish.after_file": 4,
}


def test_deliveries_arrive_once_however_often_runs_are_killed(tmp_path: Path) -> None:
    chosen = random.Random(SEED)
    files, home, twin = tmp_path / "files", tmp_path / "home", tmp_path / "twin"
    generate(files, people=60, days=30)
    parts = Deliveries(files, home, seed=4).batches(DELIVERIES, shuffled=True)
    killed = 0
    for number, part in enumerate(parts, 1):
        for each in (home, twin):
            deliveries = Deliveries(files, each, seed=number)
            deliveries.deliver(part, repeat=True)
            deliveries.database_up_to(None)
        run(twin)
        if number == 1:
            # Readers have something to read from here on.
            run(home)
            continue
        while killed < KILLS * (number - 1) // (DELIVERIES - 1):
            point = chosen.choice(list(POINTS))
            killed += run_and_kill(home, point, chosen.randint(1, LAST_PASS.get(point, 1)))
            published(settings_of(home))
        run(home)
        assert raw_rows(settings_of(home)) == raw_rows(settings_of(twin))
        assert published(settings_of(home)) == published(settings_of(twin))
    print(f"{killed} kills, {DELIVERIES} deliveries, nothing lost, nothing doubled")
