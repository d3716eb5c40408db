"""A home before a delivery and after it, made once for all tests that compare with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.made_once import made_once
from tests.whole_way.deployments import BeforeDelivery, before_delivery, run


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> BeforeDelivery:
    """A home that has published once, and files that have not been delivered to it."""
    return made_once(tmp_path_factory, "delivery", before_delivery)[1]


@pytest.fixture(scope="session")
def twin(shop: BeforeDelivery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same home after a run over the delivery that nobody killed."""

    def delivered(folder: Path) -> Path:
        home = shop.delivered(folder / "home")
        run(home)
        return home

    return made_once(tmp_path_factory, "twin", delivered)[1]
