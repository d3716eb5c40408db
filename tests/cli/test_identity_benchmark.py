"""`cdp identity benchmark`, over people that can be counted by eye."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdp.warehouse.settings import load_settings
from cdp.warehouse.store import open_warehouse
from tests.cli.command import cdp, complaint
from tests.identity.told_identities import lay


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with open_warehouse(load_settings(home=tmp_path)) as warehouse:
        lay(warehouse)
    return tmp_path


def test_machines_are_told_every_figure(home: Path) -> None:
    done = cdp(home, "identity", "benchmark", "--json", "--limit", "1")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["identifiers"], told["edges"], told["profiles"], told["singles"]) == (10, 10, 5, 3)
    assert told["largest"] == [
        {
            "profile_id": 4, "identifiers": 4, "by_type": {"email": 2, "user_id": 2},
            "given_names": 0, "surnames": 0, "postcodes": 0,
        }
    ]  # fmt: skip
    assert told["churn"][0]["moved"] == {"label": 1, "merge": 2}
    assert told["churn"][0]["as_of"] == "2026-07-02T12:00:00Z"
    assert (told["labels"]["precision"], told["labels"]["recall"]) == (0.5, 0.5)


def test_people_are_told_what_to_look_at_and_nobody_s_details(home: Path) -> None:
    done = cdp(home, "identity", "benchmark")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for line in (
        "10 identifiers, 10 edges, 5 profiles",
        "1 3 60.0% 3",
        "4 4 0 0 0 2 email, 2 user_id",
        "limit:user_id 1 1 4",
        "3 profiles (60.0%) have a single identifier.",
        "2 profiles share a whole name and a postcode with others (groups: 1).",
        "bad_value 4",
        "10 value identifiers 600 500 8 4",
        "2 2026-07-02 12:00:00 4 1 9 3 1 label, 2 merge",
        "precision 0.500, recall 0.500",
    ):
        assert line in lines, done.stdout
    for value in ("v1", "kiosk", "lovelace", "sw1a", "Dee"):
        assert value not in done.stdout


def test_the_warehouse_is_as_it_was(home: Path) -> None:
    before = (home / "warehouse.duckdb").read_bytes()
    assert cdp(home, "identity", "benchmark").returncode == 0
    assert (home / "warehouse.duckdb").read_bytes() == before


def test_without_a_warehouse_or_a_run_it_says_what_to_do(tmp_path: Path) -> None:
    done = cdp(tmp_path, "identity", "benchmark")
    assert done.returncode == 5
    assert "`cdp run` makes one" in complaint(done)
    with open_warehouse(load_settings(home=tmp_path)):
        pass
    done = cdp(tmp_path, "identity", "benchmark")
    assert done.returncode == 5
    assert "no run has built the identities yet" in complaint(done)
