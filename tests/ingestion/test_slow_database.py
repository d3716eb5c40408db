"""A database that is slow or silent is not waited for without end.

Belongs here: the limits of time of the `database` kind. Does not belong here: what is read.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingestion.failures import SourceFailed
from tests.ingestion.landing import Landing

PATIENCE = 20


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes a connection and says nothing; after long enough it hangs up, so that
    whoever waits without end fails instead of hanging."""
    done = threading.Event()

    def say_nothing(server: socket.socket) -> None:
        with server.accept()[0]:
            done.wait(PATIENCE)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=say_nothing, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        done.set()


def declare(landing: Landing, url: str, **limits: str) -> None:
    landing.declare(
        "shop",
        "database",
        {"url": url, **limits},
        customers={
            "table": "customers",
            "key": ["no"],
            "maps": [{"entity": "customers", "columns": {"contact_id": "no", "email": "nap"}}],
        },
    )


def test_a_server_that_says_nothing_is_left(silent_port: int, tmp_path: Path) -> None:
    landing = Landing(tmp_path / "home")
    url = f"postgresql+pg8000://reader:secret@127.0.0.1:{silent_port}/shop"
    declare(landing, url, connect_timeout="1 second")
    begun = time.monotonic()
    with pytest.raises(SourceFailed, match=r"source shop: .*did not answer in time") as caught:
        landing.land("shop")
    assert time.monotonic() - begun < PATIENCE
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_a_query_that_takes_too_long_is_ended_by_the_server(
    postgres_database: str, tmp_path: Path
) -> None:
    engine = sa.create_engine(postgres_database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            sa.text("CREATE VIEW customers AS SELECT 1 AS no, pg_sleep(30)::text AS nap")
        )
    landing = Landing(tmp_path / "home")
    declare(landing, postgres_database, statement_timeout="1 second")
    begun = time.monotonic()
    with pytest.raises(SourceFailed, match=r"source shop: .*statement_timeout"):
        landing.land("shop")
    assert time.monotonic() - begun < PATIENCE


@pytest.mark.postgres
def test_a_query_may_take_longer_than_connecting(postgres_database: str, tmp_path: Path) -> None:
    engine = sa.create_engine(postgres_database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            sa.text("CREATE VIEW customers AS SELECT 1 AS no, pg_sleep(1.5)::text AS nap")
        )
    landing = Landing(tmp_path / "home")
    declare(landing, postgres_database, connect_timeout="1 second")
    assert landing.land("shop").rows_landed == 1
