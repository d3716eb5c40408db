"""Shops to look at: a small one for slow checks, and one of the default size."""

from __future__ import annotations

import pytest

from cdp.demo import DemoShop, generate


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    return generate(tmp_path_factory.mktemp("small"), people=500)


@pytest.fixture(scope="session")
def default_shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    return generate(tmp_path_factory.mktemp("default"))
