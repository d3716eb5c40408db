"""What is known of an engine before its warehouse is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp.warehouse.engines.known import engine_of
from cdp.warehouse.settings import TARGETS, Settings, load_settings

OTHERS = [target for target in TARGETS if target != "duckdb"]


def of_target(target: str, home: Path) -> Settings:
    return load_settings(home=home).model_copy(update={"target": target})


def test_every_target_is_known(tmp_path: Path) -> None:
    for target in TARGETS:
        assert engine_of(of_target(target, tmp_path))


def test_a_warehouse_of_a_file_is_begun_by_its_first_run(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    assert not engine_of(settings).is_begun(settings)
    settings.warehouse_file.touch()
    assert engine_of(settings).is_begun(settings)


@pytest.mark.parametrize("target", OTHERS)
def test_whether_any_other_is_begun_is_told_by_opening_it(target: str, tmp_path: Path) -> None:
    settings = of_target(target, tmp_path)
    assert engine_of(settings).is_begun(settings)


def test_tools_find_a_set_in_a_file_or_in_a_schema(tmp_path: Path) -> None:
    here = load_settings(home=tmp_path)
    place = engine_of(here).place_of_set(here, "analyst")
    assert place == str(tmp_path / "serving" / "current" / "analyst" / "core.duckdb")
    for target in OTHERS:
        there = of_target(target, tmp_path)
        assert engine_of(there).place_of_set(there, "analyst") == "the schema serving_analyst"
