"""The public data sets that may lie beside the clone, and which of them the tests have read.

Belongs here: where they lie, and telling from the report of a test what was read up to it. Does not
belong here: what follows from a set that nobody read (`skips`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp.warehouse.settings import PROJECT_ROOT

REAL_DATA = PROJECT_ROOT.parent / "shared" / "data"
"""The public data sets, when they lie beside the clone."""

OF_THE_EXAMPLES = (
    "complete_journey",
    "contributors",
    "hubspot",
    "online_retail",
    "page_views",
    "sakila",
    "segment_events",
    "snowplow_web",
)
"""The data sets of the worked examples: where one lies beside the clone, a test has to read it."""

READ = "data set read"
"""The property of a test's report that names a data set."""

_read: set[str] = set()


class DataSets:
    """The folder of data sets; whoever asks for a path in it is taken to read that set."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __truediv__(self, path: str) -> Path:
        found = self._folder / path
        if found.exists():
            _read.add(Path(path).parts[0])
        return found


@pytest.fixture(scope="session")
def real_data() -> DataSets:
    """The folder of public data sets; skips when it is not beside the clone."""
    if not REAL_DATA.is_dir():
        pytest.skip("the public data sets are not beside this clone (../shared/data)")
    return DataSets(REAL_DATA)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Say in the report what has been read so far: tests may run in other processes than this."""
    try:
        return (yield)
    finally:
        item.user_properties += [(READ, name) for name in sorted(_read)]
