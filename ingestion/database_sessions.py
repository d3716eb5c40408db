"""How a database is spoken to: its zone, and how long it may keep us waiting.

Belongs here: what holds for every session with a source's database. Does not belong here: what is
asked in it (`ingestion.database`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cdp.config.declared import duration
from cdp.config.sources import Source

CONNECT_TIMEOUT = "30 seconds"
STATEMENT_TIMEOUT = "1 hour"

_OF_DRIVERS: dict[str, tuple[str, ...]] = {
    "asyncpg": ("timeout",),
    "mysqlconnector": ("connection_timeout",),
    "mysqldb": ("connect_timeout", "read_timeout"),
    "oracledb": ("tcp_connect_timeout",),
    "pg8000": ("timeout",),
    "psycopg": ("connect_timeout",),
    "psycopg2": ("connect_timeout",),
    "pymssql": ("login_timeout", "timeout"),
    "pymysql": ("connect_timeout", "read_timeout"),
    "pyodbc": ("timeout",),
    "pysqlite": ("timeout",),
}
"""What the drivers call their limits, all in seconds: for connecting, and for an answer."""


def engine_arguments(source: Source, url: str) -> dict[str, Any]:
    """Arguments of SQLAlchemy's `create_engine` by which no server is waited for without end."""
    import sqlalchemy as sa

    driver = sa.make_url(url).get_driver_name()
    limits = (_limit(source, "connect_timeout"), _limit(source, "statement_timeout"))
    names = _OF_DRIVERS.get(driver, ())
    return {"connect_args": dict(zip(names, map(_seconds, limits), strict=False))}


def in_session(engine: Any, source: Source) -> Any:
    """Let sessions of PostgreSQL speak in the source's zone, and end what takes too long.

    So do the bounds of a range of days, whatever the server's own zone is, and moments that it
    keeps with a zone are told with theirs.
    """
    import sqlalchemy as sa

    limit = _limit(source, "statement_timeout")
    if engine.dialect.name != "postgresql":
        return engine

    @sa.event.listens_for(engine, "connect")
    def speak(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        settings = {
            "TimeZone": str(source.options.get("timezone", "UTC")),
            "statement_timeout": str(_seconds(limit) * 1_000),
        }
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
        cursor.close()
        # A setting made within a transaction goes with it when that is rolled back.
        connection.commit()
        if engine.dialect.driver == "pg8000":
            # The driver has one limit for connecting and for each answer. The server ends what
            # takes too long and says so; this is for a server that says nothing any more.
            connecting = _limit(source, "connect_timeout")
            connection._usock.settimeout(_seconds(limit) + _seconds(connecting))

    return engine


def _limit(source: Source, name: str) -> timedelta:
    default = {"connect_timeout": CONNECT_TIMEOUT, "statement_timeout": STATEMENT_TIMEOUT}[name]
    return duration(source.options.get(name, default))


def _seconds(limit: timedelta) -> int:
    return max(1, int(limit.total_seconds()))
