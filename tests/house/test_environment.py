"""The environment that `make` builds keeps what a deployment needs beside the lock."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cdp.warehouse.settings import PROJECT_ROOT

FAKE = """#!/bin/sh
echo "$@" >> "$CALLS"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the Makefile needs of a clone, with a uv that installs nothing."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(PROJECT_ROOT / name, tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").write_text(FAKE)
    (tmp_path / "bin" / "uv").chmod(0o755)
    (tmp_path / ".venv").mkdir()
    return tmp_path


def installed(clone: Path) -> list[str]:
    """The calls of uv that `make env` makes."""
    calls = clone / "calls"
    calls.unlink(missing_ok=True)
    subprocess.run(
        ["make", "env"],
        cwd=clone,
        env={"PATH": f"{clone / 'bin'}:{os.defpath}", "CALLS": str(calls)},
        check=True,
        capture_output=True,
    )
    return calls.read_text().splitlines() if calls.exists() else []


def test_packages_of_ones_own_are_installed_after_each_bringing_to_the_lock(clone: Path) -> None:
    assert not any("requirements-local.txt" in call for call in installed(clone))
    assert installed(clone) == [], "nothing has changed"
    (clone / "requirements-local.txt").write_text("dagster-postgres\n")
    os.utime(clone / ".venv" / "ready", (0, 0))
    for _ in range(2):
        calls = installed(clone)
        assert "sync" in calls[1]
        assert calls[-1].endswith("-c requirements.lock -r requirements-local.txt")
        os.utime(clone / ".venv" / "ready", (0, 0))
