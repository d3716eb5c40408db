"""Sets as files: the shelf of the embedded engine.

Belongs here: a set as a folder with DuckDB files for each role, built on the one before where that
may be. Does not belong here: how a file is written (`cdp.warehouse.set_files`), how folders lie on
disk and the pointer moves (`cdp.warehouse.serving_sets`), whether a set may be published.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import duckdb

from cdp.config.personal_data import Column
from cdp.config.roles import SECTIONS
from cdp.warehouse import manifest as manifests
from cdp.warehouse.engines.embedded import CATALOG
from cdp.warehouse.fault_points import reached
from cdp.warehouse.manifest import DamagedSet, FileContent, Manifest, read_manifest
from cdp.warehouse.model_catalogue import Catalogue, warehouse_columns
from cdp.warehouse.served_views import staying
from cdp.warehouse.serving_sets import (
    accept,
    current_set,
    new_candidate,
    published_sets,
    remove_leftovers,
    remove_sets,
    sets_dir,
    swap,
)
from cdp.warehouse.set_files import SetWriter
from cdp.warehouse.shelf import (
    Candidate,
    Offer,
    Place,
    PublishedSet,
    RoleContent,
    ServedTable,
    Shelf,
    outdated,
)
from cdp.warehouse.store import Table, Warehouse


class FileShelf(Shelf):
    """The folder `serving` of the data home."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.settings = warehouse.settings

    def current(self) -> PublishedSet | None:
        path = current_set(self.settings)
        return _told(read_manifest(path)) if path else None

    def place_of(self, set_name: str) -> Path:
        return sets_dir(self.settings) / set_name

    def names(self) -> Collection[str]:
        return [path.name for path in published_sets(self.settings)]

    def served(self, names: Sequence[Table], catalogue: Catalogue) -> list[ServedTable]:
        columns: dict[Table, list[Column]] = {}
        for column in warehouse_columns(self.warehouse):
            columns.setdefault((column.schema, column.table), []).append(column)
        views = {
            (schema, name): sql
            for schema, name, sql in self.warehouse.rows(
                "SELECT schema_name, view_name, sql FROM duckdb_views() "
                f"WHERE database_name = '{CATALOG}' AND NOT internal"
            )
        }
        stay = staying(names, views, dialect="duckdb")
        return [
            ServedTable(
                schema,
                name,
                columns=tuple(columns[schema, name]),
                model=catalogue.get((schema, name)),
                view_sql=stay.get((schema, name)),
            )
            for schema, name in names
        ]

    def build(self, offer: Offer) -> Candidate:
        previous = None if offer.rewrite else self._buildable(offer)
        folder = new_candidate(self.settings)
        try:
            writer = SetWriter(
                self.warehouse,
                offer.personal_data,
                about=_about(offer),
                run_id=offer.run.run_id,
                previous=previous[0] if previous else None,
                previous_files=previous[1].roles if previous else {},
                untouched=frozenset(offer.untouched if self._is_of_last_run(previous) else ()),
            )
            content: dict[str, dict[str, FileContent]] = {}
            ways: dict[str, str] = {}
            for role in offer.roles.values():
                for section in SECTIONS:
                    report = writer.write(folder, role, section, offer.tables[role.name, section])
                    content.setdefault(role.name, {})[f"{section}.duckdb"] = report.content
                    ways[f"{role.name}/{section}.duckdb"] = report.way
                    reached("publish.after_file")
            manifest = Manifest(
                set_name=offer.set_name,
                run_id=offer.run.run_id,
                run_number=offer.run.run_number,
                as_of=offer.run.as_of,
                published_at=offer.published_at,
                landing_high_water=offer.landing_high_water,
                logic_hash=offer.logic_hash,
                masks=offer.masks,
                engine=duckdb.__version__,
                roles=content,
            )
            manifests.write_manifest(folder, manifest)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        rows = {
            role: {
                name: table.rows for file in files.values() for name, table in file.tables.items()
            }
            for role, files in content.items()
        }
        return Candidate(folder, _told(manifest), rows, ways)

    def discard(self, candidate: Candidate) -> None:
        shutil.rmtree(candidate.place, ignore_errors=True)

    def accept(self, candidate: Candidate) -> None:
        accept(_folder(candidate.place), self.place_of(candidate.says.set_name))

    def swap(self, set_name: str) -> None:
        swap(self.settings, self.place_of(set_name))

    def remove_leftovers(self) -> None:
        remove_leftovers(self.settings)

    def remove_old(self, current: str, kept: int) -> None:
        names = outdated(self.names(), current, kept)
        remove_sets(self.settings, [self.place_of(name) for name in names])

    def _buildable(self, offer: Offer) -> tuple[Path, Manifest] | None:
        """The current set, where a new one may take over from it what has not changed."""
        path = current_set(self.settings)
        if path is None:
            return None
        try:
            manifest = read_manifest(path)
        except DamagedSet:
            return None
        same = (
            manifest.format == manifests.FORMAT
            and manifest.logic_hash == offer.logic_hash
            and manifest.masks == offer.masks
            and manifest.engine == duckdb.__version__
            and all(
                (path / role / name).is_file()
                and (path / role / name).stat().st_size == content.bytes
                for role, files in manifest.roles.items()
                for name, content in files.items()
            )
        )
        return (path, manifest) if same else None

    def _is_of_last_run(self, previous: tuple[Path, Manifest] | None) -> bool:
        """Whether a set is that of the run which this warehouse published last.

        It is not where the warehouse was restored from a copy, or the sets were.
        """
        last = self.warehouse.rows(
            "SELECT run_id, published_set FROM governance.runs WHERE status = 'published' "
            "ORDER BY run_number DESC LIMIT 1"
        )
        return previous is not None and last == [(previous[1].run_id, previous[1].set_name)]


def _folder(place: Place) -> Path:
    assert isinstance(place, Path), "a set of files stands in a folder"
    return place


def _told(manifest: Manifest) -> PublishedSet:
    return PublishedSet(
        set_name=manifest.set_name,
        run_id=manifest.run_id,
        run_number=manifest.run_number,
        as_of=manifest.as_of,
        published_at=manifest.published_at,
        landing_high_water=manifest.landing_high_water,
        roles={
            role: RoleContent(
                tables=manifest.table_count(role),
                rows=manifest.rows(role),
                bytes=manifest.bytes(role),
            )
            for role in manifest.roles
        },
    )


# --- what every file says of itself ---------------------------------------------------------------


def _about(offer: Offer) -> dict[str, str]:
    """The SQL of the `about` tables that every file has."""
    return {
        "publication": _values(
            {
                "run_id": "VARCHAR",
                "run_number": "BIGINT",
                "as_of": "TIMESTAMP",
                "published_at": "TIMESTAMP",
                "set_name": "VARCHAR",
                "landing_high_water": "BIGINT",
                "tributary_version": "VARCHAR",
                "duckdb_version": "VARCHAR",
            },
            [
                (
                    offer.run.run_id,
                    offer.run.run_number,
                    offer.run.as_of,
                    offer.published_at,
                    offer.set_name,
                    offer.landing_high_water,
                    own_version(),
                    duckdb.__version__,
                )
            ],
        ),
        "freshness": _values(
            {
                "source": "VARCHAR",
                "description": "VARCHAR",
                "newest_landed_at": "TIMESTAMP",
                "newest_occurred_at": "TIMESTAMP",
                "complete_until": "TIMESTAMP",
                "fresh_within": "INTERVAL",
                "is_stale": "BOOLEAN",
            },
            list(_freshness(offer)),
        ),
    }


def _freshness(offer: Offer) -> Iterable[tuple[object, ...]]:
    for name, (description, known) in offer.freshness.items():
        yield (
            name,
            description,
            known.landed_at,
            known.occurred_at,
            known.complete_until,
            known.within,
            known.is_stale,
        )


def _values(columns: Mapping[str, str], rows: list[tuple[object, ...]]) -> str:
    """A query that gives the rows, typed."""
    listed = ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in rows)
    names = ", ".join(f"c{position}" for position in range(len(columns)))
    typed = ", ".join(
        f"CAST(c{position} AS {kind}) AS {name}"
        for position, (name, kind) in enumerate(columns.items())
    )
    return f"SELECT {typed} FROM (VALUES {listed}) AS v({names})"


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, timedelta):
        return f"to_seconds({value.total_seconds():.0f})"
    return "'" + str(value).replace("'", "''") + "'"


def own_version() -> str:
    """The version of this package."""
    try:
        return version("tributary")
    except PackageNotFoundError:
        # Run from a clone that was not installed.
        return "unknown"
