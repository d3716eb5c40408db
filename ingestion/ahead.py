"""Work that runs ahead of whoever takes its results.

Belongs here: one thread that fills a short queue. Does not belong here: what is worked on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

_PATIENCE_SECONDS = 0.1


def ahead(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The same items in the same order, made in a thread of their own, up to `depth` in advance.

    An error of the items is raised where it would have been. When the taker stops early, so does
    the thread, and the items are closed in it.
    """
    waiting: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(depth)
    left = threading.Event()

    def put(what: tuple[T] | BaseException | None) -> bool:
        while not left.is_set():
            try:
                waiting.put(what, timeout=_PATIENCE_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again by whoever takes the items
            put(error)
        else:
            put(None)
        finally:
            close = getattr(items, "close", None)
            if close:
                close()

    maker = threading.Thread(target=make, name="ahead", daemon=True)
    maker.start()
    try:
        while (taken := waiting.get()) is not None:
            if isinstance(taken, BaseException):
                raise taken
            yield taken[0]
    finally:
        left.set()
        maker.join()
