"""The warehouse file is opened by one program at a time, and holds rows of people nowhere else."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import WarehouseBusy, open_warehouse

READER = """
import duckdb, sys, time
held = duckdb.connect(sys.argv[1], read_only=True)
print("open", flush=True)
time.sleep(float(sys.argv[2]))
"""

WRITER = """
import sys, time
from pathlib import Path
from cdp.warehouse.settings import load_settings
from cdp.warehouse.store import open_warehouse
with open_warehouse(load_settings(home=Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings(home=tmp_path)
    with open_warehouse(settings):
        pass
    return settings


def reader(settings: Settings, seconds: float) -> subprocess.Popen[str]:
    """A shell that somebody has opened on the warehouse itself, for so long."""
    shell = subprocess.Popen(
        [sys.executable, "-c", READER, str(settings.warehouse_file), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert shell.stdout is not None
    assert shell.stdout.readline() == "open\n"
    return shell


def test_a_shell_on_the_warehouse_is_waited_for(settings: Settings) -> None:
    with reader(settings, 1.5), open_warehouse(settings, 30) as warehouse:
        assert warehouse.scalar("SELECT 1") == 1


def test_a_shell_that_stays_open_is_named(settings: Settings) -> None:
    with reader(settings, 60) as shell:
        started = time.monotonic()
        with (
            pytest.raises(WarehouseBusy, match=f"PID {shell.pid}"),
            open_warehouse(settings, 0.5),
        ):
            pass
        assert time.monotonic() - started < 10
        shell.kill()


def test_whoever_holds_the_warehouse_is_named(settings: Settings) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(settings.home)], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        named = rf"held by another run \(process {holder.pid}, since"
        with pytest.raises(WarehouseBusy, match=named), open_warehouse(settings, 0):
            pass
        holder.kill()


def test_what_a_killed_process_has_spilled_is_taken_away(settings: Settings) -> None:
    spill = settings.home / "spill"
    spill.mkdir(exist_ok=True)
    (spill / "duckdb_temp_storage_S32K-0.tmp").write_bytes(b"ada@example.org")
    with open_warehouse(settings):
        assert list(spill.iterdir()) == []
        assert stat.S_IMODE(spill.stat().st_mode) == 0o700
