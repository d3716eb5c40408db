"""The manifest of a published set: what lies in it, by hash, and which run it came from.

Belongs here: the shape of `manifest.json`, writing it durably, checking a set against it.
Does not belong here: building a set (`cdp.warehouse.set_files`), moving the pointer
(`cdp.warehouse.serving_sets`).
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

NAME = "manifest.json"

FORMAT = 1
"""Raised whenever files are laid out differently; a set of another format is never built on."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableContent(_Plain):
    """What one table of a file holds.

    Attributes:
        rows: how many rows.
        buckets: a checksum of each range of the table's key, as the warehouse held it; the whole
            table is one bucket where it has no numeric key. Comparing them with the warehouse
            tells what has changed since. None for a view.
    """

    rows: int
    buckets: dict[str, str] | None


class FileContent(_Plain):
    """One file of a role.

    Attributes:
        sha256: of its bytes.
        bytes: its size.
        whole_bytes: its size when it was last written from nothing; what it has grown by since is
            mostly space that deleted rows left.
        written_by: the run that wrote it: an earlier one than the set's where nothing has changed.
        tables: by `schema.table`.
    """

    sha256: str
    bytes: int
    whole_bytes: int
    written_by: str
    tables: dict[str, TableContent]


class Manifest(_Plain):
    """One published set. Times are UTC.

    Attributes:
        masks: a hash of what roles are shown, as it was declared when the set was written.
    """

    format: int = FORMAT
    set_name: str
    run_id: str
    run_number: int
    as_of: datetime
    published_at: datetime
    landing_high_water: int
    logic_hash: str
    masks: str = ""
    engine: str
    roles: dict[str, dict[str, FileContent]]

    def rows(self, role: str) -> int:
        """Rows of all tables of a role."""
        return sum(
            table.rows for file in self.roles[role].values() for table in file.tables.values()
        )

    def bytes(self, role: str) -> int:
        """Bytes of all files of a role."""
        return sum(file.bytes for file in self.roles[role].values())

    def table_count(self, role: str) -> int:
        """Tables and views that a role finds."""
        return sum(len(file.tables) for file in self.roles[role].values())


class DamagedSet(RuntimeError):
    """A published set is not what its manifest says; names the file."""


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and sync it."""
    path = folder / NAME
    path.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    sync(path)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a set.

    Raises:
        DamagedSet: it is missing or unreadable.
    """
    try:
        return Manifest.model_validate_json((folder / NAME).read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedSet(
            f"{folder.name}/{NAME} cannot be read ({type(error).__name__}); publish again"
        ) from error


def verify_set(folder: Path) -> None:
    """Compare every file of a set with its manifest.

    Raises:
        DamagedSet: a file is missing or its bytes are others than those that were published.
    """
    manifest = read_manifest(folder)
    for role, files in manifest.roles.items():
        for name, content in files.items():
            path = folder / role / name
            if not path.is_file():
                raise DamagedSet(f"{folder.name}/{role}/{name} is missing; publish again")
            if file_hash(path) != content.sha256:
                raise DamagedSet(
                    f"{folder.name}/{role}/{name} is not the file that was published: its bytes "
                    "have changed; publish again with every file written anew"
                )


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's entries, outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
