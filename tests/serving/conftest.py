"""A tiny shop for each test of publishing and reading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp.warehouse import fault_points
from tests.serving.tiny_shop import TinyShop, open_shop, prepare_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return prepare_project(tmp_path / "project")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def shop(home: Path, project: Path) -> Iterator[TinyShop]:
    with open_shop(home, project) as tiny:
        yield tiny
    fault_points.disarm()
