"""Reading published sets: for people, notebooks, BI tools and services.

Belongs here: opening the current set of a role so that it can only be read, never mixed with
another set, and reaches nothing else on the machine. Does not belong here: the writer's warehouse
file, which no reader opens.

The rule is: resolve the pointer once, then open files below the set's own path. Whoever attaches
two files through the pointer can get one of the old set and one of the new.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from cdp.config.roles import SECTIONS
from cdp.warehouse.serving_sets import POINTER, current_set
from cdp.warehouse.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy

_TRIES = 5


class NothingPublished(LookupError):
    """There is no published set, or none for that role."""


def set_path(settings: Settings, role: str) -> Path:
    """The folder of a role in the current set, under the set's own path.

    Raises:
        NothingPublished: no set has been published, or it has no such role.
    """
    current = current_set(settings)
    if current is None:
        raise _nothing(settings)
    folder = current / role
    if not folder.is_dir():
        roles = ", ".join(sorted(path.name for path in current.iterdir() if path.is_dir()))
        raise NothingPublished(
            f"the current set has no role '{role}'; it has: {roles}; roles are declared in "
            "config/roles.yml and appear with the next publication"
        )
    return folder


def published_roles_of_files(settings: Settings) -> list[str]:
    """The roles that the current set has a folder for.

    Raises:
        NothingPublished: no set has been published.
    """
    current = current_set(settings)
    if current is None:
        raise _nothing(settings)
    return sorted(path.name for path in current.iterdir() if path.is_dir())


def _nothing(settings: Settings) -> NothingPublished:
    return NothingPublished(
        f"nothing has been published under {settings.serving_dir}; run the whole way first"
    )


def open_reader(settings: Settings, role: str) -> duckdb.DuckDBPyConnection:
    """Open the current set of a role for reading.

    Its files are attached as `core` and `facts`, and every schema is on the search path, so that
    tables go by their plain names. The connection stays on the set it was opened on, whatever is
    published later; open another one for the newest.

    Raises:
        NothingPublished: no set has been published, or it has no such role.
    """
    for attempt in range(_TRIES):
        folder = set_path(settings, role)
        try:
            return _open(folder)
        except duckdb.IOException:
            # A reader that was held up for so long that the set was removed meanwhile.
            if folder.is_dir() or attempt == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _open(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    try:
        path = []
        for section in SECTIONS:
            file = os.fspath(folder / f"{section}.duckdb").replace("'", "''")
            connection.execute(f"ATTACH '{file}' AS {section} (READ_ONLY)")
            path += [
                f"{section}.{schema}"
                for (schema,) in connection.execute(
                    "SELECT schema_name FROM duckdb_schemas() "
                    "WHERE database_name = ? AND NOT internal AND schema_name <> 'main' "
                    "ORDER BY schema_name = 'about', schema_name",
                    [section],
                ).fetchall()
            ]
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET search_path = '{','.join(path)}'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def reading_engine(settings: Settings, role: str, **options: Any) -> sqlalchemy.Engine:
    """An SQLAlchemy engine over the current set of a role, pooled or not.

    A pooled connection that was opened on an earlier set is thrown away when it is next taken from
    the pool, so each checkout stands on the set that was current at that moment, and stays on it
    until it is given back.
    """
    import sqlalchemy
    from duckdb_engine import ConnectionWrapper
    from sqlalchemy.pool import QueuePool

    def connect() -> ConnectionWrapper:
        return ConnectionWrapper(open_reader(settings, role))

    options.setdefault("poolclass", QueuePool)
    engine = sqlalchemy.create_engine("duckdb:///:memory:", creator=connect, **options)

    @sqlalchemy.event.listens_for(engine, "connect")
    def note_set(connection: Any, record: Any) -> None:
        record.info["set"], record.info["is_new"] = _set_of(connection), True

    @sqlalchemy.event.listens_for(engine, "checkout")
    def refuse_old_set(connection: Any, record: Any, proxy: Any) -> None:
        # One that was opened for this very checkout is good, even if a set came in between.
        if not record.info.pop("is_new", False) and record.info["set"] != _pointed_at(settings):
            raise sqlalchemy.exc.DisconnectionError("a newer set has been published")

    return engine


def _pointed_at(settings: Settings) -> str:
    return os.path.basename(os.readlink(settings.serving_dir / POINTER))


def _set_of(connection: Any) -> str:
    row = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = 'core'"
    ).fetchone()
    return Path(row[0]).parent.parent.name
