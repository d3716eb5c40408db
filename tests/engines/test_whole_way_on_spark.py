"""The whole way on a lake: what readers find is what they find with the embedded engine.

Full runs and increments with late and doubled rows, on a folder, on S3, and on a cluster whose two
workers are processes of their own. Minutes long: run by `make test-engines`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pyarrow.parquet as pq
import pytest

from cdp.demo import generate
from cdp.warehouse.settings import PROJECT_ROOT, Settings
from tests.engines.copying import difference
from tests.services.object_stores import Bucket
from tests.services.ports import free_port

pytestmark = [pytest.mark.engines, pytest.mark.slow]

ROLE = "marketing"
SMALL = {
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.adaptive.enabled": "false",
}
OF_THE_MACHINE = ("landed_at", "run_id", "changed_at")
"""Columns that tell when and by which run: no two runs have them alike."""

MOMENTS = ("2026-07-01T12:00:00Z", "2026-07-02T12:00:00Z", "2026-07-08T12:00:00Z")


def run(home: Path, moment: int, **environment: str) -> dict[str, Path]:
    """Run the whole way at a moment; the published tables by name."""
    folder = home / "seen" / f"{environment.get('CDP_TARGET', 'duckdb')}-{moment}"
    finished = subprocess.run(
        [sys.executable, "-m", "tests.engines.the_way", str(home), ROLE, str(folder)],
        cwd=PROJECT_ROOT,
        env={
            **os.environ,
            "CDP_AS_OF": MOMENTS[moment],
            "CDP_MEMORY_LIMIT": "2GB",
            "CDP_SPARK_CONF": json.dumps(SMALL),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    told = json.loads(finished.stdout.splitlines()[-1])
    assert told["success"], told["errors"]
    return {name: folder / f"{name}.parquet" for name in told["tables"]}


def differences(one: dict[str, Path], other: dict[str, Path]) -> dict[str, str]:
    assert set(one) == set(other)
    found = {
        name: difference(pq.read_table(one[name]), pq.read_table(other[name]), OF_THE_MACHINE)
        for name in one
    }
    return {name: told for name, told in found.items() if told}


def twins(folder: Path, people: int) -> tuple[Path, Path]:
    """Two homes that have been sent the same files."""
    embedded, lake = folder / "embedded", folder / "lake"
    generate(embedded, people=people, seed=11, days=60)
    shutil.copytree(embedded, lake)
    return embedded, lake


def held_back(home: Path) -> list[tuple[Path, Path]]:
    """Put every third file of events aside, whatever its day: where it is, and where it was."""
    files = sorted((home / "landing").rglob("*.ndjson.gz"))
    aside = []
    for number, file in enumerate(files[::3]):
        away = home / "aside" / f"{number}"
        away.parent.mkdir(exist_ok=True)
        file.rename(away)
        aside.append((away, file))
    return aside


def deliver(aside: list[tuple[Path, Path]]) -> None:
    """The files late, and some of them a second time under another name."""
    for number, (away, file) in enumerate(aside):
        away.rename(file)
        if number % 2:
            shutil.copyfile(file, file.with_name(f"again-{file.name}"))


@pytest.fixture
def engines(spark_settings: Settings) -> None:
    """Skips, with the reason, where Spark cannot be had."""


@pytest.mark.usefixtures("engines")
def test_a_lake_in_a_folder_answers_as_the_embedded_engine_does_run_after_run(
    tmp_path: Path,
) -> None:
    embedded, lake = twins(tmp_path, people=120)
    aside = [held_back(embedded), held_back(lake)]
    assert aside[0]
    for moment in range(3):
        if moment == 1:
            for files in aside:
                deliver(files[: len(files) // 2])
        if moment == 2:
            for files in aside:
                deliver(files[len(files) // 2 :])
        assert differences(run(embedded, moment), run(lake, moment, CDP_TARGET="spark")) == {}


@pytest.mark.usefixtures("engines")
def test_a_lake_on_s3_answers_as_the_embedded_engine_does(tmp_path: Path, s3: Bucket) -> None:
    embedded, lake = twins(tmp_path, people=30)
    seen = run(
        lake,
        0,
        CDP_TARGET="spark",
        CDP_LAKE_URL=f"{s3.url}/lake",
        AWS_ENDPOINT_URL=s3.endpoint,
        AWS_ACCESS_KEY_ID="emulated",
        AWS_SECRET_ACCESS_KEY="emulated",
        AWS_REGION="us-east-1",
    )
    assert differences(run(embedded, 0), seen) == {}
    assert not (lake / "lake").exists()


@pytest.mark.usefixtures("engines")
def test_a_cluster_of_two_workers_answers_as_the_embedded_engine_does(tmp_path: Path) -> None:
    embedded, lake = twins(tmp_path, people=30)
    with cluster(tmp_path / "cluster") as master:
        seen = run(lake, 0, CDP_TARGET="spark", CDP_SPARK_MASTER=master)
    assert differences(run(embedded, 0), seen) == {}


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A standalone cluster with two workers; the address of its master."""
    import pyspark

    folder.mkdir()
    program = Path(pyspark.__file__).parent / "bin" / "spark-class"
    port, page = free_port(), free_port()
    master = f"spark://127.0.0.1:{port}"
    each = ["org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "1g", master]
    commands = [
        ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port)]
        + ["--webui-port", str(page)],
        [*each, "--work-dir", str(folder / "one")],
        [*each, "--work-dir", str(folder / "two")],
    ]
    started = []
    try:
        for command in commands:
            started.append(
                subprocess.Popen(
                    [str(program), *command],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"},
                )
            )
        wait_for_workers(page)
        yield master
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait_for_workers(page: int, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urlopen(f"http://127.0.0.1:{page}/json/", timeout=2) as answer:
                if json.load(answer)["aliveworkers"] == 2:
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise TimeoutError("the two workers did not come up")
