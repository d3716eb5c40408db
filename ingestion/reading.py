"""One landing under way: its id, its clock, its count of rows.

Belongs here: what all readers of a load share. Does not belong here: any reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa

from cdp.config.sources import Source, Stream
from ingestion.envelope import INBOX, Read
from ingestion.events import FUTURE, event_verdicts
from ingestion.judging import BODY, RawRows, Verdicts, judge, refusal
from ingestion.rows import row_verdicts

JUDGED_AT_ONCE = 32 * 1024 * 1024
"""Bytes of rows that are handed to the engine together: enough that its start costs nothing."""


@dataclass
class Reading:
    """A load of one source.

    Attributes:
        desk: where rows are judged, before they are in the warehouse.
        ordinal: number that the next row read takes; rows of a load count from 0.
        reads: what the readers say that they have read, file by file.
        rows_read: rows of each stream that comes from a server, page by page or batch by batch.
    """

    source: Source
    load_id: str
    now: datetime
    as_of: datetime
    desk: duckdb.DuckDBPyConnection
    ordinal: int = 0
    reads: list[Read] = field(default_factory=list)
    rows_read: Counter[str] = field(default_factory=Counter)
    _waiting: list[tuple[RawRows, pa.Array]] = field(default_factory=list)
    _waiting_bytes: int = 0
    _refused: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    _stream: str = ""

    @property
    def delimiter(self) -> str:
        """What parts the columns of the source's CSV files."""
        return str(self.source.options.get("delimiter", ","))

    @property
    def latest(self) -> datetime:
        """The moment up to which a row may lie (naive UTC): a little ahead of all clocks."""
        return max(self.now, self.as_of) + FUTURE

    def add(self, rows: RawRows, stream: str) -> Iterator[pa.Table]:
        """Take rows in; yield inbox tables when enough have come together to be judged at once."""
        count = len(rows.texts)
        if not count:
            return
        if self._waiting and self._stream != stream:
            yield from self.flush()
        self._stream = stream
        ordinals = pa.array(np.arange(self.ordinal, self.ordinal + count), pa.int64())
        self.ordinal += count
        self._waiting.append((rows, ordinals))
        self._waiting_bytes += rows.texts.nbytes
        if self._waiting_bytes >= JUDGED_AT_ONCE:
            yield from self.flush()

    def refuse(self, stream: str, position: str, reason: str, raw_bytes: bytes) -> None:
        """Take in a row that its reader could not make out."""
        row = refusal(ordinal=self.ordinal, position=position, reason=reason, raw_bytes=raw_bytes)
        self.ordinal += 1
        self._refused.append((stream, row))

    def flush(self) -> Iterator[pa.Table]:
        """Judge what is waiting."""
        if self._waiting:
            rows = RawRows(
                pa.concat_arrays([each.texts for each, _ in self._waiting]),
                pa.concat_arrays([each.positions for each, _ in self._waiting]),
            )
            ordinals = pa.concat_arrays([each for _, each in self._waiting])
            self._waiting, self._waiting_bytes = [], 0
            verdicts = self._verdicts(self.source.streams[self._stream])
            yield self.enveloped(judge(rows, ordinals, self.desk, verdicts), self._stream)
        for stream, row in self._refused:
            yield self.enveloped(pa.Table.from_pylist([row], schema=BODY), stream)
        self._refused = []

    def _verdicts(self, stream: Stream) -> Verdicts:
        if stream.format == "segment":
            return event_verdicts(self.now, self.as_of)
        zone = str(self.source.options.get("timezone", "UTC"))
        return row_verdicts(stream, self.now, self.as_of, zone)

    def enveloped(self, body: pa.Table, stream: str) -> pa.Table:
        """Judged rows as a table of the inbox."""
        count = len(body)
        constants = {"load_id": self.load_id, "stream": stream}
        columns = [
            pa.repeat(pa.scalar(constants[each.name], pa.string()), count)
            if each.name in constants
            else body[each.name]
            for each in INBOX
        ]
        return pa.table(columns, schema=INBOX)

    def reads_tables(self) -> Iterator[pa.Table]:
        """What was read, for the account of the load; taken after the rows."""
        servers = [Read(self.load_id, name, None, rows) for name, rows in self.rows_read.items()]
        for read in [*self.reads, *servers]:
            yield read.table()
