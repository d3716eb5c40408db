"""The Spark session of a deployment.

Belongs here: the properties that the project's answers depend on (zone, dialect, table format), and
starting the one session of the process with them. Does not belong here: any statement.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cdp.warehouse.settings import Settings

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
    catalogue = settings.spark_metastore_url or f"jdbc:derby:;databaseName={home}/catalogue;create=true"
    local = _LOCAL if settings.spark_master.startswith("local") else {}
    return {
        **_ANSWERS,
        **_DELTA,
        **local,
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
        "spark.driver.extraJavaOptions": f"-Dderby.stream.error.file={home}/derby.log",
        "spark.local.dir": str(home / "spill"),
        **settings.spark_conf,
    }


def start_session(settings: Settings) -> SparkSession:
    """The session of this process, started where there is none yet."""
    # Imported by who needs it: the package is a part that not every deployment has.
    from pyspark.sql import SparkSession

    # Its log repeats each error that is raised anyway, with whatever values its text holds.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    Path(settings.spark_dir).mkdir(parents=True, exist_ok=True)
    builder = SparkSession.builder.master(settings.spark_master)
    for name, value in session_properties(settings).items():
        builder = builder.config(name, value)
    session: SparkSession = builder.enableHiveSupport().getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    # The property of that name is read by `spark-submit` alone; workers would take any python3.
    session.sparkContext.pythonExec = session.conf.get("spark.pyspark.python")
    return session
