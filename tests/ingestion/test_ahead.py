"""What is made ahead arrives as it was made: in order, with its errors, and no further than taken.

Belongs here: the thread and its queue. Does not belong here: landing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ingestion.ahead import ahead


def test_items_arrive_in_their_order() -> None:
    assert list(ahead(iter(range(100)))) == list(range(100))


def test_an_error_is_raised_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("gone")

    taken: list[int] = []
    with pytest.raises(KeyError, match="gone"):
        taken.extend(ahead(broken()))
    assert taken == [1]


def test_who_stops_taking_stops_the_making() -> None:
    closed = threading.Event()
    made: list[int] = []

    def endless() -> Iterator[int]:
        try:
            while True:
                made.append(len(made))
                yield made[-1]
        finally:
            closed.set()

    taker = ahead(endless(), depth=2)
    assert next(taker) == 0
    taker.close()  # type: ignore[attr-defined]
    assert closed.is_set()
    assert len(made) <= 5
