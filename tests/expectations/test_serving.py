"""The gate of serving finds a candidate set that is not what the warehouse and the roles say."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from cdp.warehouse.publishing import PublishRefused, publish
from cdp.warehouse.serving_sets import current_set
from expectations.checks import GateVerdict
from expectations.serving import validate_set
from tests.serving.tiny_shop import CANARY, TinyShop, open_shop, prepare_project


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with open_shop(tmp_path / "home", prepare_project(tmp_path / "project")) as tiny:
        yield tiny


def published_after(
    shop: TinyShop, change: Callable[[Path], None], run_id: str = "run-1"
) -> tuple[GateVerdict, bool]:
    """Publish, with a change to the candidate before its gate: verdict, and whether it went out."""
    run = shop.begin(run_id)
    shop.build(run)
    verdicts = []

    def validate(candidate: Path) -> bool:
        change(candidate)
        verdicts.append(validate_set(candidate, shop.warehouse, run))
        return verdicts[-1].passed

    try:
        publish(shop.warehouse, run, project=shop.project, validate=validate)
    except PublishRefused:
        return verdicts[-1], False
    return verdicts[-1], True


def edited(role: str, section: str, sql: str) -> Callable[[Path], None]:
    """A change to a file of the candidate by SQL."""

    def change(candidate: Path) -> None:
        path = candidate / role / f"{section}.duckdb"
        os.chmod(path, 0o644)
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"ATTACH '{path}' AS candidate")
            connection.execute("USE candidate")
            connection.execute(sql)
            connection.execute("USE memory")
            connection.execute("DETACH candidate")

    return change


def nothing(candidate: Path) -> None:
    """Leave the candidate as it was written."""


def test_a_set_that_is_as_written_goes_out(shop: TinyShop) -> None:
    verdict, went_out = published_after(shop, nothing)
    assert verdict.failed == ()
    assert went_out
    hidden = [check for check in verdict.checks if check.name.startswith("holds no personal value")]
    assert {check.table for check in hidden} == {"serving.analyst.core", "serving.analyst.facts"}


def test_a_set_in_which_little_has_changed_goes_out_too(shop: TinyShop) -> None:
    assert published_after(shop, nothing)[1]
    shop.version = 2
    verdict, went_out = published_after(shop, nothing, "run-2")
    assert verdict.failed == ()
    assert went_out


FAULTS = [
    (
        edited(
            "analyst",
            "core",
            f"UPDATE profiles.dim_profiles SET email = '{CANARY}' WHERE profile_id = 7",
        ),
        "serving.analyst.core",
        "holds no personal value in profiles.dim_profiles",
    ),
    (
        edited("analyst", "facts", f"UPDATE profiles.fct_events SET url = '{CANARY}'"),
        "serving.analyst.facts",
        "holds no personal value in profiles.fct_events",
    ),
    (
        edited("marketing", "core", "DELETE FROM profiles.dim_profiles WHERE profile_id = 7"),
        "serving.marketing.core",
        "has as many rows of profiles.dim_profiles as the warehouse and the manifest",
    ),
    (
        edited("marketing", "facts", "INSERT INTO profiles.fct_orders FROM profiles.fct_orders"),
        "serving.marketing.facts",
        "has as many rows of profiles.fct_orders as the warehouse and the manifest",
    ),
    (
        edited("analyst", "core", "UPDATE about.publication SET as_of = as_of + INTERVAL 1 DAY"),
        "serving.analyst.core",
        "says which run it is of, and its as_of",
    ),
    (
        edited("analyst", "core", "UPDATE about.publication SET run_id = 'another'"),
        "serving.analyst.core",
        "says which run it is of, and its as_of",
    ),
    (
        edited("analyst", "core", "DROP SCHEMA about CASCADE"),
        "serving.analyst.core",
        "says which run it is of, and its as_of",
    ),
    (
        edited("analyst", "facts", "DROP TABLE profiles.fct_sessions"),
        "serving.analyst.facts",
        "has the tables that its manifest names",
    ),
    (
        edited("analyst", "core", "CREATE TABLE profiles.int_identity_notes (note VARCHAR)"),
        "serving.analyst.core",
        "has no table that the warehouse does not have",
    ),
    (
        lambda candidate: (candidate / "analyst" / "facts.duckdb").unlink(),
        "serving.set",
        "has a readable manifest and a file for each role and section",
    ),
    (
        lambda candidate: (candidate / "manifest.json").write_text("{"),
        "serving.set",
        "has a readable manifest and a file for each role and section",
    ),
    (
        lambda candidate: _replace(candidate / "manifest.json", '"run_id":"run-', '"run_id":"ran-'),
        "serving.set",
        "is of the run under way",
    ),
]


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8").replace('"run_id": "', '"run_id":"')
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(("change", "table", "check"), FAULTS)
def test_a_set_with_a_fault_stays_in_and_readers_keep_theirs(
    shop: TinyShop, change: Callable[[Path], None], table: str, check: str
) -> None:
    assert published_after(shop, nothing)[1]
    before = current_set(shop.settings)
    shop.people += 1
    verdict, went_out = published_after(shop, change, "run-2")
    assert not went_out
    assert current_set(shop.settings) == before
    assert (table, check) in {(each.table, each.name) for each in verdict.failed}
    assert CANARY not in repr(verdict)
    results = shop.warehouse.rows("FROM governance.gate_results WHERE stage = 'serving'")
    assert CANARY not in repr(results)


def test_the_candidates_files_are_let_go_again(shop: TinyShop) -> None:
    published_after(shop, nothing)
    names = {row[0] for row in shop.warehouse.rows("SELECT database_name FROM duckdb_databases()")}
    assert not any(name.startswith("candidate") for name in names)
