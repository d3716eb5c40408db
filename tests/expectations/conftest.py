"""A filled warehouse for each test of the gates, copied from one that is made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.expectations.tiny_warehouse import TinyWarehouse, open_tiny


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filled")
    with open_tiny(home):
        pass
    return home


@pytest.fixture
def tiny(template: Path, tmp_path: Path) -> Iterator[TinyWarehouse]:
    home = tmp_path / "home"
    shutil.copytree(template, home)
    with open_tiny(home) as warehouse:
        yield warehouse
