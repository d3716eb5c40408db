"""A home of its own for each test of landing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingestion.landing import Landing
from tests.ingestion.shop import Shop


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """A home whose source `web` takes Segment-spec messages from a folder."""
    made = Landing(tmp_path / "home")
    made.declare_events()
    return made


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'shop.sqlite'}"
    else:
        url = request.getfixturevalue("postgres_database")
    made = Shop(url, tmp_path / "home")
    made.declare()
    return made
