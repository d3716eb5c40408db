"""One bad row for the gate of each stage, in SQL that every engine is given.

Belongs here: planting it in the tables of a shop, and taking it back. Does not belong here: running
a gate; a fault for every check there is (`tests.expectations.faults`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from cdp.warehouse.store import Warehouse


class BadRow(NamedTuple):
    """A row that is wrong or gone.

    Attributes:
        sql: what plants it.
        fails: how the check of the table begins that must find it.
    """

    table: str
    sql: str
    fails: str


def _first(table: str, column: str, condition: str = "true") -> str:
    return f"{column} = (SELECT min({column}) FROM {table} WHERE {condition})"


_ORDERS, _SOMEBODY = "staging.stg_shop__orders", "identity.dim_identifiers"
_PROFILES, _MEMBERS = "profiles.dim_profiles", "segments.fct_segment_memberships"

BAD_ROWS = {
    "raw": BadRow(
        "raw.loads",
        "UPDATE raw.loads SET rows_read = rows_read + 1 WHERE source = 'shop'",
        "reconciles for every load",
    ),
    "staging": BadRow(
        _ORDERS,
        f"DELETE FROM {_ORDERS} WHERE {_first(_ORDERS, 'order_id')}",
        "has every key that has landed in stream orders",
    ),
    "identity": BadRow(
        _SOMEBODY,
        f"DELETE FROM {_SOMEBODY} WHERE {_first(_SOMEBODY, 'birth')}",
        "has every identifier that is somebody's own",
    ),
    "profiles": BadRow(
        _PROFILES,
        f"UPDATE {_PROFILES} SET rfm_monetary = 6 WHERE {_first(_PROFILES, 'profile_id')}",
        "scores from 1 to 5",
    ),
    "segments": BadRow(
        _MEMBERS,
        f"DELETE FROM {_MEMBERS} WHERE exited_at IS NULL AND "
        + _first(_MEMBERS, "profile_id", "exited_at IS NULL"),
        "has an open membership for every member by verdict",
    ),
}
"""By the stage whose gate must refuse it."""


@contextmanager
def planted(warehouse: Warehouse, bad: BadRow) -> Iterator[None]:
    """A bad row, until the end of the block; what gates record meanwhile is forgotten with it."""
    tables = (bad.table, "governance.gate_results")
    for number, table in enumerate(tables):
        warehouse.execute(f"CREATE TABLE governance.kept_{number} AS SELECT * FROM {table}")
    try:
        warehouse.execute(bad.sql)
        yield
    finally:
        for number, table in enumerate(tables):
            warehouse.execute(f"DELETE FROM {table} WHERE true")
            warehouse.execute(f"INSERT INTO {table} SELECT * FROM governance.kept_{number}")
            warehouse.execute(f"DROP TABLE governance.kept_{number}")
