"""What is said of two tables from two engines: nothing where they are alike, and else how."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tests.engines.copying import difference

NOON = datetime(2026, 6, 1, 12)


def table(value: Any, kind: pa.DataType) -> pa.Table:
    return pa.table({"v": pa.array([value], kind)})


NUMBER, TEXT = table(7, pa.int64()), table("7", pa.string())
MOMENT, TOLD = table(NOON, pa.timestamp("us")), table("2026-06-01 12:00:00", pa.string())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (NUMBER, table(7, pa.int32())),
        (NUMBER, table(7.0, pa.float64())),
        (NUMBER, table(Decimal(7), pa.decimal128(38, 9))),
        (TEXT, table("7", pa.large_string())),
        (TEXT, table("7", pa.dictionary(pa.int8(), pa.string()))),
        (MOMENT, table(NOON.replace(tzinfo=UTC), pa.timestamp("us", "UTC"))),
        (MOMENT, table(NOON, pa.timestamp("ns"))),
        (table([7], pa.list_(pa.int64())), table([7], pa.list_(pa.int32()))),
        (table(None, pa.string()), table(None, pa.null())),
    ],
)
def test_the_same_value_in_a_type_of_its_engine_is_no_difference(
    ours: pa.Table, theirs: pa.Table
) -> None:
    assert difference(ours, theirs) == difference(theirs, ours) == ""


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (NUMBER, TEXT, "v: a number here, a text there"),
        (TEXT, NUMBER, "v: a text here, a number there"),
        (MOMENT, TOLD, "v: a moment here, a text there"),
        (table(True, pa.bool_()), table("true", pa.string()), "v: a boolean here, a text there"),
        (table(True, pa.bool_()), table(1, pa.int64()), "v: a boolean here, a number there"),
        (
            table(date(2026, 6, 1), pa.date32()),
            table(datetime(2026, 6, 1), pa.timestamp("us")),
            "v: a day here, a moment there",
        ),
        (
            table([7], pa.list_(pa.int64())),
            table(["7"], pa.list_(pa.string())),
            "v: a list of number here, a list of text there",
        ),
    ],
)
def test_a_value_of_another_kind_is_told_though_a_cast_would_make_it_the_same(
    ours: pa.Table, theirs: pa.Table, said: str
) -> None:
    assert difference(ours, theirs) == said


def test_another_value_is_told_with_its_side() -> None:
    said = difference(NUMBER, table(8, pa.int64()))
    assert said.splitlines() == [
        "1 rows only here:",
        "  {'v': 7}",
        "1 rows only there:",
        "  {'v': 8}",
    ]
