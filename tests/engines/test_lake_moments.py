"""Moments of a lake are the warehouse's: of UTC and without a zone, however deep they stand."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from cdp.warehouse.engines.lake import _naive, _zoned

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "aware", "naive"),
    [
        (pa.timestamp("us", "UTC"), NOON, NOON.replace(tzinfo=None)),
        (
            pa.struct([("size", pa.int64()), ("at", pa.timestamp("us", "UTC"))]),
            {"size": 3, "at": NOON},
            {"size": 3, "at": NOON.replace(tzinfo=None)},
        ),
        (pa.list_(pa.timestamp("us", "UTC")), [NOON, None], [NOON.replace(tzinfo=None), None]),
    ],
    ids=["a column", "inside a struct", "inside a list"],
)
def test_a_moment_loses_its_zone_and_gets_it_back(
    kind: pa.DataType, aware: object, naive: object
) -> None:
    rows = pa.table({"told": pa.array([aware, None], kind), "other": ["a", "b"]})
    without = _naive(rows)
    assert without.column("told").to_pylist() == [naive, None]
    assert _zoned(without).schema == rows.schema
    assert _zoned(without).to_pylist() == rows.to_pylist()
