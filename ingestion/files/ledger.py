"""Which files are to be read, and what has become of those that were.

Belongs here: listing a location, when a file is complete, and the comparison
with `raw.files`. Does not belong here: what stands in a file.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa

from cdp.config.declared import duration
from cdp.config.sources import Source, Stream
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import Warehouse

State = Literal["taken", "appended", "rewritten", "truncated", "incomplete"]

_UNFINISHED = re.compile(r"(^|/)[._][^/]*$|\.(tmp|part|partial|crdownload)$|(^|/)[._][^/]*/")
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_/]?(?:month=)?(\d\d)[-_/]?(?:day=)?(\d\d)")
"""A day in a path: 2026-06-01, 20260601, 2026/06/01, year=2026/month=06/day=01."""


@dataclass(frozen=True)
class FoundFile:
    """A file at a location. `path` is below the location; `modified_at` naive UTC."""

    path: str
    size: int
    modified_at: datetime
    open: Callable[[], BinaryIO]
    """Its bytes as they are stored."""


@dataclass(frozen=True)
class Task:
    """A file to read: from which line on, and why."""

    file: FoundFile
    stream: str
    state: State
    skip_lines: int = 0


@dataclass(frozen=True)
class Known:
    """What the ledger last said of a file."""

    size: int
    modified_at: datetime
    fingerprint: str
    whole_rows: int
    state: str


def credentials(source: Source, settings: Settings) -> Any:
    """What fsspec needs beyond the location: option `credentials`, secrets from the environment."""
    return source.option("credentials", settings)


def location(source: Source, settings: Settings) -> str:
    """The folder or bucket of a source; a folder of this machine as an absolute path."""
    place = str(source.option("location", settings, ""))
    if "://" not in place:
        return str(Path(place).expanduser().absolute())
    return place


def list_files(source: Source, stream: Stream, settings: Settings) -> list[FoundFile]:
    """All files of a stream in the order of their paths, unfinished ones left out."""
    place = location(source, settings)
    pattern = str(stream.files)
    if "://" in place:
        found = _in_bucket(place, pattern, credentials(source, settings))
    else:
        found = _in_folder(place, pattern)
    # A pattern with more than one `**` finds a file in more than one way.
    listed = {each.path: each for each in found if not _UNFINISHED.search(each.path)}
    return [listed[path] for path in sorted(listed)]


def _in_folder(folder: str, pattern: str) -> Iterator[FoundFile]:
    """Files of this machine. Some may go away while they are listed, and links may lead nowhere:
    neither keeps the others from being read.

    dlt's own listing takes four to eight times as long (0.2 ms a file and more), which was a good
    part of a run with nothing new where thousands of files have been read.
    """
    for path in glob.iglob(pattern, root_dir=folder, recursive=True):
        file = Path(folder, path)
        try:
            seen = file.stat()
        except OSError:
            continue
        if stat.S_ISREG(seen.st_mode):
            yield FoundFile(
                path.replace(os.sep, "/"),
                seen.st_size,
                _naive_utc(datetime.fromtimestamp(seen.st_mtime, UTC)),
                partial(_opened, file),
            )


def _opened(file: Path) -> BinaryIO:
    return file.open("rb")


def _in_bucket(place: str, pattern: str, given: Any) -> Iterator[FoundFile]:
    """Files of a bucket, as dlt lists and opens them."""
    # dlt takes seconds to import, which a look at settings should not pay.
    from dlt.sources.filesystem import filesystem

    options: dict[str, Any] = {"bucket_url": place, "file_glob": pattern}
    if isinstance(given, dict):
        parted = "credentials" in given or "kwargs" in given
        options["credentials"] = given.get("credentials") if parted else given
        options["kwargs"] = given.get("kwargs")
    for item in filesystem(**{key: value for key, value in options.items() if value is not None}):
        for each in item if isinstance(item, list) else [item]:
            yield FoundFile(
                str(each["relative_path"]).lstrip("/"),
                int(each["size_in_bytes"]),
                _naive_utc(each["modification_date"]),
                partial(each.open, mode="rb", compression="disable"),
            )


def _naive_utc(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp(), UTC).replace(tzinfo=None)


def is_complete(file: FoundFile, source: Source, now: datetime) -> bool:
    """Whether the file has been left alone for as long as the source's `settle` asks."""
    settle = duration(source.options.get("settle", "1 minute"))
    return now - file.modified_at >= settle if settle else True


def listing(source: Source, settings: Settings, now: datetime) -> str:
    """A digest of the complete files of a source: as long as it stays, a look at the ledger would
    find what it found before. Costs no look at the warehouse."""
    digest = hashlib.sha256()
    for name, stream in source.streams.items():
        for file in list_files(source, stream, settings):
            if is_complete(file, source, now):
                told = (name, file.path, file.size, file.modified_at.isoformat())
                digest.update(repr(told).encode())
    return digest.hexdigest()


def known_files(source: str, warehouse: Warehouse) -> dict[tuple[str, str], Known]:
    """The newest word of the ledger on each file, by (stream, path)."""
    if not warehouse.has_table("raw", "files"):
        return {}
    rows = warehouse.rows(
        "SELECT stream, path, size, modified_at, fingerprint, whole_rows, state FROM ("
        "SELECT *, row_number() OVER (PARTITION BY stream, path ORDER BY noticed_at DESC) AS nth "
        "FROM raw.files WHERE source = ?) AS noticed WHERE nth = 1",
        [source],
    )
    return {(stream, path): Known(*last) for stream, path, *last in rows}


def tasks(
    source: Source,
    warehouse: Warehouse,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Task]:
    """The files that have something to read.

    Without a range: files that are new, longer than they were, or other than they were. With one:
    those of its days again, whatever the ledger says of them.
    """
    known = known_files(source.name, warehouse)
    zone = ZoneInfo(str(source.options.get("timezone", "UTC")))
    touched: list[tuple[str, FoundFile, Known]] = []
    for name, stream in source.streams.items():
        for file in list_files(source, stream, warehouse.settings):
            if not is_complete(file, source, now):
                continue
            if since or until:
                if _in_range(file, since, until, zone):
                    yield Task(file, name, "taken")
                continue
            before = known.get((name, file.path))
            task = _against_ledger(file, name, before)
            if task is not None:
                yield task
            elif before and file.modified_at != before.modified_at:
                touched.append((name, file, before))
    if touched:
        _note_times(touched, source.name, warehouse)


def _note_times(
    touched: list[tuple[str, FoundFile, Known]], source: str, warehouse: Warehouse
) -> None:
    """Note that files were touched, so that their bytes are not looked through at every look; of
    all at once, as a change of a lake's table takes seconds."""
    rows = pa.table(
        {
            "stream": [stream for stream, _, _ in touched],
            "path": [file.path for _, file, _ in touched],
            "size": [before.size for _, _, before in touched],
            "fingerprint": [before.fingerprint for _, _, before in touched],
            "modified_at": pa.array(
                [file.modified_at for _, file, _ in touched], pa.timestamp("us")
            ),
        }
    )
    with warehouse.session() as session:
        session.lay("touched_files", rows)
        session.execute(
            "MERGE INTO raw.files AS held USING touched_files AS touched ON held.source = ? "
            "AND held.stream = touched.stream AND held.path = touched.path "
            "AND held.size = touched.size AND held.fingerprint = touched.fingerprint "
            "WHEN MATCHED THEN UPDATE SET modified_at = touched.modified_at",
            [source],
        )


def _against_ledger(file: FoundFile, stream: str, before: Known | None) -> Task | None:
    if before is None:
        return Task(file, stream, "taken")
    if file.size == before.size and file.modified_at == before.modified_at:
        return None
    if file.size < before.size:
        return Task(file, stream, "truncated")
    head = fingerprint(file, before.size)
    if head != before.fingerprint:
        return Task(file, stream, "rewritten")
    if file.size == before.size:
        # Touched, or copied again: the same bytes.
        return None
    return Task(file, stream, "appended", before.whole_rows)


def fingerprint(file: FoundFile, size: int) -> str:
    """SHA-256 of the first bytes of a file."""
    digest = hashlib.sha256()
    left = size
    with file.open() as opened:
        while left and (block := opened.read(min(left, 8 * 1024 * 1024))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _in_range(
    file: FoundFile, since: datetime | None, until: datetime | None, zone: ZoneInfo
) -> bool:
    """Whether a file is of the days of a range: those that its path names, from the first to the
    last of them, on the clocks of the source's zone; else the one on which it was written."""
    first, last = file.modified_at, file.modified_at
    days = sorted(day for found in _DAY.finditer(file.path) if (day := _day(found)))
    if days:
        first = _midnight(days[0], zone)
        last = _midnight(days[-1] + timedelta(days=1), zone) - timedelta(microseconds=1)
    return (since is None or last >= since) and (until is None or first < until)


def _day(found: re.Match[str]) -> date | None:
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The beginning of a day somewhere, in naive UTC."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return local.astimezone(UTC).replace(tzinfo=None)
