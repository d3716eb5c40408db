"""Published sets on disk: where they lie, which one is current, how the pointer moves.

    serving/
      current -> sets/00000042-3f9c1a7be012      the pointer
      sets/
        00000042-3f9c1a7be012/                   one set; never changed once it has this name
          manifest.json
          analyst/core.duckdb  analyst/facts.duckdb
          marketing/...
        .building-...                            a candidate under way
        .removing-...                            an old set on its way out

Belongs here: names, the atomic swap, removal. Does not belong here: what is inside a set
(`cdp.warehouse.set_files`), whether it may be published (`cdp.warehouse.publishing`).
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from cdp.warehouse.fault_points import reached
from cdp.warehouse.manifest import sync
from cdp.warehouse.settings import Settings

POINTER = "current"
_BUILDING = ".building-"
_REMOVING = ".removing-"


def sets_dir(settings: Settings) -> Path:
    """The folder of all sets."""
    return settings.serving_dir / "sets"


def current_set(settings: Settings) -> Path | None:
    """The set that the pointer names, under its own path; None before the first one."""
    try:
        target = os.readlink(settings.serving_dir / POINTER)
    except FileNotFoundError:
        return None
    folder = settings.serving_dir / target
    return folder if folder.is_dir() else None


def new_candidate(settings: Settings) -> Path:
    """An empty folder to build a set in, which no reader looks at."""
    path = sets_dir(settings) / f"{_BUILDING}{uuid.uuid4().hex}"
    path.mkdir(parents=True)
    return path


def accept(candidate: Path, path: Path) -> None:
    """Give a finished candidate its final name, durably."""
    for folder in sorted(each for each in candidate.iterdir() if each.is_dir()):
        sync(folder)
    sync(candidate)
    candidate.rename(path)
    sync(path.parent)


def swap(settings: Settings, path: Path) -> None:
    """Make a set the current one: one rename, so that a reader finds the old one or the new."""
    fresh = settings.serving_dir / f".{POINTER}-{uuid.uuid4().hex}"
    # Relative, so that the data home can be moved as a whole.
    fresh.symlink_to(path.relative_to(settings.serving_dir), target_is_directory=True)
    reached("publish.before_swap")
    os.replace(fresh, settings.serving_dir / POINTER)
    sync(settings.serving_dir)
    reached("publish.after_swap")


def published_sets(settings: Settings) -> list[Path]:
    """Sets under a final name, oldest first."""
    folder = sets_dir(settings)
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def remove_sets(settings: Settings, sets: Iterable[Path]) -> None:
    """Remove sets; a reader that has one open goes on reading it."""
    for path in sets:
        # Renamed first: a set under its own name is always whole.
        aside = path.with_name(f"{_REMOVING}{path.name}-{uuid.uuid4().hex[:8]}")
        path.rename(aside)
        reached("publish.in_removal")
        shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(settings: Settings) -> None:
    """Remove what killed runs left: candidates, sets half removed, pointers never swapped in.

    Only for the holder of the warehouse: nobody else is building then.
    """
    if not settings.serving_dir.is_dir():
        return
    for path in settings.serving_dir.glob(f".{POINTER}-*"):
        path.unlink(missing_ok=True)
    for pattern in (f"{_BUILDING}*", f"{_REMOVING}*"):
        for path in sets_dir(settings).glob(pattern):
            shutil.rmtree(path, ignore_errors=True)
