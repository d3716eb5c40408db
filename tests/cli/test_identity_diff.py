"""What stands in the way of `cdp identity diff`, told before anything is copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from cdp.warehouse.store import open_warehouse
from tests.cli.command import cdp, complaint

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    with open_warehouse(load_settings(home=home)):
        pass
    return home


def refused(home: Path, *paths: Path, code: int = 2, target: str = "duckdb") -> str:
    arguments = [text for path in paths for text in ("--rules", str(path))]
    done = cdp(home, "identity", "diff", *arguments, target=target)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert not (home / "scratch").exists() or not any((home / "scratch").iterdir())
    return complaint(done)


def test_a_file_says_by_its_name_which_rules_it_holds(home: Path, tmp_path: Path) -> None:
    assert "there is no such file" in refused(home, tmp_path / "identity_signs.csv")
    other = tmp_path / "rules.csv"
    shutil.copyfile(SEEDS / "identity_signs.csv", other)
    assert "expected identifier_types.csv, identity_signs.csv" in refused(home, other)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "the folder has no rules of identity" in refused(home, empty)
    told = refused(home, SEEDS, SEEDS / "identity_signs.csv")
    assert "is tried for the same rules" in told


def test_a_wrong_row_is_told_by_file_and_line(home: Path, tmp_path: Path) -> None:
    signs = tmp_path / "identity_signs.csv"
    signs.write_text("sign,allowed\nidentifiers,many\n", encoding="utf-8")
    assert f"{signs}:2: allowed:" in refused(home, signs)
    scopes = tmp_path / "identity_scopes.csv"
    scopes.write_text("source,scope,min_name_parts\nshop,people,2\nsho,people,2\n", "utf-8")
    assert f"{scopes}:3: no source is called 'sho'" in refused(home, scopes)
    labels = tmp_path / "identity_labels.csv"
    header = (SEEDS / "identity_labels.csv").read_text(encoding="utf-8").strip()
    labels.write_text(f"{header}\nmerge,email,a@x.test,email,b@x.test,ada,one\n", encoding="utf-8")
    told = refused(home, labels)
    assert f"{labels}:2: expected kind to be one of" in told
    assert "x.test" not in told


def test_where_nothing_has_been_published_there_is_nothing_to_hold_rules_against(
    home: Path, tmp_path: Path
) -> None:
    assert "no run has been published yet" in refused(home, SEEDS, code=5)
    assert "there is no warehouse" in refused(tmp_path / "none", SEEDS, code=5)


def test_another_engine_s_warehouse_is_not_tried_on(home: Path) -> None:
    told = refused(home, SEEDS, code=3, target="spark")
    assert told == (
        "what rules would change is computed with the embedded engine alone, and the target is "
        "spark"
    )


def test_a_warehouse_that_is_held_is_not_copied(home: Path) -> None:
    with open_warehouse(load_settings(home=home)):
        assert "is held by another run" in refused(home, SEEDS, code=4)
