"""Writing the files of a set: one role's `core` and `facts`.

Belongs here: copying tables with a role's masks, descriptions, the `about` schema, and doing no
more than what has changed since the set before. Does not belong here: which set is current, or
whether one may be published.

A file is made in one of three ways, by what has changed since the file of the set before:

- nothing: a hard link to it (facts alone: the core also says which run it is of);
- a little: a copy of it, in which the rows of changed keys are replaced;
- all, or the models' logic, or how files are written: from nothing.

What has changed is found by comparing content, not by believing change sets, so that a file is
right whatever was built, repaired or repeated since; only what a run has proved that it need not
touch is believed to be as it was: the warehouse's table is cut into ranges of
its numeric key, each with a checksum; ranges whose checksum is not that of the manifest are
compared row by row. DuckDB's own hash() will do here, since both sides are of one engine version.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from cdp.config.personal_data import PersonalData
from cdp.config.roles import Role
from cdp.warehouse.engines.embedded import CATALOG
from cdp.warehouse.manifest import FileContent, TableContent, file_hash, sync
from cdp.warehouse.served_views import views_last
from cdp.warehouse.shelf import ServedTable
from cdp.warehouse.store import Warehouse

_CANDIDATE = "candidate"
_BUCKET = 122_880
"""Keys in a range that the manifest has a checksum of: about one row group."""

_PARTS = 1_000_000
"""Changed ranges are cut into about this many parts to find what to replace. In a large table,
grouping by single keys costs several times as much as writing a changed row's neighbours too."""

_SMALL_SHARE = 0.3
"""Above this share of changed rows a table is written anew instead of patched."""

_BLOAT = 1.5
_SLACK = 8_000_000
"""A file is written anew when it has grown, since it was last whole, to this multiple of its size
and by more than these bytes."""


@dataclass
class FileReport:
    """How a file came to be, for the run's record."""

    content: FileContent
    way: str
    """linked, patched or written."""


@dataclass
class SetWriter:
    """Writes the files of one set.

    Attributes:
        warehouse: the store.
        personal_data: the map of personal columns.
        about: SQL of each table of the `about` schema that is the same for all files, by name.
        run_id: the run that the set is of.
        previous: folder of the set before and what its manifest says of each role's files, where
            they may be built on.
        untouched: `schema.table` of what the warehouse holds as it did when that set was written.
    """

    warehouse: Warehouse
    personal_data: PersonalData
    about: Mapping[str, str]
    run_id: str
    previous: Path | None = None
    previous_files: Mapping[str, Mapping[str, FileContent]] = field(default_factory=dict)
    untouched: Collection[str] = frozenset()
    _checksums: dict[str, dict[str, str]] = field(default_factory=dict)

    def write(
        self, folder: Path, role: Role, section: str, tables: Sequence[ServedTable]
    ) -> FileReport:
        """Write one file of a role into the candidate's folder, whole or by what has changed."""
        name = f"{section}.duckdb"
        path = folder / role.name / name
        _prepare_folder(path.parent, role)
        before = self.previous_files.get(role.name, {}).get(name)
        changed = self._changed(before, tables) if before else None
        if before is None or changed is None or _is_bloated(before):
            rows = self._write_whole(path, role, section, tables)
            way, whole = "written", 0
        elif not changed and section == "facts":
            assert self.previous is not None
            _link(self.previous / role.name / name, path)
            return FileReport(before, "linked")
        else:
            assert self.previous is not None
            shutil.copyfile(self.previous / role.name / name, path)
            rows = self._patch(path, role, section, tables, changed)
            way, whole = "patched", before.whole_bytes
        sync(path)
        size = path.stat().st_size
        content = FileContent(
            sha256=file_hash(path),
            bytes=size,
            whole_bytes=whole or size,
            written_by=self.run_id,
            tables={
                table.path: TableContent(
                    rows=rows[table.path],
                    buckets=None if table.view_sql else self._checksums_of(table),
                )
                for table in tables
            },
        )
        os.chmod(path, 0o444)
        return FileReport(content, way)

    # --- what has changed --------------------------------------------------------------------

    def _changed(
        self, before: FileContent, tables: Sequence[ServedTable]
    ) -> dict[str, list[str]] | None:
        """The buckets of each table that differ from the file before; None if tables do."""
        if set(before.tables) != {table.path for table in tables}:
            return None
        changed = {}
        for table in tables:
            known = before.tables[table.path].buckets
            if table.view_sql:
                if known is not None:
                    return None
                continue
            if known is None:
                return None
            if table.path in self.untouched:
                # Reading all of a large table would be most of what a run with nothing new does.
                self._checksums.setdefault(table.path, dict(known))
            now = self._checksums_of(table)
            different = [
                bucket for bucket in {**known, **now} if known.get(bucket) != now.get(bucket)
            ]
            if different:
                changed[table.path] = different
        return changed

    def _checksums_of(self, table: ServedTable) -> dict[str, str]:
        """Row count and checksum of each bucket of a table in the warehouse."""
        if table.path not in self._checksums:
            bucket = f"coalesce({_quoted(table.key)} // {_BUCKET}, -1)" if table.key else "0"
            rows = self.warehouse.rows(
                f"SELECT {bucket}, count(*), sum(hash({self._compared(table)})) "
                f"FROM {_source(table)} GROUP BY 1"
            )
            self._checksums[table.path] = {
                str(number): f"{count}:{total}" for number, count, total in rows
            }
        return self._checksums[table.path]

    def _compared(self, table: ServedTable) -> str:
        """The columns that a row is compared by.

        The row that a landing number names is never rewritten, so what a source sent in it, most
        of a fact's bytes, can only have changed together with the logic that reads it.
        """
        names = [
            _quoted(column.name)
            for column in table.columns
            if table.key != "landing_number" or self.personal_data.class_of(column) != "payload"
        ]
        return ", ".join(names)

    # --- writing -----------------------------------------------------------------------------

    def _write_whole(
        self, path: Path, role: Role, section: str, tables: Sequence[ServedTable]
    ) -> dict[str, int]:
        with self._attached(path) as cursor:
            for schema in sorted({table.schema for table in tables}):
                cursor.execute(f"CREATE SCHEMA {_CANDIDATE}.{_quoted(schema)}")
            for table in views_last(tables, dialect="duckdb"):
                if table.view_sql:
                    cursor.execute(
                        f"CREATE VIEW {_target(table)} ({_names(table)}) AS {table.view_sql}"
                    )
                else:
                    cursor.execute(
                        f"CREATE TABLE {_target(table)} AS "
                        f"SELECT {self._visible(table, role)} FROM {_source(table)}"
                    )
            cursor.execute("BEGIN TRANSACTION")
            for table in tables:
                _comment(cursor, table)
            cursor.execute("COMMIT")
            return self._finish(cursor, role, tables)

    def _patch(
        self,
        path: Path,
        role: Role,
        section: str,
        tables: Sequence[ServedTable],
        changed: Mapping[str, Sequence[str]],
    ) -> dict[str, int]:
        path.chmod(0o644)
        with self._attached(path) as cursor:
            for table in tables:
                if table.path in changed:
                    self._patch_table(cursor, role, table, changed[table.path])
            return self._finish(cursor, role, tables)

    def _patch_table(
        self,
        cursor: duckdb.DuckDBPyConnection,
        role: Role,
        table: ServedTable,
        buckets: Sequence[str],
    ) -> None:
        visible = self._visible(table, role)
        if table.key is None:
            self._replace(cursor, table, visible)
            return
        key, numbers = _quoted(table.key), ", ".join(buckets)
        total = _scalar(cursor, f"SELECT count(*) FROM {_target(table)}")
        part = f"coalesce({key} // {1 + total // _PARTS}, -1)"
        bucket = f"coalesce({key} // {_BUCKET}, -1) IN ({numbers})"
        # Both sides as the role sees them: what a mask hides makes no row differ.
        compared = self._compared(table)
        now, before = (
            f"SELECT {part} AS part, count(*) AS n, sum(hash({compared})) AS total "
            f"FROM {relation} WHERE {bucket} GROUP BY 1"
            for relation in (f"(SELECT {visible} FROM {_source(table)})", _target(table))
        )
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE changed_parts AS "
            f"SELECT coalesce(now.part, before.part) AS part FROM ({now}) AS now "
            f"FULL JOIN ({before}) AS before ON now.part = before.part "
            "WHERE now.n IS DISTINCT FROM before.n OR now.total IS DISTINCT FROM before.total"
        )
        picked = f"{part} IN (SELECT changed.part FROM temp.changed_parts AS changed)"
        leaving = _scalar(cursor, f"SELECT count(*) FROM {_target(table)} WHERE {picked}")
        if leaving > _SMALL_SHARE * total:
            self._replace(cursor, table, visible)
        else:
            cursor.execute(f"DELETE FROM {_target(table)} WHERE {picked}")
            cursor.execute(
                f"INSERT INTO {_target(table)} "
                f"SELECT {visible} FROM {_source(table)} WHERE {picked}"
            )
        cursor.execute("DROP TABLE temp.changed_parts")

    def _replace(self, cursor: duckdb.DuckDBPyConnection, table: ServedTable, visible: str) -> None:
        cursor.execute(
            f"CREATE OR REPLACE TABLE {_target(table)} AS SELECT {visible} FROM {_source(table)}"
        )
        _comment(cursor, table)

    def _finish(
        self, cursor: duckdb.DuckDBPyConnection, role: Role, tables: Sequence[ServedTable]
    ) -> dict[str, int]:
        """Write the `about` schema; return the rows of each table."""
        rows = {
            table.path: _scalar(cursor, f"SELECT count(*) FROM {_target(table)}")
            for table in tables
        }
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {_CANDIDATE}.about")
        for name, sql in self.about.items():
            cursor.execute(f"CREATE OR REPLACE TABLE {_CANDIDATE}.about.{name} AS {sql}")
        self._describe_tables(cursor, tables, rows)
        self._describe_columns(cursor, role, tables)
        return rows

    def _describe_tables(
        self,
        cursor: duckdb.DuckDBPyConnection,
        tables: Sequence[ServedTable],
        rows: Mapping[str, int],
    ) -> None:
        cursor.execute(
            f"CREATE OR REPLACE TABLE {_CANDIDATE}.about.tables "
            "(schema_name VARCHAR, table_name VARCHAR, description VARCHAR, row_count BIGINT)"
        )
        _insert(
            cursor,
            f"{_CANDIDATE}.about.tables",
            [(table.schema, table.name, table.description, rows[table.path]) for table in tables],
        )

    def _describe_columns(
        self, cursor: duckdb.DuckDBPyConnection, role: Role, tables: Sequence[ServedTable]
    ) -> None:
        cursor.execute(
            f"CREATE OR REPLACE TABLE {_CANDIDATE}.about.columns (schema_name VARCHAR, "
            "table_name VARCHAR, column_name VARCHAR, type VARCHAR, description VARCHAR, "
            "personal_data VARCHAR, is_shown BOOLEAN)"
        )
        described = []
        for table in tables:
            for column in table.columns:
                kind = self.personal_data.class_of(column)
                text = table.describe(column)
                described.append((*column, text, kind, role.sees_class(kind)))
        _insert(cursor, f"{_CANDIDATE}.about.columns", described)

    def _visible(self, table: ServedTable, role: Role) -> str:
        """The select list of a role: its columns in order, null of its type where it is masked."""
        return ", ".join(
            _quoted(column.name)
            if role.sees_class(self.personal_data.class_of(column))
            else f"CAST(NULL AS {column.type}) AS {_quoted(column.name)}"
            for column in table.columns
        )

    @contextmanager
    def _attached(self, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor that stands in the file; at the end the file is whole and has no log."""
        with self.warehouse.desk() as cursor:
            quoted = os.fspath(path).replace("'", "''")
            cursor.execute(f"ATTACH '{quoted}' AS {_CANDIDATE}")
            try:
                # Views name their tables without a catalogue, so that they work under whatever
                # name a reader attaches the file.
                cursor.execute(f"USE {_CANDIDATE}")
                yield cursor
                cursor.execute(f"CHECKPOINT {_CANDIDATE}")
            finally:
                cursor.execute(f"USE {CATALOG}")
                cursor.execute(f"DETACH {_CANDIDATE}")


def _prepare_folder(folder: Path, role: Role) -> None:
    """The folder of a role; shut to everybody else where the role has a group of its own."""
    folder.mkdir(exist_ok=True)
    if role.group:
        shutil.chown(folder, group=role.group)
        folder.chmod(0o750)


def _is_bloated(file: FileContent) -> bool:
    grown = file.bytes - file.whole_bytes
    return grown > _SLACK and file.bytes > _BLOAT * file.whole_bytes


def _comment(cursor: duckdb.DuckDBPyConnection, table: ServedTable) -> None:
    kind = "VIEW" if table.view_sql else "TABLE"
    cursor.execute(f"COMMENT ON {kind} {_target(table)} IS {_text(table.description)}")
    for column in table.columns:
        text = table.describe(column)
        if text:
            cursor.execute(
                f"COMMENT ON COLUMN {_target(table)}.{_quoted(column.name)} IS {_text(text)}"
            )


def _insert(
    cursor: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[object, ...]]
) -> None:
    """Insert rows by one statement: a list for each column."""
    if not rows:
        return
    columns = list(map(list, zip(*rows, strict=True)))
    cursor.execute(f"INSERT INTO {table} SELECT {', '.join(['unnest(?)'] * len(columns))}", columns)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Not every file system has hard links.
        shutil.copyfile(source, target)
        sync(target)
        target.chmod(0o444)


def _source(table: ServedTable) -> str:
    return f"{CATALOG}.{_quoted(table.schema)}.{_quoted(table.name)}"


def _target(table: ServedTable) -> str:
    return f"{_CANDIDATE}.{_quoted(table.schema)}.{_quoted(table.name)}"


def _names(table: ServedTable) -> str:
    return ", ".join(_quoted(column.name) for column in table.columns)


def _scalar(cursor: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = cursor.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def _quoted(name: str | None) -> str:
    return '"' + (name or "").replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
