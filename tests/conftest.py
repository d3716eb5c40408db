"""What all tests share.

Belongs here: the marks that a folder gives its tests, the option that forbids skipping, and the
fixtures of servers and of real data. Does not belong here: the fixtures of one part, which stand in
the conftest.py of its folder.
"""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

from cdp.warehouse.settings import PROJECT_ROOT

pytest_plugins = [
    "tests.services.browser",
    "tests.services.contacts_api",
    "tests.services.object_stores",
    "tests.services.postgres",
    "tests.services.shop_run",
]

REAL_DATA = PROJECT_ROOT.parent / "shared" / "data"
"""The public data sets, when they lie beside the clone."""

hypothesis.settings.register_profile("sweep", max_examples=5_000, phases=["explicit", "generate"])
"""For `make test-any-input`: many examples, each an input of its own, and none of them shrunk."""

MARKS_OF_FOLDERS = {"kill": ["kill"], "browser": ["browser"]}
MARKS_OF_FIXTURES = {"postgres_url": "postgres", "chromium": "browser", "real_data": "realdata"}


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data sets; skips when it is not beside the clone."""
    if not REAL_DATA.is_dir():
        pytest.skip("the public data sets are not beside this clone (../shared/data)")
    return REAL_DATA


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--forbid-skips",
        action="store_true",
        help="Fail when a test was skipped, or when real data is there and no test read it.",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(tests).parts[0]
        for mark in MARKS_OF_FOLDERS.get(folder, []):
            item.add_marker(mark)
        for fixture, mark in MARKS_OF_FIXTURES.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--forbid-skips") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(NothingSkipped(), "nothing-skipped")


class NothingSkipped:
    """Turns a run that skipped something, or left real data unread, into a failed one."""

    def __init__(self) -> None:
        self.skipped: list[str] = []
        self.real_data_read = 0

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # An expected failure is reported as skipped too: nothing of the kind is let through.
        if report.skipped:
            self.skipped.append(report.nodeid)
        elif report.when == "call" and "realdata" in report.keywords:
            self.real_data_read += 1

    def complaints(self) -> list[str]:
        """What was not run and had to be."""
        found = [f"skipped: {test}" for test in self.skipped]
        if REAL_DATA.is_dir() and not self.real_data_read:
            found.append(f"{REAL_DATA} is there, and no test that reads it was run")
        return found

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.complaints() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for complaint in self.complaints():
            terminalreporter.write_line(f"--forbid-skips: {complaint}", red=True)
