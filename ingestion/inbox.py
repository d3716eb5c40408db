"""What the inbox of a source is called.

Belongs here: names that the loader and the promotion share. Does not belong here: dlt, which takes
a second to import and is not needed where there is nothing to load.
"""

from __future__ import annotations

INBOX_DATASET = "landing"


def inbox_table(source: str) -> str:
    """Name of the inbox of a source, in schema `landing`."""
    return f"inbox_{source}"


def reads_table(source: str) -> str:
    """Name of the table of a source's reads, in schema `landing`."""
    return f"reads_{source}"


def pipeline_name(source: str) -> str:
    """Name of the source's pipeline, and of its folder below the data home."""
    return f"tributary_{source}"
