"""What a measurement was made on, and how long a piece of work takes.

Belongs here: the machine, the versions, the clock. Does not belong here: any work that is measured.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "dlt", "dagster", "great-expectations", "pyarrow")


def described() -> dict[str, Any]:
    """The machine and the versions, as they stand beside every result."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processors": os.cpu_count(),
        "memory_gb": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "busy": round(os.getloadavg()[0], 1),
    }


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes, once."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_memory_gb() -> float:
    """The most memory that this process has held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
