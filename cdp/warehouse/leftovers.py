"""What killed processes have left in the data home: copies of rows that nobody else would remove.

Belongs here: telling what is in use from what is not, by the lock that stands beside it, and taking
the latter away. Does not belong here: who makes such folders, and for what.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock, Timeout

SCRATCH = "scratch"
"""The folder in the data home for copies of the warehouse, each a folder with a lock beside it."""


def sweep(folder: Path) -> None:
    """Remove the folders below this one whose locks (`<folder>.lock`) nobody holds."""
    for held in folder.glob("*.lock"):
        lock = FileLock(held)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        remove(held.with_suffix(""), held)
        lock.release()


def remove(folder: Path, lock: Path) -> None:
    """Remove a folder, and the file of its lock with it: where something of the folder has to stay,
    that stays too, so that the next sweep tries again."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        lock.unlink(missing_ok=True)
