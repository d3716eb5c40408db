"""Spark for few rows and few seconds.

Belongs here: properties that cost a small test nothing of what it shows: what is compiled runs
once, so compiling it well takes longer than running it. Does not belong here: anything that answers
depend on. Two tests of `make test-engines` have a session as a deployment has it.
"""

from __future__ import annotations

SMALL = {
    # Rows of a test fill no second partition.
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    # Expressions are interpreted, not compiled: a fifth of the processor's time.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    # The first compiler alone takes a seventh of both; left to itself, it has room for so little
    # code that it is busy throwing code away.
    "spark.driver.extraJavaOptions": (
        "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
    ),
}
