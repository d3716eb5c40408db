"""Two hundred killed publications while readers read ten thousand times.

Belongs here: the long sweep, run by `make test-kill`. One kill at each point is in
tests/serving/test_kills.py, with every other test.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from cdp.warehouse.serving_sets import current_set
from cdp.warehouse.settings import PROJECT_ROOT
from tests.serving.killed_run import people_of, run_and_kill
from tests.serving.test_kills import PUBLISHING, SWAPPED, all_is_right, publish_version
from tests.serving.tiny_shop import open_shop, prepare_project, prepare_settings

KILLS = 200
READS = 10_000
SEED = 20_260_630
ALSO_IN_RECOVERY = ("publish.in_record", "publish.in_removal")


def test_no_reader_sees_a_mixed_set_or_is_refused_during_two_hundred_kills(
    tmp_path: Path,
) -> None:
    home, project, stop = tmp_path / "home", prepare_project(tmp_path / "p"), tmp_path / "stop"
    chosen = random.Random(SEED)
    version, published = 3, ["run1", "run2", "run3"]
    settings = prepare_settings(home)
    with open_shop(home, project) as shop:
        for number in (1, 2, 3):
            publish_version(shop, f"run{number}", number)
    readers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.serving.whole_set", home, role, stop],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role in ("analyst", "marketing")
    ]
    try:
        for number in range(KILLS):
            # Every point in turn; those that are passed several times, on any of the passes.
            point = PUBLISHING[number % len(PUBLISHING)]
            on_pass = chosen.randint(1, 4) if point == "publish.after_file" else 1
            version += 1
            run_and_kill(home, project, f"killed{number:03d}", version, point, on_pass)
            # Two points are passed when a run begins as well, in putting right what the killed
            # one before it left; that run got no further.
            current = current_set(settings)
            assert current is not None
            swapped = current.name.endswith(f"-killed{number:03d}")
            assert swapped == (point in SWAPPED) or point in ALSO_IN_RECOVERY
            if swapped:
                published.append(f"killed{number:03d}")
            # Mostly the next killed run has to recover by itself.
            if chosen.random() < 0.2:
                version += 1
                with open_shop(home, project) as shop:
                    shop.version, shop.people = version, people_of(version)
                    shop.run(f"whole{number:03d}")
                    published.append(f"whole{number:03d}")
                    all_is_right(shop, published)
    finally:
        stop.touch()
    reads = 0
    for reader in readers:
        out, errors = reader.communicate(timeout=120)
        assert reader.returncode == 0, errors
        seen = json.loads(out)
        assert seen["mixed"] == []
        assert seen["refused"] == []
        reads += seen["reads"]
    print(f"{KILLS} kills, {reads} reads, 0 mixed, 0 refused")
    assert reads >= READS
