"""The form in which every row of every source lands.

Belongs here: the columns of the inbox, the reasons for which a row is quarantined, and the size
limits. Does not belong here: reading or judging any format.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

MAX_ROW_BYTES = 4 * 1024 * 1024
"""A row larger than this is quarantined as too_large; no collector accepts a hundredth of it."""

MAX_DEPTH = 50
"""Objects and lists nested deeper than this are quarantined as too_deep."""

MAX_ID_CHARACTERS = 255
"""A message id longer than this is nobody's id."""

REASONS: dict[str, str] = {
    "malformed_json": "The row is not JSON text.",
    "malformed_row": "The row does not have the columns that the file's header names.",
    "not_an_object": "The row is JSON, but a bare value or a list instead of an object.",
    "invalid_utf8": "The row holds bytes that are not UTF-8 text.",
    "nul_byte": "The row holds the character NUL, which no warehouse keeps.",
    "too_deep": f"Objects and lists are nested deeper than {MAX_DEPTH} levels.",
    "too_large": f"The row is larger than {MAX_ROW_BYTES:,} bytes.",
    "duplicate_key_in_object": "A key stands twice in the row, or in an object of it that is read: "
    "what it holds depends on who reads it.",
    "unknown_type": "The type is none of identify, track, page, screen, group and alias.",
    "missing_identity": "The event says of nobody: no user id, device id or e-mail address.",
    "bad_message_id": "The message id is no text or number, or too long.",
    "unreadable_time": "The time of the event cannot be read.",
    "time_out_of_range": "The time of the event lies before 1970 or too far in the future.",
    "missing_key": "A column that identifies the row is missing or empty.",
    "type_mismatch": "A column holds what cannot be read as the type that the contract gives it.",
    "key_conflict": "A row of the same key has landed before, with other content.",
    "truncated_file": "The file ends in the midst of a row or of its compression.",
    "too_large_unpacked": "A part of the file that is read as one is larger than 2 GiB, unpacked.",
    "unreadable_file": "The file is not of the declared format.",
}
"""Every reason by its code, as `raw.quarantine` names it."""

INBOX = pa.schema(
    [
        ("load_id", pa.string()),
        ("ordinal", pa.int64()),
        ("stream", pa.string()),
        ("row_key", pa.string()),
        ("position", pa.string()),
        ("occurred_at", pa.timestamp("us")),
        ("received_at", pa.timestamp("us")),
        ("payload", pa.string()),
        ("payload_hash", pa.string()),
        ("is_deleted", pa.bool_()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("raw_bytes", pa.binary()),
        ("replay_of", pa.string()),
    ]
)
"""Grain: one row per row read. `reason` is null for a row that may land; `ordinal` counts the rows
of a load in the order of reading, and (load_id, ordinal) tells a row that the loader wrote twice
after a kill from one that the source delivered twice."""

READS = pa.schema(
    [
        ("load_id", pa.string()),
        ("stream", pa.string()),
        ("path", pa.string()),
        ("rows_read", pa.int64()),
        ("size", pa.int64()),
        ("modified_at", pa.timestamp("us")),
        ("fingerprint", pa.string()),
        ("whole_rows", pa.int64()),
        ("state", pa.string()),
    ]
)
"""Grain: one row per file or stream that a load has read, with the reader's own count of rows."""


@dataclass(frozen=True)
class Read:
    """What a reader says of one file or stream, independently of what became of its rows."""

    load_id: str
    stream: str
    path: str | None
    rows_read: int
    size: int | None = None
    modified_at: object = None
    fingerprint: str | None = None
    whole_rows: int | None = None
    state: str | None = None

    def table(self) -> pa.Table:
        """The one-row table of `READS`."""
        values = {field.name: [getattr(self, field.name)] for field in READS}
        return pa.table(values, schema=READS)


def empty_inbox() -> pa.Table:
    """A table of `INBOX` without rows."""
    return INBOX.empty_table()
