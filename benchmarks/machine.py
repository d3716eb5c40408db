"""What a measurement was made on, and how long a piece of work takes.

Belongs here: the machine, the versions, the clock. Does not belong here: any work that is measured.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
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
    """The most memory that this process has held by itself.

    What the system counts for `getrusage` goes on from the process that this one was started by.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    ((kilobytes,),) = [line.split()[1:2] for line in status.splitlines() if "VmHWM" in line]
    return round(int(kilobytes) / 2**20, 2)


def forget_peak_memory() -> None:
    """Let `peak_memory_gb` begin with what this process holds now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
