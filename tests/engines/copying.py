"""Carrying tables from one engine to another, and saying how two tables differ.

Belongs here: rows as Arrow tables, in the types that engines share. Does not belong here: which
tables ought to be alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from cdp.warehouse.store import Table, Warehouse

if TYPE_CHECKING:
    from cdp.warehouse.engines.bigquery_store import BigQuery

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


def copy_to_bigquery(embedded: Warehouse, house: BigQuery) -> dict[Table, pa.Table]:
    """The shop's tables on BigQuery. A view is one there too, over the rows that it has here."""
    from cdp.warehouse.engines.bigquery_rows import load

    copied = house.make_scratch().partition(".")[2]
    rows = {}
    for schema, name in embedded.relations():
        if schema in ("later", "serving"):
            continue
        rows[schema, name] = embedded.arrow(f'SELECT * FROM {schema}."{name}"')
        if (schema, name) in embedded.views():
            load(house.client, rows[schema, name], f"acme-cdp.{copied}.{schema}__{name}")
            query = f"SELECT * FROM {copied}.{schema}__{name}"
            house.execute(f"CREATE VIEW {schema}.{name} AS {query}")
        else:
            load(house.client, rows[schema, name], f"acme-cdp.{schema}.{name}")
    return rows


def difference(ours: pa.Table, theirs: pa.Table, without: tuple[str, ...] = ()) -> str:
    """How two tables differ, nothing where they do not: columns, what these hold, then rows that
    only one has."""
    names = [name for name in ours.column_names if name not in without]
    other = [name for name in theirs.column_names if name not in without]
    if sorted(names) != sorted(other):
        return f"columns {sorted(set(names) ^ set(other))} are not in both"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("ours", ours)
        connection.register("theirs", theirs)
        types, others = (
            dict(
                connection.execute(
                    f"SELECT name, type FROM (DESCRIBE {side}) AS d(name, type, a, b, c, e)"
                ).fetchall()
            )
            for side in ("ours", "theirs")
        )
        # A cast would make a number of a text, and hide that the other engine has none.
        kinds = {
            name: tuple(
                NOTHING if pa.types.is_null(rows.schema.field(name).type) else family(typed[name])
                for rows, typed in ((ours, types), (theirs, others))
            )
            for name in names
        }
        if unlike := {name: two for name, two in kinds.items() if len({*two} - {NOTHING}) > 1}:
            return "\n".join(
                f"{name}: a {one} here, a {another} there"
                for name, (one, another) in unlike.items()
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


NOTHING = "null"
"""What a column without a value may be for Arrow, and a number for DuckDB."""

_FAMILIES = {
    "number": r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|BIGNUM",
    "text": r"VARCHAR|ENUM\(.*\)|UUID|JSON",
    "moment": r"TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?",
    "day": r"DATE",
    "boolean": r"BOOLEAN",
}


def family(kind: str) -> str:
    """What values of a type of DuckDB are, whatever their size: engines have sizes of their own."""
    if kind.endswith("[]"):
        return f"list of {family(kind[:-2])}"
    found = [name for name, types in _FAMILIES.items() if re.fullmatch(types, kind)]
    return found[0] if found else kind.partition("(")[0].lower()


def _shared(kind: str) -> str:
    return {"HUGEINT": "DECIMAL(38, 0)", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP"}.get(kind, kind)
