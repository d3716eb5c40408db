"""A database of matching's own: in memory, apart from the warehouse, without a way out.

Belongs here: opening it. Does not belong here: what is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_LIMITS: ContextVar[dict[str, int | str] | None] = ContextVar("limits", default=None)


@contextmanager
def limited(threads: int, memory: str) -> Iterator[None]:
    """Let databases that are opened inside the block take no more than a deployment allows its
    engine; `memory` as DuckDB reads it, such as `2GB`."""
    token = _LIMITS.set({"threads": threads, "memory_limit": memory})
    try:
        yield
    finally:
        _LIMITS.reset(token)


@contextmanager
def own_database(threads: int | None = None) -> Iterator[DuckDBPyConnection]:
    """An empty database that is gone afterwards.

    Args:
        threads: how many there are; None for as many as are allowed (`limited`), or else as the
            machine has cores.
    """
    import duckdb

    # Nothing that stands in a record could make it read or write a file.
    config: dict[str, str | bool | int | float | list[str]] = {"enable_external_access": False}
    config |= _LIMITS.get() or {}
    if threads is not None:
        config["threads"] = threads
    with duckdb.connect(":memory:", config=config) as con:
        yield con
