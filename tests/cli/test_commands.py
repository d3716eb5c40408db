"""The command line: what it answers, what it exits with, and how it complains."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlglot
from filelock import FileLock

from cdp.warehouse.settings import PROJECT_ROOT
from tests.cli.command import cdp, complaint
from tests.services.shop_run import ShopRun


@pytest.fixture(scope="module")
def home(finished_shop_run: ShopRun) -> Path:
    return finished_shop_run.settings.home


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A copy of the shipped declarations."""
    folder = tmp_path / "config"
    shutil.copytree(PROJECT_ROOT / "config", folder)
    return folder


# --- answers --------------------------------------------------------------------------------------


def test_the_segments_are_listed_with_their_sizes(home: Path) -> None:
    done = cdp(home, "segment", "list", "--json")
    assert done.returncode == 0
    sizes = {each["segment"]: each["size"] for each in json.loads(done.stdout)}
    assert set(sizes) == {
        "active_cart_abandoners",
        "high_value_recent",
        "loyal_customers",
        "new_visitors",
    }
    assert all(size > 0 for size in sizes.values())


def test_a_segment_is_shown_with_its_rule_and_what_it_means(home: Path) -> None:
    told = json.loads(cdp(home, "segment", "show", "high_value_recent", "--json").stdout)
    assert told["rule"] == "last_purchase_date within 30 days AND total_spent > $500"
    assert told["meaning"].startswith("People whose last purchase")
    assert told["people"] > 0


def test_a_rule_is_compiled_for_the_engine_at_hand(home: Path) -> None:
    duckdb = cdp(home, "segment", "compile", "new_visitors").stdout
    bigquery = cdp(home, "segment", "compile", "new_visitors", "--dialect", "bigquery").stdout
    sqlglot.parse_one(duckdb, read="duckdb")
    sqlglot.parse_one(bigquery, read="bigquery")
    assert "first_seen" in duckdb
    assert "first_seen" in bigquery


def test_a_profile_is_shown_as_its_reader_may_see_it(
    home: Path, finished_shop_run: ShopRun
) -> None:
    from cdp.warehouse.readers import open_reader

    with open_reader(finished_shop_run.settings, "marketing") as reader:
        row = reader.execute(
            "SELECT profile_id, email FROM dim_profiles WHERE email IS NOT NULL ORDER BY ALL"
        ).fetchone()
    assert row is not None
    profile_id, email = row
    marketing = cdp(home, "profile", "show", str(profile_id), "--role", "marketing", "--json")
    analyst = cdp(home, "profile", "show", str(profile_id), "--json")
    assert json.loads(marketing.stdout)["email"] == email
    assert json.loads(analyst.stdout)["email"] is None
    assert email not in analyst.stdout


def test_the_status_tells_runs_stages_and_what_readers_see(home: Path) -> None:
    told = json.loads(cdp(home, "status", "--json").stdout)
    assert [run["status"] for run in told["runs"]] == ["published"]
    assert all(stage["complete"] and stage["passed"] for stage in told["stages"].values())
    assert told["published_set"].startswith("00000001-")
    assert told["failed_checks"] == []


def test_consents_of_nobody_are_no_answer(home: Path) -> None:
    done = cdp(home, "consent", "show", "999999999")
    assert done.returncode == 5
    assert "there is no profile 999999999" in done.stderr


def test_consents_are_counted_by_purpose(home: Path) -> None:
    told = json.loads(cdp(home, "consent", "show", "--json").stdout)
    assert {each["purpose"] for each in told} >= {"ads", "analytics"}
    assert all(each["granted"] + each["not granted"] > 0 for each in told)


def test_landing_again_lands_nothing_twice_and_adds_up(shop_run: ShopRun) -> None:
    done = cdp(shop_run.settings.home, "land", "crm", "web", "--json")
    assert done.returncode == 0
    loads = json.loads(done.stdout)
    assert [load["source"] for load in loads] == ["crm", "web"]
    for load in loads:
        assert load["rows_landed"] == 0
        assert load["rows_read"] == load["rows_duplicate"] + load["rows_quarantined"]
    # Raw is of another run now, so there is nothing whole to publish.
    refused = cdp(shop_run.settings.home, "publish")
    assert refused.returncode == 3
    assert "stage raw: its gate has not passed since it was built" in complaint(refused)


def test_a_new_fit_is_asked_for_and_done_by_the_next_run(shop_run: ShopRun) -> None:
    home = shop_run.settings.home
    assert cdp(home, "fit", "rfm").returncode == 0
    done = cdp(home, "run", "--json")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    told = json.loads(done.stdout)
    assert told["success"] is True
    assert told["published_set"].startswith("0000000")
    from cdp.warehouse.readers import open_reader

    with open_reader(shop_run.settings, "analyst") as reader:
        assert reader.execute("SELECT max(rfm_version) FROM dim_profiles").fetchone() == (2,)


def test_the_demo_shows_segments_reconciliation_and_where_to_look_next(tmp_path: Path) -> None:
    done = cdp(tmp_path / "home", "demo", "--people", "60", "--days", "20")
    assert done.returncode == 0, done.stderr
    assert "Every row that was read is accounted for" in done.stdout
    assert "does not add up" not in done.stdout
    for word in ("web", "shop", "crm", "consent", "new_visitors", "make dev", "core.duckdb"):
        assert word in done.stdout
    assert "published 00000001-" in done.stderr
    assert "Warning" not in done.stderr
    # Once more is a run with nothing new over the same shop.
    again = cdp(tmp_path / "home", "demo", "--people", "60", "--days", "20", "--json")
    told = json.loads(again.stdout)
    assert told["success"] is True
    assert sum(load["rows_landed"] for load in told["loads"]) == 0
    # Another shop does not go into the same warehouse.
    other = cdp(tmp_path / "home", "demo", "--people", "61", "--days", "20")
    assert other.returncode == 2
    assert "a shop of 60 people" in complaint(other)


# --- complaints -----------------------------------------------------------------------------------


def test_a_wrong_declaration_is_one_sentence_with_file_and_line(home: Path, config: Path) -> None:
    sources = config / "sources.yml"
    sources.write_text(sources.read_text().replace("kind: database", "kind: databse"))
    done = cdp(home, "config", "check", config=config)
    assert done.returncode == 2
    assert "sources.yml:" in complaint(done)


def test_a_trait_without_its_column_is_refused_with_its_line(home: Path, config: Path) -> None:
    (config / "traits" / "mine.yml").write_text(
        "traits:\n  shoe:\n    type: text\n    label: shoe\n    description: Size of the shoe.\n"
        "    column: shoe_sise\n"
    )
    for arguments in (("config", "check"), ("generate", "--check")):
        done = cdp(home, *arguments, config=config)
        assert done.returncode == 2
        assert "mine.yml:6: profiles.dim_profiles has no column 'shoe_sise'" in complaint(done)


def test_right_declarations_are_said_to_be_right(home: Path) -> None:
    done = cdp(home, "config", "check", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["roles"] == ["analyst", "marketing"]


def test_a_wrong_setting_is_named_with_where_it_comes_from(home: Path) -> None:
    done = cdp(home, "status", base_currency="dollars")
    assert done.returncode == 2
    assert "CDP_BASE_CURRENCY" in complaint(done)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("land", "nosuch"), 2, "no source is called 'nosuch'"),
        (("run", "--source", "nosuch"), 2, "no source is called 'nosuch'"),
        (("run", "--since", "yesterday"), 2, "neither a day"),
        (("run", "--since", "2026-06-02", "--until", "2026-06-01"), 2, "the range is empty"),
        (("segment", "show", "nosuch"), 5, "no segment is called 'nosuch'"),
        (("segment", "compile", "new_visitors", "--dialect", "cobol"), 2, "no engine"),
        (("profile", "show", "987654321"), 5, "no profile 987654321"),
        (("profile", "show", "1", "--role", "nosuch"), 5, "no role 'nosuch'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_code(
    home: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = cdp(home, *arguments)
    assert done.returncode == code, done.stderr
    assert said in complaint(done)


def test_before_the_first_run_commands_say_what_makes_one(tmp_path: Path) -> None:
    for arguments in (
        ("status",),
        ("consent", "show"),
        ("profile", "show", "1"),
        ("publish",),
    ):
        done = cdp(tmp_path / "nothing", *arguments)
        assert done.returncode == 5, arguments
        assert "run" in complaint(done)


def test_a_warehouse_that_stays_held_is_busy_not_broken(shop_run: ShopRun) -> None:
    home = shop_run.settings.home
    with FileLock(shop_run.settings.lock_file, timeout=0):
        for arguments in (("land", "crm"), ("run",), ("status",)):
            done = cdp(home, *arguments, lock_wait_seconds="0.2")
            assert done.returncode == 4, (arguments, done.stderr)
            assert "held by another run" in done.stderr
            # A look at the warehouse does not wait as a run does, so it must not say that it would.
            assert ("CDP_LOCK_WAIT_SECONDS" in done.stderr) == (arguments != ("status",))


def test_generated_models_that_are_behind_fail_the_check_and_are_written(
    tmp_path: Path, config: Path
) -> None:
    home = tmp_path / "home"
    assert cdp(home, "generate", config=config).returncode == 0
    assert cdp(home, "generate", "--check", config=config).returncode == 0
    segment = config / "segments" / "new_visitors.yml"
    segment.write_text(segment.read_text().replace("7 days", "8 days"))
    behind = cdp(home, "generate", "--check", config=config)
    assert behind.returncode == 1
    assert "models/segments/generated/" in behind.stdout
    assert cdp(home, "generate", config=config).returncode == 0
    assert cdp(home, "generate", "--check", config=config).returncode == 0


# --- the wall -------------------------------------------------------------------------------------


def test_looking_at_something_does_not_load_what_runs_need(home: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-X", "importtime", "-m", "cdp", "segment", "list"),
        ],
        cwd=PROJECT_ROOT,
        env={"CDP_HOME": str(home), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"dagster", "dlt", "dbt", "great_expectations", "orchestration"}
