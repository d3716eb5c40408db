"""Waits that are asked for in a test, none of which is made.

Belongs here: standing in for `time.sleep`, for the test's own threads alone. Does not belong here:
how long anything ought to wait.
"""

from __future__ import annotations

import threading
import time

import pytest


def waits_without_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each wait that is asked for from now on.

    A thread that was there before is another's: clients of services leave some behind that look
    around every second for as long as the process lives.
    """
    asked: list[float] = []
    others = {each.ident for each in threading.enumerate()} - {threading.get_ident()}
    sleep = time.sleep

    def ask(seconds: float) -> None:
        if threading.get_ident() in others:
            sleep(seconds)
        else:
            asked.append(seconds)

    monkeypatch.setattr(time, "sleep", ask)
    return asked
