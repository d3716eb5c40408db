"""What is costly to make and only looked at or copied, made once for all processes of a test run.

Belongs here: letting the first process that asks make it while others wait. Does not belong here:
what is made.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

Made = TypeVar("Made")


def made_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]
) -> tuple[Path, Made]:
    """A folder and what was told of its making, shared by all processes of the test run.

    Args:
        name: of the folder; whoever gives the same name gets the same folder.
        make: fills the empty folder; what it returns is kept beside it.
    """
    base = factory.getbasetemp()
    # A process of xdist has a folder of its own in that of the whole run.
    if base.name.startswith("popen-"):
        base = base.parent
    folder, told = base / f"once-{name}", base / f"once-{name}.pickle"
    with FileLock(base / f"once-{name}.lock"):
        if not told.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            told.write_bytes(pickle.dumps(make(folder)))
    made: Made = pickle.loads(told.read_bytes())  # noqa: S301 - written by this test run
    return folder, made
