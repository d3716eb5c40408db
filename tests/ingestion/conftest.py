"""A home of its own for each test of landing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingestion.landing import Landing


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """A home whose source `web` takes Segment-spec messages from a folder."""
    made = Landing(tmp_path / "home")
    made.declare_events()
    return made
