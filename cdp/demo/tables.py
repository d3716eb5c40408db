"""The truth as Parquet files, for tests only.

Belongs here: the columns of the truth's files, and writing them chunk by chunk. Does not belong
here: finding anything out (`truth`).
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

_TIME = pa.timestamp("ms")

SCHEMAS = {
    "rows": pa.schema(
        [
            pa.field("source", pa.string()),
            pa.field("stream", pa.string()),
            pa.field("row_key", pa.string(), metadata={"is": "message id or primary key, or null"}),
            pa.field("file", pa.string(), metadata={"is": "file below the data home, or null"}),
            pa.field("line", pa.int64(), metadata={"is": "line of the file, from 1, or null"}),
            pa.field("person_id", pa.string()),
            pa.field("kind", pa.string(), metadata={"is": "person, internal or bot"}),
            pa.field(
                "determined", pa.bool_(), metadata={"is": "whether the data tells who it was"}
            ),
        ]
    ),
    "outcomes": pa.schema(
        [
            pa.field("source", pa.string()),
            pa.field("stream", pa.string()),
            pa.field("file", pa.string()),
            pa.field("line", pa.int64()),
            pa.field("row_key", pa.string()),
            pa.field("outcome", pa.string(), metadata={"is": "landed, duplicate or quarantined"}),
            pa.field("reason", pa.string()),
        ]
    ),
    "profiles": pa.schema(
        [
            pa.field("person_id", pa.string()),
            pa.field("kind", pa.string()),
            pa.field(
                "whole", pa.bool_(), metadata={"is": "whether all their traces are tied to them"}
            ),
            pa.field("first_seen", _TIME),
            pa.field("last_seen", _TIME),
            pa.field("event_count", pa.int64()),
            pa.field("order_count", pa.int64()),
            pa.field("total_spent", pa.decimal128(18, 4)),
            pa.field("first_purchase_date", _TIME),
            pa.field("last_purchase_date", _TIME),
        ]
    ),
    "sessions": pa.schema(
        [
            pa.field("anonymous_id", pa.string()),
            pa.field("person_id", pa.string(), metadata={"is": "whose device it is"}),
            pa.field("session_count", pa.int64()),
            pa.field("event_count", pa.int64()),
        ]
    ),
    "segments": pa.schema([pa.field("segment", pa.string()), pa.field("person_id", pa.string())]),
}


class TruthFiles:
    """Open files of the truth, each taking a batch at a time."""

    def __init__(self, folder: Path) -> None:
        self._writers = {
            name: pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd")
            for name, schema in SCHEMAS.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def add(self, name: str, columns: dict[str, Any]) -> None:
        """Append rows given as columns."""
        arrays = []
        for each in SCHEMAS[name]:
            column = columns[each.name]
            if not isinstance(column, pa.Array):
                column = pa.array(column, each.type)
            arrays.append(column.cast(each.type))
        self._writers[name].write_table(pa.table(arrays, schema=SCHEMAS[name]))


def repeated(value: str | None, count: int) -> pa.Array:
    """One value in every row."""
    return pa.array([value], pa.string()).take(pa.array([0] * count, pa.int32()))


def chosen(values: list[str | None] | list[str], numbers: Any) -> pa.Array:
    """Values by their numbers."""
    return pa.array(values, pa.string()).take(pa.array(numbers))
