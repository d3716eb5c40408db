"""What all tests share.

Belongs here: the marks that a folder gives its tests, and which modules hold the fixtures of
servers and of real data. Does not belong here: the fixtures of one part, which stand in the
conftest.py of its folder.
"""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

pytest_plugins = [
    "pytester",
    "tests.services.browser",
    "tests.services.contacts_api",
    "tests.services.object_stores",
    "tests.services.order",
    "tests.services.parsed_project",
    "tests.services.postgres",
    "tests.services.real_data",
    "tests.services.shop_run",
    "tests.services.skips",
]

hypothesis.settings.register_profile("sweep", max_examples=5_000, phases=["explicit", "generate"])
"""For `make test-any-input` and `make test-identity`: many examples, each an input of its own, and
none of them shrunk."""

MARKS_OF_FOLDERS = {"kill": ["kill"], "browser": ["browser"]}
MARKS_OF_FIXTURES = {"postgres_url": "postgres", "chromium": "browser", "real_data": "realdata"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(tests).parts[0]
        for mark in MARKS_OF_FOLDERS.get(folder, []):
            item.add_marker(mark)
        for fixture, mark in MARKS_OF_FIXTURES.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)
