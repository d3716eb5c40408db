"""A PostgreSQL server of the tests' own, from the system's programs.

Belongs here: starting the server on a free port of this machine and stopping it. Does not belong
here: tables or rows, which a test puts into a database of its own (`postgres_database`).
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.services.ports import free_port, is_open

HOW_TO_GET = "install Debian's package postgresql (apt-get install postgresql)"
SYSTEM_USER = "postgres"
"""Whom the server runs as when the tests run as root, since it refuses root."""


def _programs() -> Path | None:
    """The folder of the newest installed server's programs."""
    versions = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _as_server_user() -> list[str]:
    """What a command begins with. To change the user itself, Python would copy its process first,
    and a worker of the tests that ran fakesnow has mapped more than the machine's memory."""
    change = ["setpriv", f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--clear-groups", "--"]
    return change if _is_root() else []


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """SQLAlchemy's address of a running server, with a superuser's name and password."""
    programs = _programs()
    if programs is None:
        pytest.skip(f"no PostgreSQL server on this machine: {HOW_TO_GET}")
    # Not pytest's own folder: the server's user may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="tributary-postgres-"))
    password, port = secrets.token_urlsafe(12), free_port()
    password_file = folder / "password"
    password_file.write_text(password)
    if _is_root():
        shutil.chown(folder, SYSTEM_USER, SYSTEM_USER)
        shutil.chown(password_file, SYSTEM_USER, SYSTEM_USER)
    data, log = folder / "data", folder / "server.log"
    command = [
        *_as_server_user(),
        str(programs / "initdb"),
        "--pgdata",
        str(data),
        "--username",
        "tributary",
    ]
    command += ["--encoding", "UTF8", "--locale", "C", "--auth", "scram-sha-256"]
    command += ["--pwfile", str(password_file), "--no-sync"]
    made = subprocess.run(command, capture_output=True, cwd=folder, text=True)
    if made.returncode:
        raise RuntimeError(f"PostgreSQL's initdb failed:\n{made.stdout}{made.stderr}")
    with log.open("w") as output:
        server = subprocess.Popen(
            [
                *_as_server_user(),
                str(programs / "postgres"),
                "-D",
                str(data),
                "-p",
                str(port),
                "-k",
                str(folder),
            ]
            + ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        _wait_until_open(port, server, log)
        yield f"postgresql+pg8000://tributary:{password}@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_open(port: int, server: subprocess.Popen[Any], log: Path) -> None:
    patience = time.monotonic() + 30
    while not (is_open(port) and "ready to accept connections" in log.read_text()):
        if server.poll() is not None or time.monotonic() > patience:
            raise RuntimeError(f"PostgreSQL did not start; its log says:\n{log.read_text()}")
        time.sleep(0.05)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The address of an empty database that is this test's alone."""
    import sqlalchemy

    name = f"test_{secrets.token_hex(6)}"
    engine = sqlalchemy.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    try:
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        engine.dispose()
