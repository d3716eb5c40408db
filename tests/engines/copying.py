"""Carrying tables from one engine to another, and saying how two tables differ.

Belongs here: rows as Arrow tables, in the types that engines share. Does not belong here: which
tables ought to be alike.
"""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

SHOWN = 5


def copy_in(session: Any, name: str, rows: pa.Table) -> None:
    """Make a table of Spark from rows of DuckDB; times without a zone are UTC on both."""
    fields = [
        pa.field(
            field.name,
            pa.timestamp("us", "UTC") if pa.types.is_timestamp(field.type) else field.type,
        )
        for field in rows.schema
    ]
    frame = session.createDataFrame(rows.cast(pa.schema(fields)))
    frame.createOrReplaceTempView("copied")
    session.sql(f"create or replace table {name} using delta as select * from copied")
    session.catalog.dropTempView("copied")


def difference(ours: pa.Table, theirs: pa.Table, without: tuple[str, ...] = ()) -> str:
    """How two tables differ, nothing where they do not: columns, then rows that only one has."""
    names = [name for name in ours.column_names if name not in without]
    other = [name for name in theirs.column_names if name not in without]
    if sorted(names) != sorted(other):
        return f"columns {sorted(set(names) ^ set(other))} are not in both"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("ours", ours)
        connection.register("theirs", theirs)
        types = dict(
            connection.execute(
                "SELECT name, type FROM (DESCRIBE ours) AS d(name, type, a, b, c, e)"
            ).fetchall()
        )
        columns = ", ".join(
            f'CAST("{name}" AS {_shared(types[name])}) AS "{name}"' for name in names
        )
        found = []
        for one, another, side in (
            ("ours", "theirs", "only here"),
            ("theirs", "ours", "only there"),
        ):
            rows = connection.execute(
                f"SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {another}"
            ).fetchall()
            if rows:
                found.append(f"{len(rows)} rows {side}:")
                found += [f"  {dict(zip(names, row, strict=True))}" for row in rows[:SHOWN]]
    return "\n".join(found)


def _shared(kind: str) -> str:
    return {"HUGEINT": "DECIMAL(38, 0)", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP"}.get(kind, kind)
