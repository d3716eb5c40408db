"""What is not tested is said, and where nothing may be skipped it fails the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services import postgres, real_data

PLUGINS = ("real_data", "skips", "postgres", "browser")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of that of the data sets, without any."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setattr(real_data, "REAL_DATA", folder)
    monkeypatch.setattr(real_data, "_read", set())
    return folder


def outcome(pytester: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    """What pytest makes of a module of tests under the plugins of this project."""
    pytester.makepyfile(tests)
    plugins = [option for name in PLUGINS for option in ("-p", f"tests.services.{name}")]
    return pytester.runpytest_inprocess(*plugins, "-p", "no:cacheprovider", "-rs", *options)


SKIPPING = {
    "a test": "import pytest\ndef test_it(): pytest.skip('no shoes here')",
    "a module": "import pytest\npytest.importorskip('no_such_package_of_shoes')",
    "an expected failure": "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False",
}


@pytest.mark.parametrize("tests", SKIPPING.values(), ids=SKIPPING)
def test_a_skip_fails_the_run_where_nothing_may_be_skipped(
    pytester: pytest.Pytester, data: Path, tests: str
) -> None:
    pytester.makepyfile(test_beside="def test_another(): pass")
    assert outcome(pytester, tests).ret == pytest.ExitCode.OK
    strict = outcome(pytester, tests, "--forbid-skips")
    assert strict.ret == pytest.ExitCode.TESTS_FAILED
    strict.stdout.fnmatch_lines(["--forbid-skips: skipped: test_a_skip_fails*"])


def test_a_run_that_skips_nothing_passes(pytester: pytest.Pytester, data: Path) -> None:
    assert outcome(pytester, "def test_it(): pass", "--forbid-skips").ret == pytest.ExitCode.OK


READS_TWO = """
import pytest

@pytest.fixture(scope="module")
def clicks(real_data):
    return (real_data / "page_views/clicks.txt").read_text()

def test_one(clicks, real_data):
    assert clicks == "c"

def test_other(real_data):
    assert not (real_data / "hubspot/nothing.csv").exists()
"""


def test_each_data_set_that_is_there_has_to_be_read(pytester: pytest.Pytester, data: Path) -> None:
    for name in ("page_views", "hubspot", "of_nobody"):
        (data / name).mkdir()
    (data / "page_views" / "clicks.txt").write_text("c")
    strict = outcome(pytester, READS_TWO, "--forbid-skips")
    assert strict.ret == pytest.ExitCode.TESTS_FAILED
    told = [line for line in strict.outlines if line.startswith("--forbid-skips")]
    assert told == [f"--forbid-skips: {data}/hubspot is there, and no test that passed has read it"]
    (data / "hubspot").rmdir()
    assert outcome(pytester, READS_TWO, "--forbid-skips").ret == pytest.ExitCode.OK


def test_every_data_set_of_the_worked_examples_is_asked_for() -> None:
    folder = Path(__file__).parents[1] / "examples"
    examples = {path.stem.removeprefix("test_") for path in folder.glob("test_*.py")}
    sets = real_data.OF_THE_EXAMPLES
    asked = {name.replace("segment_events", "segment_messages") for name in sets}
    assert asked == examples


@pytest.mark.parametrize(
    ("fixture", "how"),
    [
        ("postgres_url", "apt-get install postgresql"),
        ("chromium", "apt-get install chromium chromium-driver"),
    ],
)
def test_a_skip_says_how_to_get_what_is_missing(
    pytester: pytest.Pytester, data: Path, monkeypatch: pytest.MonkeyPatch, fixture: str, how: str
) -> None:
    monkeypatch.setenv("PATH", str(data))
    monkeypatch.setattr(postgres, "_programs", lambda: None)
    told = outcome(pytester, f"def test_it({fixture}): pass")
    told.assert_outcomes(skipped=1)
    told.stdout.fnmatch_lines([f"SKIPPED*{how}*"])
