"""A database of matching's own: in memory, apart from the warehouse, without a way out.

Belongs here: opening it. Does not belong here: what is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def own_database(threads: int | None = None) -> Iterator[DuckDBPyConnection]:
    """An empty database that is gone afterwards.

    Args:
        threads: how many there are; None for as many as the machine has cores.
    """
    import duckdb

    # Nothing that stands in a record could make it read or write a file.
    config: dict[str, str | bool | int | float | list[str]] = {"enable_external_access": False}
    if threads is not None:
        config["threads"] = threads
    with duckdb.connect(":memory:", config=config) as con:
        yield con
