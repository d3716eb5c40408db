"""The order in which processes that share the tests out take their files.

Belongs here: the files that take longest, which come first. Does not belong here: how many
processes there are (`.ci/run`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

LONGEST_FIRST = [
    "models/test_rebuild_equals_increment.py",
    "whole_way/test_kills.py",
    "ingestion/test_database.py",
    "orchestration/test_runs.py",
    "browser/test_ui.py",
    "cli/test_commands.py",
    "segmentation/test_segment_models.py",
    "ingestion/test_any_input.py",
    "ingestion/test_rest_api.py",
    "models/test_identity_in_any_order.py",
    "ingestion/test_killed_landing.py",
    "orchestration/test_changed_meanwhile.py",
    "models/test_any_order_any_past.py",
    "whole_way/test_at_once.py",
]
"""Files of a minute and more. The last to be taken should be short, or one process works while the
others have nothing left to do."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others stay in their order."""
    places = {TESTS / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
