"""The inbox: Parquet files in which a source's rows wait for their promotion.

Belongs here: where the files of a source lie, which there are, and taking them away once raw has
their rows. Does not belong here: dlt, which writes them and takes a second to import; what becomes
of the rows (`promotion`).

    <inbox>/<source>/rows/*.parquet     envelopes, columns of `envelope.INBOX`
    <inbox>/<source>/reads/*.parquet    what the readers counted, columns of `envelope.READS`

A file is whole once the loader has no package under way: one that a kill cut off is written again
under its own name, so that no row can stand in the inbox twice.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cdp.warehouse.settings import Settings

ROWS, READS = "rows", "reads"
"""Names of the two tables of a source's inbox."""

NOTES_KEPT = 20
"""dlt notes each load in a file of its own and never looks at old ones."""


class Inbox(Protocol):
    """The inbox of one source."""

    def rows(self) -> list[str]:
        """Files of envelopes."""

    def reads(self) -> list[str]:
        """Files of what was read."""

    def remove(self, files: list[str]) -> None:
        """Take files away whose rows have been promoted."""


@dataclass(frozen=True)
class _Folder:
    """An inbox on this machine, which is looked at in every run."""

    folder: Path

    def rows(self) -> list[str]:
        return self._files(ROWS)

    def reads(self) -> list[str]:
        return self._files(READS)

    def remove(self, files: list[str]) -> None:
        for each in files:
            Path(each).unlink(missing_ok=True)
        for note in sorted(self.folder.glob("_dlt_loads/*.jsonl"))[:-NOTES_KEPT]:
            note.unlink(missing_ok=True)

    def _files(self, table: str) -> list[str]:
        return [str(path) for path in sorted((self.folder / table).glob("*.parquet"))]


@dataclass(frozen=True)
class _Bucket:
    """An inbox in a bucket."""

    url: str

    def rows(self) -> list[str]:
        return self._files(ROWS)

    def reads(self) -> list[str]:
        return self._files(READS)

    def remove(self, files: list[str]) -> None:
        notes = self._found("_dlt_loads/*.jsonl")[:-NOTES_KEPT]
        store, _ = self._store()
        for each in [*files, *notes]:
            # Whoever was killed before may have taken it away.
            with suppress(FileNotFoundError):
                store.rm_file(each)

    def _files(self, table: str) -> list[str]:
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


def inbox_of(source: str, settings: Settings) -> Inbox:
    """The inbox of a source."""
    if "://" in settings.inbox:
        return _Bucket(f"{settings.inbox}/{source}")
    return _Folder(Path(settings.inbox) / source)


def inbox_url(settings: Settings) -> str:
    """The inbox of all sources as dlt takes it."""
    return settings.inbox if "://" in settings.inbox else Path(settings.inbox).absolute().as_uri()


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
