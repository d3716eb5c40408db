"""A copy of the warehouse that counts for nobody, and is gone afterwards.

Belongs here: taking the copy while nobody writes, the room that it needs, and its removal, also
where the process is told to end. Does not belong here: what is done with it
(`cdp.warehouse.rehearsal`), what a killed process has left (`cdp.warehouse.leftovers`).

It lies in the data home: on the same disk, under the same rights, and gone with it.
"""

from __future__ import annotations

import shutil
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock

from cdp.warehouse.leftovers import SCRATCH, remove, sweep
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import WarehouseBusy, held_warehouse

TIMES_ITS_SIZE = 2
"""Room that is asked for, in sizes of the warehouse: tables that are built anew stand beside those
that they replace."""

BESIDE = 64 * 1024**2
"""Bytes asked for beside that: the project, parsed, and what the engine keeps."""


class NoRoom(RuntimeError):
    """The disk has too little room for a copy: says how much is needed and how much there is."""


@contextmanager
def scratch_copy(settings: Settings, wait_seconds: float) -> Iterator[Settings]:
    """A data home with a copy of the embedded warehouse as it stands; removed at the end.

    The warehouse itself is held while it is copied, and not opened.

    Yields:
        the settings, with that home.

    Raises:
        WarehouseBusy: somebody else has the warehouse.
        NoRoom: the copy and what is built in it would not fit.
    """
    folder = settings.home / SCRATCH
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    home = folder / uuid.uuid4().hex
    lock = FileLock(home.with_suffix(".lock"))
    with _ended_as_by_a_person(), lock:
        try:
            home.mkdir(mode=0o700)
            copied = settings.model_copy(update={"home": home})
            with held_warehouse(settings, wait_seconds):
                _copy(settings, copied)
            yield copied
        finally:
            remove(home, Path(lock.lock_file))


def _copy(settings: Settings, copied: Settings) -> None:
    # A log that a killed run has left belongs to its file.
    files = [settings.warehouse_file, Path(f"{settings.warehouse_file}.wal")]
    found = [path for path in files if path.exists()]
    before = [_state(path) for path in found]
    needed = TIMES_ITS_SIZE * sum(size for size, _ in before) + BESIDE
    free = shutil.disk_usage(settings.home).free
    if free < needed:
        raise NoRoom(
            f"a copy of the warehouse, with what is built in it, needs {_size(needed)} below "
            f"{settings.home}, and {_size(free)} are free; make room, and try again"
        )
    for path in found:
        ending = path.name.removeprefix(settings.warehouse_file.name)
        shutil.copyfile(path, f"{copied.warehouse_file}{ending}")
    if [_state(path) for path in files if path.exists()] != before:
        raise WarehouseBusy(
            f"another program has written to {settings.warehouse_file} while it was copied; close "
            "it there"
        )


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _size(number: int) -> str:
    return f"{number / 1024**2:,.0f} MB"


@contextmanager
def _ended_as_by_a_person() -> Iterator[None]:
    """Signals to end are as Ctrl-C meanwhile, so that what is under way is put away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former: dict[int, Any] = {}
    try:
        for each in (signal.SIGTERM, signal.SIGHUP):
            former[each] = signal.signal(each, end)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
