"""Shops to look at: a small one for slow checks, and one of the default size."""

from __future__ import annotations

import pytest

from cdp.demo import DemoShop, generate
from tests.services.made_once import made_once


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    return made_once(tmp_path_factory, "small", lambda home: generate(home, people=500))[1]


@pytest.fixture(scope="session")
def default_shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    return made_once(tmp_path_factory, "default", generate)[1]
