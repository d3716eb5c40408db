"""Small shops, landed and built once for the tests that only look."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cdp.demo import DemoShop, generate
from tests.models.deployment import Deployment
from tests.services.made_once import made_once

PEOPLE = 150


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, DemoShop]:
    """A shop of a few people in a deployment that has run once."""
    folder, made = made_once(tmp_path_factory, "models", _run_once)
    # A copy for this process, which may write to it.
    home = tmp_path_factory.mktemp("shop") / "home"
    shutil.copytree(folder, home, symlinks=True)
    return Deployment(home, runs=1), made


def _run_once(home: Path) -> DemoShop:
    made = generate(home, people=PEOPLE, seed=11)
    Deployment(home).run()
    return made


@pytest.fixture(scope="session")
def shop_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a shop that no deployment has seen."""
    home = tmp_path_factory.mktemp("files")
    generate(home, people=60, seed=23, days=40)
    return home
