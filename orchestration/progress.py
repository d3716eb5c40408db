"""What a run tells whoever is watching it, step by step, besides Dagster's own event log.

Belongs here: the shape of one piece of news. Does not belong here: showing it (`cdp.commands`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

What = Literal[
    "waiting",
    "busy",
    "started",
    "untrained",
    "landed",
    "seeded",
    "model",
    "built",
    "gate",
    "published",
]


@dataclass(frozen=True)
class News:
    """One thing that has just happened.

    Attributes:
        what: its kind.
        name: the source, table, stage or set that it is about.
        ok: False where it went wrong.
        seconds: how long it took.
        detail: what the step reported, as it reported it.
    """

    what: What
    name: str
    ok: bool = True
    seconds: float = 0.0
    detail: Any = None


Listener = Callable[[News], None]


def deaf(news: News) -> None:
    """The listener of a run that nobody watches; Dagster's event log has it all anyway."""


_listener: ContextVar[Listener] = ContextVar("listener", default=deaf)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Let a listener hear the runs that begin inside the block; definitions know of none."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def whoever_listens() -> Listener:
    """The listener of a run that begins now."""
    return _listener.get()
