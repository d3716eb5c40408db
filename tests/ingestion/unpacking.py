"""A process that reads what unpacks to far more than it may hold.

Belongs here: files of a few kB that unpack to hundreds of MB, read under a limit of memory. Does
not belong here: any assertion; what became of the rows goes to standard output.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.files.csv_rows import read_csv
from ingestion.files.lines import Ending, read_lines
from ingestion.files.tables import TableRows, read_json, read_parquet
from ingestion.judging import RawRows

MAY_GROW = 256 << 20
"""Bytes of memory above what the imports took."""

PIECE = gzip.compress(b"a" * (16 << 20))
"""16 MB in as many kB; members of gzip may stand one behind another."""


def _parquet(rows: int, text: str) -> bytes:
    """A file of some kB: a value that stands in each row is written once."""
    written = io.BytesIO()
    same = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [text])
    columns = {"Id": pa.array(range(rows), pa.int64()), "Mail": same}
    pq.write_table(pa.table(columns), written, store_schema=False)
    return written.getvalue()


FILES = {
    "line.csv.gz": [gzip.compress(b"Id,Mail\n1,a\n2,"), *[PIECE] * 24, gzip.compress(b"\n3,c\n")],
    "value.csv.gz": [gzip.compress(b'Id,Mail\n1,a\n2,"'), *[PIECE] * 24, gzip.compress(b'"\n3,c')],
    "text.json.gz": [gzip.compress(b'[{"Id":1},"'), *[PIECE] * 24, gzip.compress(b'",{"Id":3}]')],
    "line.ndjson.gz": [
        gzip.compress(b'{"Id":1}\n'),
        *[PIECE] * 24,
        gzip.compress(b'\n{"Id":3}\n'),
    ],
    "deep.json.gz": [gzip.compress(b'[{"Id":1},' + b"[" * (32 << 20) + b"]" * 9)],
    "wide.parquet": [_parquet(24_000, "a" * 12_000)],
}


def read(name: str, content: bytes, engine: duckdb.DuckDBPyConnection) -> Iterator[TableRows]:
    """The rows of a file of these bytes."""
    if ".parquet" in name:
        return read_parquet(io.BytesIO(content), name, engine, messages=False)
    if ".ndjson" in name:
        blocks = read_lines(io.BytesIO(content), Ending())
        return (TableRows(RawRows(block.lines, block.lines)) for block in blocks)
    if ".csv" in name:
        return read_csv(io.BytesIO(content), name, engine, Ending())
    return read_json(io.BytesIO(content), name, Ending())


def taken() -> int:
    """Bytes of memory that this process has of its own."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Read each file; say its rows, or how long they are, and why others were refused."""
    engine = duckdb.connect(config={"threads": 1})
    list(read("a.csv", b"Id\n1\n", engine))
    resource.setrlimit(resource.RLIMIT_DATA, (taken() + MAY_GROW, resource.RLIM_INFINITY))
    found = {}
    for name, pieces in FILES.items():
        told: list[str] = []
        rows = 0
        for batch in read(name, b"".join(pieces), engine):
            if ".parquet" in name:
                rows += len(batch.rows.texts)
                continue
            for row in batch.rows.texts.to_pylist():
                told.append(row.decode() if len(row) < 1_000 else f"{len(row)} bytes")
            told += [reason for _, reason, _ in batch.refused]
        found[name] = told or [f"{rows} rows"]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
