"""Small shops, landed and built once for the tests that only look."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp.demo import DemoShop, generate
from tests.models.deployment import Deployment

PEOPLE = 150


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, DemoShop]:
    """A shop of a few people in a deployment that has run once."""
    home = tmp_path_factory.mktemp("shop")
    made = generate(home, people=PEOPLE, seed=11)
    deployment = Deployment(home)
    deployment.run()
    return deployment, made


@pytest.fixture(scope="session")
def shop_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a shop that no deployment has seen."""
    home = tmp_path_factory.mktemp("files")
    generate(home, people=60, seed=23, days=40)
    return home
