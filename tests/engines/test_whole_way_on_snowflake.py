"""The whole way on Snowflake: what readers find is what they find with the embedded engine.

Belongs here: the main job from sources to a published set, on fakesnow and on DuckDB, compared row
by row. Does not belong here: models one by one (`test_snowflake_models`), kills
(`test_sets_on_snowflake`, `test_inbox_of_tables`).

What fakesnow does not execute is named in `fake_snowflake.HANDED_AROUND`. Minutes long: run by
`make test-engines`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from cdp.generation import project_dir
from cdp.warehouse.published import published
from cdp.warehouse.runs import STAGES, current_run
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import open_warehouse
from expectations.gates import validate
from tests.engines.bad_rows import BAD_ROWS, planted
from tests.engines.copying import difference
from tests.engines.deliveries import IN_THE_SHOP, OF_THE_MACHINE, of_a_shop
from tests.engines.fake_snowflake import (
    HANDED_AROUND,
    Around,
    connection_settings,
    give_functions_over_arrays,
    patched,
)
from tests.engines.the_way import served

pytestmark = [pytest.mark.engines, pytest.mark.slow]

ROLE = "marketing"
PEOPLE = 30

FOR_A_SECOND_SET = {"what a role may do"}
"""Kinds of statements that a first publication has no need of."""


class Shop:
    """A shop on both engines, whose second delivery waits."""

    def __init__(self, folder: Path, around: Around) -> None:
        self.around = around
        embedded, snowflake = folder / "embedded", folder / "snowflake"
        for home in (embedded, snowflake):
            home.mkdir()
        self.settings = (
            load_settings(home=embedded, memory_limit="2GB"),
            connection_settings(snowflake),
        )
        give_functions_over_arrays(around, self.settings[1], self.settings[0])

    def run(self, number: int) -> None:
        """Run the whole way on both, once what is to arrive before has arrived."""
        self.seen = []
        for settings in self.settings:
            of_a_shop(PEOPLE)(settings.home, number)
            moment = datetime.fromisoformat(IN_THE_SHOP[number]).replace(tzinfo=None)
            self.seen.append(_seen(settings.model_copy(update={"as_of": moment})))

    def differences(self) -> dict[str, str]:
        ours, theirs = self.seen
        assert set(ours) == set(theirs)
        found = {name: difference(ours[name], theirs[name], OF_THE_MACHINE) for name in ours}
        return {name: told for name, told in found.items() if told}

    def gates(self) -> list[set[tuple[str, str, bool]]]:
        """What each engine's gates have come to in the last run, check by check."""
        found = []
        for settings in self.settings:
            with open_warehouse(settings) as warehouse:
                run = current_run(warehouse)
                assert run is not None
                rows = warehouse.rows(
                    "SELECT stage, check_name, passed FROM governance.gate_results "
                    "WHERE run_id = ?",
                    [run.run_id],
                )
            found.append(set(rows))
        return found


def _seen(settings: Settings) -> dict[str, pa.Table]:
    """What the role finds after a run, by plain names."""
    from orchestration.running import run_job

    outcome = run_job(settings)
    assert outcome.success, outcome.errors
    with published(settings) as current, current.seen_by(ROLE) as seen:
        assert seen.has_table("dim_profiles")
        return {
            name: seen.session.arrow(f'SELECT * FROM "{name}"') for name in served(outcome, ROLE)
        }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("way")
    with patched(folder) as around:
        made = Shop(folder, around)
        made.run(0)
        yield made


def test_readers_find_what_they_find_with_the_embedded_engine(shop: Shop) -> None:
    assert len(shop.seen[0]) > 5
    assert shop.seen[0]["dim_profiles"].num_rows > PEOPLE / 2
    assert shop.differences() == {}


def test_gates_make_the_same_checks_of_it_and_pass_them(shop: Shop) -> None:
    # A set that is made of schemas is looked at in words of its own.
    ours, theirs = ({each for each in found if each[0] in STAGES} for found in shop.gates())
    assert {stage for stage, _, _ in ours} == set(STAGES)
    assert theirs == ours
    assert all(passed for found in shop.gates() for _, _, passed in found)


@pytest.mark.parametrize("stage", BAD_ROWS)
def test_one_bad_row_is_refused_by_the_gate_of_its_stage(shop: Shop, stage: str) -> None:
    with open_warehouse(shop.settings[1]) as warehouse:
        run = current_run(warehouse)
        assert run is not None
        project = project_dir(shop.settings[1])

        def failed() -> list[tuple[str, str]]:
            verdict = validate(stage, warehouse, run, project=project)
            return [(check.table, check.name) for check in verdict.failed]

        bad = BAD_ROWS[stage]
        with planted(warehouse, bad):
            found = failed()
            assert any(table == bad.table and name.startswith(bad.fails) for table, name in found)
        assert failed() == []


def test_what_is_said_not_to_be_executed_is_not_and_nothing_else(shop: Shop) -> None:
    assert shop.around.kinds() | FOR_A_SECOND_SET == set(HANDED_AROUND)


def test_readers_find_it_after_late_files_and_files_told_again(shop: Shop) -> None:
    shop.run(1)
    assert shop.differences() == {}
    assert shop.around.kinds() == set(HANDED_AROUND)
