"""Fixtures of the tests of order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.orchestration.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A web server that alerts are sent to."""
    with receiving() as receiver:
        yield receiver
