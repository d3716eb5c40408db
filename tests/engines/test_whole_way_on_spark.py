"""The whole way on a lake: what readers find is what they find with the embedded engine.

Full runs and increments with late and doubled rows: of a shop, of a wholesaler's order lines, of a
lake on S3, and on a cluster whose two workers are processes of their own. Each takes many minutes,
so `make test-engines` runs them; what every change has to pass is `test_models_alike`.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pyarrow.parquet as pq
import pytest

from cdp.warehouse.settings import PROJECT_ROOT, Settings
from tests.engines.alike import answers_alike
from tests.engines.deliveries import (
    AT_THE_WHOLESALER,
    IN_THE_SHOP,
    Deliver,
    of_a_shop,
    of_a_wholesaler,
)
from tests.engines.small_spark import SMALL
from tests.services.object_stores import Bucket
from tests.services.ports import free_port
from tests.services.real_data import DataSets

pytestmark = [pytest.mark.engines, pytest.mark.slow]


def on_a_lake(
    folder: Path,
    deliver: Deliver,
    moments: Sequence[str],
    spark_conf: Mapping[str, str] = SMALL,
    config: Path | None = None,
    **environment: str,
) -> Path:
    """Compare the runs on a lake with the embedded engine's; the home of the lake."""
    spark = {"CDP_TARGET": "spark", "CDP_SPARK_CONF": json.dumps(dict(spark_conf)), **environment}
    return answers_alike(folder, deliver, moments, spark, config)


@pytest.fixture
def engines(spark_settings: Settings) -> None:
    """Skips, with the reason, where Spark cannot be had."""


@pytest.mark.usefixtures("engines")
def test_a_shop_on_a_lake_is_the_embedded_engines_run_after_run(tmp_path: Path) -> None:
    on_a_lake(tmp_path, of_a_shop(150), IN_THE_SHOP, spark_conf={})


@pytest.mark.usefixtures("engines")
def test_a_wholesaler_on_a_lake_is_the_embedded_engines_run_after_run(
    tmp_path: Path, real_data: DataSets
) -> None:
    lines = pq.read_table(real_data / "online_retail/order_lines.parquet")
    config = PROJECT_ROOT / "examples/online_retail"
    on_a_lake(tmp_path, of_a_wholesaler(lines), AT_THE_WHOLESALER, spark_conf={}, config=config)


@pytest.mark.usefixtures("engines")
def test_a_lake_on_s3_answers_as_the_embedded_engine_does(tmp_path: Path, s3: Bucket) -> None:
    home = on_a_lake(
        tmp_path,
        of_a_shop(30),
        IN_THE_SHOP[:2],
        CDP_LAKE_URL=f"{s3.url}/lake",
        AWS_ENDPOINT_URL=s3.endpoint,
        AWS_ACCESS_KEY_ID="emulated",
        AWS_SECRET_ACCESS_KEY="emulated",
        AWS_REGION="us-east-1",
    )
    assert not (home / "lake").exists()


@pytest.mark.usefixtures("engines")
def test_a_cluster_of_two_workers_answers_as_the_embedded_engine_does(tmp_path: Path) -> None:
    conf = {name: value for name, value in SMALL.items() if "adaptive" not in name}
    conf |= {"spark.sql.shuffle.partitions": "2", "spark.default.parallelism": "2"}
    with cluster(tmp_path / "cluster") as master:
        on_a_lake(
            tmp_path, of_a_shop(30), IN_THE_SHOP[:2], spark_conf=conf, CDP_SPARK_MASTER=master
        )


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
