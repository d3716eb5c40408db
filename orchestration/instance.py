"""Dagster's own home: where its runs are kept, and the configuration it reads there.

Belongs here: laying out the instance folder from the repository's `dagster.yaml`. Does not belong
here: what that file says.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy
import sqlalchemy.event
import yaml

from cdp.warehouse.settings import PROJECT_ROOT, Settings

TEMPLATE = PROJECT_ROOT / "dagster.yaml"
WORKSPACE = PROJECT_ROOT / "workspace.yaml"
IN_PROCESS = "in_process.yaml"
"""`dagster.yaml` as a process reads it that runs a job itself."""


def lay_out_instance(settings: Settings) -> Path:
    """Make the instance folder with the repository's configuration in it; return the folder."""
    folder = settings.dagster_dir
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "dagster.yaml", TEMPLATE.read_text(encoding="utf-8"))
    return folder


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance of a deployment, for a run in this process."""
    folder = lay_out_instance(settings)
    configured = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    if not any(key.endswith("storage") for key in configured):
        configured["event_log_storage"] = {
            "module": "orchestration.event_log",
            "class": "EventLog",
            "config": {"base_dir": str(folder / "history" / "runs")},
        }
    _write(folder / IN_PROCESS, yaml.safe_dump(configured, sort_keys=False))
    return dg.DagsterInstance.from_config(str(folder), IN_PROCESS)


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


_relaxed: set[str] = set()
_kept: dict[str, sqlite3.Connection] = {}


def write_behind(settings: Settings) -> None:
    """Let this process write Dagster's log without waiting for the disk at every event.

    Dagster opens and closes its SQLite files for each of the hundreds of events of a run, and every
    close folds the log into the file, which cost more than half of a run. A connection that stays
    open puts that off, and with a write-ahead log `NORMAL` loses at most the last events in a power
    cut, never the file. What the warehouse holds does not depend on it.
    """
    folder = str(settings.dagster_dir.resolve())

    if folder in _relaxed:
        return
    _relaxed.add(folder)

    def relax(connection: Any, record: Any) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        if path.startswith(folder):
            connection.execute("PRAGMA synchronous = NORMAL")
            if path not in _kept:
                _kept[path] = sqlite3.connect(path, check_same_thread=False)
            # A read makes the kept connection a user of the log, also where it has just begun.
            _kept[path].execute("PRAGMA schema_version").fetchone()

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", relax)
