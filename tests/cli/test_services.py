"""Starting Dagster: `cdp prepare` for a service manager, `cdp dev --shop` for one person."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import dagster as dg
import pytest
import typer

from cdp import cli
from cdp.commands.terminal import CommandFailed, Exit
from cdp.warehouse.settings import PROJECT_ROOT
from tests.cli.command import cdp


def test_after_prepare_the_daemon_opens_an_instance_as_the_repository_configures_it(
    tmp_path: Path,
) -> None:
    home = tmp_path / "var" / "home"
    done = cdp(home, "prepare", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["environment"] == {
        "CDP_HOME": str(home),
        "CDP_CONFIG": str(PROJECT_ROOT / "config"),
        "DAGSTER_HOME": str(home / "dagster"),
    }
    for program, *arguments in told["commands"]:
        assert Path(program).is_file()
        assert str(PROJECT_ROOT / "workspace.yaml") in arguments
    with dg.DagsterInstance.from_config(told["environment"]["DAGSTER_HOME"]) as instance:
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 2
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
        pools = instance.get_concurrency_config().pool_config
        assert pools.default_pool_limit == 1


class Started:
    """What `cdp dev` did instead of becoming Dagster."""

    def __init__(self) -> None:
        self.demos = 0
        self.became: list[str] | None = None


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Started:
    """`cdp dev` in this process, without the demo, the project's parsing and the UI themselves."""
    from orchestration import running

    found = Started()

    def demo() -> None:
        found.demos += 1

    def become(program: str, arguments: list[str]) -> None:
        found.became = arguments

    monkeypatch.setenv("CDP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CDP_CONFIG", str(PROJECT_ROOT / "config"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.chdir(PROJECT_ROOT)
    monkeypatch.setattr(cli, "demo", demo)
    monkeypatch.setattr(running, "prepare", lambda settings: None)
    monkeypatch.setattr(os, "execv", become)
    return found


def test_in_a_home_that_nobody_has_used_the_demo_comes_before_the_ui(started: Started) -> None:
    cli.dev(shop=True)
    assert started.demos == 1
    assert started.became is not None
    assert started.became[:4] == [sys.executable, "-m", "dagster", "dev"]


def test_without_the_option_there_is_no_demo(started: Started) -> None:
    cli.dev()
    assert started.demos == 0
    assert started.became is not None


@pytest.mark.parametrize("name", ["landing/web/mine.ndjson.gz", "landing/tills/a.csv"])
def test_a_home_with_files_of_ones_own_gets_the_ui_and_no_demo(
    tmp_path: Path, started: Started, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file = tmp_path / "home" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"mine")
    cli.dev(shop=True)
    assert started.demos == 0
    assert started.became is not None
    assert "not started" in capsys.readouterr().err
    files = {path for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert files == {file, tmp_path / "home" / "dagster" / "dagster.yaml"}


def test_a_home_whose_first_run_was_refused_gets_the_ui_and_no_demo(
    tmp_path: Path, started: Started
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "warehouse.duckdb").touch()
    cli.dev(shop=True)
    assert started.demos == 0
    assert started.became is not None


@pytest.mark.parametrize(
    ("shipped", "own"),
    [
        ("  web:\n", "  site:\n"),
        ("{home}/landing/web", "{home}/landing/site"),
        ("sqlite:///{home}/demo/shop.sqlite", "sqlite:////srv/shop.sqlite"),
    ],
)
def test_sources_of_ones_own_get_the_ui_and_no_demo(
    tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch, shipped: str, own: str
) -> None:
    text = (PROJECT_ROOT / "config" / "sources.yml").read_text()
    assert text.count(shipped) == 1
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "sources.yml").write_text(text.replace(shipped, own))
    monkeypatch.setenv("CDP_CONFIG", str(tmp_path / "config"))
    cli.dev(shop=True)
    assert started.demos == 0
    assert started.became is not None


def test_a_shop_whose_generation_was_cut_off_is_the_demos_own(
    tmp_path: Path, started: Started
) -> None:
    home = tmp_path / "home"
    names = ["landing/web/events.ndjson.gz", "landing/crm/contacts-1.csv.part"]
    for name in names:
        (home / name).parent.mkdir(parents=True)
        (home / name).touch()
    (home / "demo").mkdir()
    (home / "demo" / "shop.json").write_text(json.dumps({"files": names[:1]}))
    cli.dev(shop=True)
    assert started.demos == 1


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (typer.Exit(Exit.REFUSED), "The demo shop failed"),
        (CommandFailed("the disk is full"), "the disk is full"),
        (KeyError("x"), "KeyError; `cdp demo` shows all of it"),
    ],
    ids=["refused by a gate", "an expected error", "a fault of the program"],
)
def test_the_ui_opens_whatever_became_of_the_demo(
    started: Started,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: Exception,
    said: str,
) -> None:
    def demo() -> None:
        raise failure

    monkeypatch.setattr(cli, "demo", demo)
    cli.dev(shop=True)
    assert said in capsys.readouterr().err
    assert started.became is not None
