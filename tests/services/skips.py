"""The option that lets nothing go untested in silence.

Belongs here: `--forbid-skips`, which turns a run that skipped something, or left a data set unread,
into a failed one. Does not belong here: why a test skips, which the fixture says that it lacks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services import real_data


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--forbid-skips",
        action="store_true",
        help="Fail when a test was skipped, or when a data set is there and no test read it.",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--forbid-skips") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(NothingSkipped(real_data.REAL_DATA), "nothing-skipped")


class NothingSkipped:
    """Turns a run that skipped something, or left real data unread, into a failed one."""

    def __init__(self, data: Path) -> None:
        self.skipped: list[str] = []
        self.read: set[str] = set()
        self.data = data

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # An expected failure is reported as skipped too: nothing of the kind is let through.
        if report.skipped:
            self.skipped.append(report.nodeid)
        elif report.when == "call" and report.passed:
            self.read |= {
                str(name) for key, name in report.user_properties if key == real_data.READ
            }

    def complaints(self) -> list[str]:
        """What was not run and had to be."""
        found = [f"skipped: {test}" for test in self.skipped]
        for name in real_data.OF_THE_EXAMPLES:
            if (self.data / name).is_dir() and name not in self.read:
                found.append(f"{self.data / name} is there, and no test that passed has read it")
        return found

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.complaints() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for complaint in self.complaints():
            terminalreporter.write_line(f"--forbid-skips: {complaint}", red=True)
