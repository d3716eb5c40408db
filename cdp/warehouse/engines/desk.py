"""The embedded engine as a desk: for rows that are in no warehouse yet, whatever holds the others.

Belongs here: an instance of DuckDB in memory, and the folder for what memory does not hold. Does
not belong here: the warehouse file (`embedded`).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb

from cdp.warehouse.leftovers import SCRATCH, sweep
from cdp.warehouse.settings import Settings


def desk_of(settings: Settings, spill: Path) -> duckdb.DuckDBPyConnection:
    """An instance in memory that spills into a folder; moments are of UTC."""
    instance = duckdb.connect(":memory:")
    instance.execute(f"SET threads = {int(settings.threads)}")
    instance.execute(f"SET memory_limit = {_text(settings.memory_limit)}")
    instance.execute(f"SET temp_directory = {_text(os.fspath(spill))}")
    instance.execute("SET GLOBAL TimeZone = 'UTC'")
    return instance


def empty_spill(settings: Settings) -> Path:
    """The folder for what memory does not hold, without what a killed process has left in it: rows
    of people that nothing else would ever take away, copies of the warehouse among them. The caller
    holds the lock."""
    sweep(settings.home / SCRATCH)
    spill = settings.home / "spill"
    shutil.rmtree(spill, ignore_errors=True)
    spill.mkdir(mode=0o700, exist_ok=True)
    return spill


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
