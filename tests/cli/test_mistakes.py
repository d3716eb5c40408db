"""Ordinary mistakes end in one sentence and a code, never in a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from pydantic_settings import SettingsError

from cdp.commands.terminal import Exit, explain
from cdp.warehouse.manifest import DamagedSet
from ingestion.failures import LoadingFailed, SourceFailed
from ingestion.promotion import DoesNotReconcile
from tests.cli.command import cdp, complaint
from tests.services.shop_run import ShopRun


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SettingsError('error parsing value for field "x"'), Exit.WRONG_INPUT, "CDP_*"),
        (SourceFailed("source shop: it is away"), Exit.FAILED, "source shop: it is away"),
        (LoadingFailed("source shop: loading it"), Exit.FAILED, "source shop: loading"),
        (DoesNotReconcile("read 2 rows, 1 landed"), Exit.FAILED, "read 2 rows"),
        (DamagedSet("core.duckdb is missing; publish again"), Exit.FAILED, "publish again"),
        (duckdb.CatalogException("Table x does not exist!\nCandidates: y"), Exit.FAILED, "Table x"),
        (duckdb.OutOfMemoryException("failed to pin"), Exit.FAILED, "CDP_MEMORY_LIMIT"),
        (duckdb.IOException("no lock"), Exit.BUSY, "cannot be opened"),
        (duckdb.FatalException("gone"), Exit.FAILED, "FatalException"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_expected_error_is_one_sentence_and_a_code(
    error: Exception, code: Exit, said: str
) -> None:
    told = explain(error)
    assert told is not None
    assert told.code == code
    assert said in str(told)
    assert "\n" not in str(told)


def test_what_the_engine_says_of_a_value_is_told_to_nobody() -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.ConversionException) as caught:
        connection.execute("SELECT CAST('ada@example.com' AS INTEGER)")
    assert "ada@example.com" not in str(explain(caught.value))


def test_a_fault_of_the_program_keeps_its_trace() -> None:
    assert explain(KeyError("x")) is None
    assert explain(RuntimeError("x")) is None


def test_a_wrong_setting_says_what_was_expected(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for done, said in (
        (cdp(home, "status", internal_networks="10.0.0.0/8,office"), "CDP_INTERNAL_NETWORKS"),
        (cdp(home, "status", memory_limit="60%"), "expected a size such as 4GB"),
        (cdp(home, "status", threads="many"), "CDP_THREADS"),
    ):
        assert done.returncode == Exit.WRONG_INPUT
        assert said in complaint(done)


def test_a_list_without_json_is_taken(finished_shop_run: ShopRun) -> None:
    home = finished_shop_run.settings.home
    done = cdp(home, "segment", "list", "--json", internal_networks="10.0.0.0/8,192.168.0.0/16")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_a_source_that_is_away_is_named_and_raw_stays_as_it_is(shop_run: ShopRun) -> None:
    home = shop_run.settings.home
    (home / "demo" / "shop.sqlite").rename(home / "demo" / "away.sqlite")
    done = cdp(home, "land", "shop")
    assert done.returncode == Exit.FAILED
    assert "source shop: " in complaint(done)
    # The failed landing is closed, so that the next command finds the warehouse in order.
    told = json.loads(cdp(home, "status", "--json").stdout)
    assert told["runs"][0]["status"] == "failed"


def test_a_replay_does_not_need_the_source_that_is_away(shop_run: ShopRun) -> None:
    home = shop_run.settings.home
    (home / "demo" / "shop.sqlite").rename(home / "demo" / "away.sqlite")
    done = cdp(home, "replay", "shop", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["rows_landed"] == 0
