"""How common values are, as it was when a model was trained.

Belongs here: counting values, and giving each value of the records to be scored its share. Does not
belong here: what follows from a share, which is Splink's.

The shares are part of the parameters, so that a pair's probability does not move when other people
come or go. Only of what `SHARED_BY` identifiers have is anything kept, and that as a hash; all
rarer values count alike, as common as one of them is that two strangers agree on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import pyarrow as pa

from cdp.config.matching import MatchingModel
from cdp.identity.matching.preparing import NODE, value_column
from cdp.identity.matching.splink_model import WITH_FREQUENCIES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SHARED_BY = 5
"""How many identifiers have a value that is kept."""


class Frequencies(TypedDict):
    """The shares of one attribute's values."""

    shared: dict[str, float]
    rare: float


def counted_attributes(model: MatchingModel) -> list[str]:
    """The attributes whose values' frequency counts."""
    return [name for name, kind in model.compare.items() if kind in WITH_FREQUENCIES]


def count(con: DuckDBPyConnection, rows: str, model: MatchingModel) -> dict[str, Frequencies]:
    """Count the values of a prepared table that the connection knows as `rows`."""
    found: dict[str, Frequencies] = {}
    for attribute in counted_attributes(model):
        column = value_column(attribute)
        total, shared, rare = con.execute(
            f"""
            WITH counted AS (
                SELECT {column} AS value, count(DISTINCT {NODE}) AS nodes FROM {rows}
                WHERE {column} IS NOT NULL GROUP BY ALL
            )
            SELECT
                (SELECT count(DISTINCT {NODE}) FROM {rows} WHERE {column} IS NOT NULL),
                list({{'value': {_hash("value")}, 'nodes': nodes}} ORDER BY {_hash("value")})
                    FILTER (WHERE nodes >= {SHARED_BY}),
                sum(nodes * nodes) FILTER (WHERE nodes < {SHARED_BY})
                    / sum(nodes) FILTER (WHERE nodes < {SHARED_BY})
            FROM counted
            """
        ).fetchall()[0]
        each = max(1, total or 0)
        found[attribute] = {
            "shared": {one["value"]: one["nodes"] / each for one in shared or ()},
            "rare": min(1.0, (rare or 1.0) / each),
        }
    return found


def shares(
    con: DuckDBPyConnection, rows: str, attribute: str, frequencies: Frequencies
) -> pa.Table:
    """Every value of an attribute in a prepared table with its share, as Splink reads them."""
    column = value_column(attribute)
    shared = frequencies["shared"]
    con.register(
        "shared_values",
        pa.table(
            {
                "hash": pa.array(list(shared), pa.string()),
                "share": pa.array(list(shared.values()), pa.float64()),
            }
        ),
    )
    try:
        return con.execute(
            f"""
            SELECT value AS {column}, coalesce(share, $rare) AS tf_{column}
            FROM (SELECT DISTINCT {column} AS value FROM {rows} WHERE {column} IS NOT NULL)
            LEFT JOIN shared_values ON hash = {_hash("value")}
            """,
            {"rare": frequencies["rare"]},
        ).to_arrow_table()
    finally:
        con.unregister("shared_values")


def _hash(value: str) -> str:
    return f"left(sha256({value}), 24)"
