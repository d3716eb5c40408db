"""Arrow rows as tables of the engine, to be joined.

Belongs here: copying rows into a temporary table. Does not belong here: rows that are only read
once, which the engine takes from Arrow as they are.

A large join filters what it reads by a form (a Bloom filter) that DuckDB cannot hand to Arrow, and
fails. To be removed when it leaves that filter to itself.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

_ARRIVING = "arriving_rows"


def lay_table(cursor: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """Make a temporary table of the rows, in place of any other of that name."""
    cursor.register(_ARRIVING, rows)
    try:
        cursor.execute(f"CREATE OR REPLACE TEMPORARY TABLE {name} AS SELECT * FROM {_ARRIVING}")
    finally:
        cursor.unregister(_ARRIVING)
