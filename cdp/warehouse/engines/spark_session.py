"""The Spark session of a deployment.

Belongs here: the properties that the project's answers depend on (zone, dialect, table format), and
starting the one session of the process with them. Does not belong here: any statement.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp.warehouse.settings import Settings, s3_endpoint

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.sources.default": "delta",
    # A table is dropped and made anew where a model changes its kind; what old files are kept for,
    # reading an older version, publishing does not need.
    "spark.databricks.delta.retentionDurationCheck.enabled": "true",
}

_ANSWERS = {
    # What a cast means must not depend on the machine.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}

_LOGGING = Path(__file__).with_name("spark-log4j2.properties")
_PATHS = "spark.hadoop.fs.s3a.path.style.access"
_JAVA = "spark.driver.extraJavaOptions"

_LOCAL = {
    # On one machine work in two parts is no faster in two hundred.
    "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 2)),
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def session_properties(settings: Settings) -> dict[str, str]:
    """The properties of the session: the project's own, then those of the deployment over them."""
    jars = ",".join(str(jar) for jar in sorted(settings.spark_jars.glob("*.jar")))
    home = settings.spark_dir
    catalogue = (
        settings.spark_metastore_url or f"jdbc:derby:;databaseName={home}/catalogue;create=true"
    )
    local = _LOCAL if settings.spark_master.startswith("local") else {}
    endpoint = s3_endpoint()
    return {
        **_ANSWERS,
        **_DELTA,
        **local,
        # On S3, Delta keeps order among the writers of one process; there is one that writes.
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        **({"spark.hadoop.fs.s3a.endpoint": endpoint, _PATHS: "true"} if endpoint else {}),
        "spark.app.name": "tributary",
        "spark.jars": jars,
        "spark.driver.extraClassPath": jars.replace(",", ":"),
        "spark.pyspark.python": sys.executable,
        "spark.sql.warehouse.dir": settings.lake,
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": catalogue,
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        "spark.driver.memory": settings.memory_limit.lower().removesuffix("b").removesuffix("i"),
        "spark.local.dir": str(home / "spill"),
        **settings.spark_conf,
        _JAVA: " ".join(
            [
                f"-Dderby.stream.error.file={home}/derby.log",
                f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}",
                settings.spark_conf.get(_JAVA, ""),
            ]
        ).strip(),
    }


@contextmanager
def session_of(settings: Settings) -> Iterator[SparkSession]:
    """The one session of this process, for the block.

    It ends with the block where its catalogue is embedded, which nobody else could open otherwise;
    inside `kept_running` it stays for the next one.
    """
    global _running
    if _running is not None and _running[0] != _identity(settings):
        stop_session()
    if _running is None:
        _running = _identity(settings), start_session(settings)
    try:
        yield _running[1]
    finally:
        if not _keepers and settings.spark_metastore_url is None:
            stop_session()


@contextmanager
def kept_running() -> Iterator[None]:
    """For a process that opens one lake several times and shares it with nobody meanwhile."""
    global _keepers
    _keepers += 1
    try:
        yield
    finally:
        _keepers -= 1
        if not _keepers:
            stop_session()


_running: tuple[tuple[object, ...], SparkSession] | None = None
_keepers = 0


def _identity(settings: Settings) -> tuple[object, ...]:
    return (settings.home, settings.spark_master, tuple(session_properties(settings).items()))


def start_session(settings: Settings) -> SparkSession:
    """Start the session of this process."""
    # Imported by who needs it: the package is a part that not every deployment has.
    from pyspark.sql import SparkSession

    # Nothing of pandas' passes between the two: rows go as Arrow tables.
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")

    # Its log repeats each error that is raised anyway, with whatever values its text holds.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    settings.spark_dir.mkdir(parents=True, exist_ok=True)
    for spilt in ("spill", "desk"):
        # Rows of people that a killed process has left, which nothing else would take away.
        shutil.rmtree(settings.spark_dir / spilt, ignore_errors=True)
    builder = SparkSession.builder.master(settings.spark_master)
    for name, value in session_properties(settings).items():
        builder = builder.config(name, value)
    session: SparkSession = builder.enableHiveSupport().getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    # The property of that name is read by `spark-submit` alone; workers would take any python3.
    session.sparkContext.pythonExec = session.conf.get("spark.pyspark.python") or sys.executable
    return session


def stop_session() -> None:
    """End the session, and let go of the embedded catalogue."""
    global _running
    if _running is None:
        return
    (_, session), _running = _running, None
    # The one way to close an embedded Derby is to ask for it and be told so by an exception.
    java: Any = session.sparkContext._jvm
    closing = java.java.sql.DriverManager
    session.stop()
    with suppress(Exception):
        closing.getConnection("jdbc:derby:;shutdown=true")
