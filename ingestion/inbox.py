"""The inbox: where a source's rows wait for their promotion, as files or as tables.

Belongs here: where the rows of a source wait, letting a session read them, and taking them away
once raw has them. Does not belong here: dlt, which writes them and takes a second to import; what
becomes of the rows (`promotion`).

    <inbox>/<source>/rows/*.parquet     envelopes, columns of `envelope.INBOX`
    <inbox>/<source>/reads/*.parquet    what the readers counted, columns of `envelope.READS`

or, where the engine cannot read files of ours, the tables `rows` and `reads` of the schema
`inbox_<source>` of the warehouse.

A file is whole once the loader has no package under way: one that a kill cut off is written again
under its own name, so that no row can stand in the inbox twice. In a table it can: there a row is
known by its load and its place in it, and read once.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from cdp.warehouse.settings import Settings
from cdp.warehouse.store import Session, Warehouse
from ingestion import envelope

ROWS, READS = "rows", "reads"
"""Names of the two tables of a source's inbox."""

NOTES_KEPT = 20
"""dlt notes each load in a file of its own and never looks at old ones."""


class Waiting(Protocol):
    """What stood in an inbox when it was looked at; nothing else is promoted or taken away."""

    @property
    def rows(self) -> str | None:
        """What to select envelopes from; None where there are none."""

    @property
    def reads(self) -> str | None:
        """What to select from what was read; None where there is nothing."""

    def show(self, session: Session) -> None:
        """Let a session select from them."""

    def remove(self) -> None:
        """Take them away: they have been promoted."""


class _FileInbox(ABC):
    """An inbox of files."""

    @abstractmethod
    def files(self, table: str) -> list[str]:
        """Files of one of the two tables."""

    @abstractmethod
    def remove(self, files: list[str]) -> None:
        """Take files away whose rows have been promoted, and dlt's older notes."""


@dataclass(frozen=True)
class _Folder(_FileInbox):
    """An inbox on this machine, which is looked at in every run."""

    folder: Path

    def remove(self, files: list[str]) -> None:
        for each in files:
            Path(each).unlink(missing_ok=True)
        for note in sorted(self.folder.glob("_dlt_loads/*.jsonl"))[:-NOTES_KEPT]:
            note.unlink(missing_ok=True)

    def files(self, table: str) -> list[str]:
        return [str(path) for path in sorted((self.folder / table).glob("*.parquet"))]


@dataclass(frozen=True)
class _Bucket(_FileInbox):
    """An inbox in a bucket."""

    url: str

    def remove(self, files: list[str]) -> None:
        notes = self._found("_dlt_loads/*.jsonl")[:-NOTES_KEPT]
        store, _ = self._store()
        for each in [*files, *notes]:
            # Whoever was killed before may have taken it away.
            with suppress(FileNotFoundError):
                store.rm_file(each)

    def files(self, table: str) -> list[str]:
        return self._found(f"{table}/*.parquet")

    def _found(self, pattern: str) -> list[str]:
        store, folder = self._store()
        # What a listing before dlt wrote has seen is not believed.
        store.invalidate_cache()
        return sorted(store.unstrip_protocol(path) for path in store.glob(f"{folder}/{pattern}"))

    def _store(self) -> tuple[Any, str]:
        # Imported by who needs it, as few deployments do.
        from fsspec.core import url_to_fs

        store, folder = url_to_fs(self.url)
        return store, folder


_ROWS, _READS = "inbox_rows", "inbox_reads"
"""The files as relations of a session."""


class _WaitingFiles:
    def __init__(self, inbox: _FileInbox) -> None:
        self._inbox = inbox
        self._files = {_ROWS: inbox.files(ROWS), _READS: inbox.files(READS)}

    @property
    def rows(self) -> str | None:
        return _ROWS if self._files[_ROWS] else None

    @property
    def reads(self) -> str | None:
        return _READS if self._files[_READS] else None

    def show(self, session: Session) -> None:
        for name, files in self._files.items():
            if files:
                session.files(name, files)

    def remove(self) -> None:
        self._inbox.remove([*self._files[_ROWS], *self._files[_READS]])


class _WaitingRows:
    """Rows of tables. The warehouse is held and the loader idle, so nothing is added meanwhile."""

    def __init__(self, source: str, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        schema = inbox_schema(source)
        self._tables = {
            name: table
            for name in (ROWS, READS)
            if warehouse.has_table(schema, name)
            and warehouse.scalar(f"SELECT 1 FROM {(table := _table(schema, name))} LIMIT 1")
        }

    @property
    def rows(self) -> str | None:
        # A loader that was killed after its commit has written the same file twice.
        return self._read_once(ROWS, envelope.INBOX, "load_id, ordinal", _ROWS)

    @property
    def reads(self) -> str | None:
        return self._read_once(READS, envelope.READS, "load_id, stream, path", _READS)

    def _read_once(self, table: str, columns: pa.Schema, key: str, name: str) -> str | None:
        if table not in self._tables:
            return None
        # The loader chooses types of its own for moments.
        selected = ", ".join(
            f"CAST({each.name} AS TIMESTAMP) AS {each.name}"
            if pa.types.is_timestamp(each.type)
            else each.name
            for each in columns
        )
        return (
            f"(SELECT {selected} FROM (SELECT *, row_number() OVER (PARTITION BY {key} "
            f"ORDER BY load_id) AS nth FROM {self._tables[table]}) AS written WHERE nth = 1) "
            f"AS {name}"
        )

    def show(self, session: Session) -> None:
        """They are tables of the warehouse, which every session can read."""

    def remove(self) -> None:
        for table in self._tables.values():
            self._warehouse.execute(f"DELETE FROM {table} WHERE true")


def _table(schema: str, name: str) -> str:
    # Quoted: `rows` means something in more than one dialect.
    return f'{schema}."{name}"'


def inbox_schema(source: str) -> str:
    """The schema of a source's inbox, where that is tables of the warehouse."""
    return f"inbox_{source}"


def waiting(source: str, warehouse: Warehouse) -> Waiting:
    """What stands in the inbox of a source."""
    place = warehouse.settings.inbox
    if place is None:
        return _WaitingRows(source, warehouse)
    return _WaitingFiles(
        _Bucket(f"{place}/{source}") if "://" in place else _Folder(Path(place) / source)
    )


def inbox_url(place: str) -> str:
    """An inbox of files as dlt takes it."""
    return place if "://" in place else Path(place).absolute().as_uri()


def has_package(source: str, settings: Settings) -> bool:
    """Whether the loader has a package of the source on disk that is not in the inbox yet.

    Asked of dlt's folders, since making a pipeline to ask it takes longer than a landing that has
    nothing to do.
    """
    pipeline = settings.dlt_dir / pipeline_name(source)
    waiting = (pipeline / "normalize" / "extracted", pipeline / "load" / "normalized")
    return any(folder.is_dir() and any(folder.iterdir()) for folder in waiting)


def drop_unfinished(source: str, settings: Settings) -> None:
    """Remove what extractions left behind that failed or were killed: rows of people, which dlt
    keeps under names of its own, reads never again and nobody would look for.

    Only the writer may ask for this, while it extracts nothing.
    """
    folder = settings.dlt_dir / pipeline_name(source) / "normalize"
    if not folder.is_dir():
        return
    for each in folder.iterdir():
        # `extracted` has the packages that are whole; `.version` is a file.
        if each.is_dir() and each.name != "extracted":
            shutil.rmtree(each)


def drop_trace(source: str, settings: Settings) -> None:
    """Remove dlt's pickle of its last run, which has the text of any error in it."""
    (settings.dlt_dir / pipeline_name(source) / "trace.pickle").unlink(missing_ok=True)


def pipeline_name(source: str) -> str:
    """Name of the source's pipeline, and of its folder below the data home."""
    return f"tributary_{source}"
