"""What a run has to do: everything anew, what changed, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp.warehouse import pending
from cdp.warehouse.runs import Run, begin_run, finish_run, logic_hash
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    config = tmp_path / "config"
    config.mkdir()
    return load_settings(home=tmp_path / "home", config=config)


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    with open_warehouse(settings) as opened:
        yield opened


def begin(warehouse: Warehouse, run_id: str, logic: str, **columns: str) -> Run:
    run = begin_run(warehouse, run_id, "test")
    for column, value in {"logic_hash": logic, **columns}.items():
        warehouse.execute(
            f"UPDATE governance.runs SET {column} = ? WHERE run_id = ?", [value, run_id]
        )
    return run


def end(warehouse: Warehouse, run: Run, status: str) -> None:
    finish_run(warehouse, run, "finished")
    warehouse.execute(
        "UPDATE governance.runs SET status = ? WHERE run_id = ?", [status, run.run_id]
    )


def test_in_a_fresh_warehouse_there_is_no_other_logic_to_build_over(warehouse: Warehouse) -> None:
    assert not pending.logic_changed(warehouse, begin(warehouse, "first", "a"))


def test_logic_that_differs_from_the_last_published_run_asks_for_a_full_build(
    warehouse: Warehouse,
) -> None:
    end(warehouse, begin(warehouse, "old", "a"), "published")
    assert pending.logic_changed(warehouse, begin(warehouse, "new", "b"))


def test_logic_that_went_back_after_a_failed_run_asks_for_a_full_build(
    warehouse: Warehouse,
) -> None:
    end(warehouse, begin(warehouse, "published", "a"), "published")
    end(warehouse, begin(warehouse, "failed", "b"), "failed")
    assert pending.logic_changed(warehouse, begin(warehouse, "back", "a"))


def test_what_ran_before_the_last_published_run_does_not_matter(warehouse: Warehouse) -> None:
    end(warehouse, begin(warehouse, "ancient", "b"), "failed")
    end(warehouse, begin(warehouse, "published", "a"), "published")
    assert not pending.logic_changed(warehouse, begin(warehouse, "same", "a"))


def test_another_time_zone_is_another_logic(warehouse: Warehouse) -> None:
    end(warehouse, begin(warehouse, "old", "a", timezone="UTC"), "published")
    new = begin(warehouse, "new", "a", timezone="Europe/Berlin")
    assert pending.logic_changed(warehouse, new)


def test_seeds_are_loaded_once_until_one_of_them_is_edited(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    (project / "seeds").mkdir(parents=True)
    seed = project / "seeds" / "rates.csv"
    seed.write_text("currency,rate\nUSD,1\n")
    run = begin(warehouse, "run", "a")
    tables = [("staging", "rates")]
    assert pending.seeds_changed(warehouse, project, tables)
    warehouse.execute("CREATE TABLE staging.rates (currency VARCHAR)")
    pending.note_seeds(warehouse, run, project)
    assert not pending.seeds_changed(warehouse, project, tables)
    seed.write_text("currency,rate\nUSD,2\n")
    assert pending.seeds_changed(warehouse, project, tables)


def test_a_seed_whose_table_is_gone_is_loaded_again(warehouse: Warehouse, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "seeds").mkdir(parents=True)
    pending.note_seeds(warehouse, begin(warehouse, "run", "a"), project)
    assert pending.seeds_changed(warehouse, project, [("staging", "rates")])


def test_nothing_is_taken_for_unchanged_before_anything_was_published(
    warehouse: Warehouse,
) -> None:
    assert not pending.nothing_new(warehouse, begin(warehouse, "first", "a"), ["web"])


def test_generated_models_are_part_of_the_logic_and_so_is_the_project_file(
    settings: Settings,
) -> None:
    """What is generated follows from more than the declarations: from the package's own Python."""
    before = logic_hash(settings)
    generated = settings.dbt_dir / "project" / "models" / "segments" / "generated"
    generated.mkdir(parents=True)
    (generated / "one.sql").write_text("select 1")
    with_one = logic_hash(settings)
    assert with_one != before
    (settings.dbt_dir / "project" / "dbt_project.yml").write_text("name: tributary")
    assert logic_hash(settings) != with_one


def test_a_run_is_known_by_the_logic_that_it_was_loaded_with(warehouse: Warehouse) -> None:
    begin_run(warehouse, "waited", "test", "as it was loaded")
    assert warehouse.scalar("SELECT logic_hash FROM governance.runs") == "as it was loaded"
