"""Gates and publishing of a whole shop on BigQuery, as a stand-in runs what they say.

Belongs here: every check of every stage and what roles find, beside the embedded engine's answers.
Does not belong here: landing (`test_bigquery_landing`), sets and rights (`test_sets_on_bigquery`).

The models' tables are the embedded engine's, copied in: `test_bigquery_models` executes the models.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cdp.warehouse.published import published
from cdp.warehouse.publishing import publish
from cdp.warehouse.runs import STAGES, current_run
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse
from expectations import judging
from expectations.checks import Check
from expectations.engines import batch_of
from expectations.judging import judge
from expectations.measuring import Measured
from tests.engines.bad_rows import BAD_ROWS, planted
from tests.engines.copying import copy_to_bigquery, difference
from tests.services.shop_run import ShopRun

if TYPE_CHECKING:
    from cdp.warehouse.engines.bigquery_store import BigQuery
    from tests.engines.duck_bigquery import DuckBigQuery

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not find_spec("google.cloud.bigquery"), reason="needs what `make engines` installs"
    ),
]


@pytest.fixture(scope="module")
def cloud() -> Iterator[DuckBigQuery]:
    from tests.engines.duck_bigquery import DuckBigQuery

    made = DuckBigQuery()
    with made.instead_of_google():
        yield made


@pytest.fixture(scope="module")
def there(cloud: DuckBigQuery, finished_shop_run: ShopRun, gcs_account: Path) -> Iterator[BigQuery]:
    """A project with the tables of the shop."""
    from cdp.warehouse.engines.bigquery_store import opened

    settings = of_bigquery(finished_shop_run.settings, gcs_account)
    with opened(settings) as house:
        with open_warehouse(finished_shop_run.settings) as embedded:
            copy_to_bigquery(embedded, house)
        # As it was when the gates of the run looked.
        house.execute(
            "UPDATE governance.runs SET status = 'running', published_set = NULL, "
            "landing_high_water = NULL WHERE true"
        )
        yield house


def of_bigquery(plain: Settings, keyfile: Path) -> Settings:
    return load_settings(
        home=plain.home,
        config=plain.config,
        target="bigquery",
        bigquery_project="acme-cdp",
        bigquery_location="EU",
        bigquery_keyfile=keyfile,
    )


def gate_results(warehouse: Any) -> dict[tuple[str, str], tuple[bool, str]]:
    """What each check came to, the last time that it was made."""
    rows = warehouse.rows(
        "SELECT stage, check_name, passed, observed FROM governance.gate_results "
        "WHERE check_name <> 'suite' ORDER BY validated_at"
    )
    return {(stage, name): (passed, seen) for stage, name, passed, seen in rows}


def test_every_check_of_every_stage_comes_to_what_it_does_in_the_embedded_engine(
    there: BigQuery, finished_shop_run: ShopRun
) -> None:
    from expectations.gates import validate

    expected = gate_results(there)
    run = current_run(there)
    assert run is not None
    project = finished_shop_run.deployment.project
    there.execute("DELETE FROM governance.gate_results WHERE true")
    for stage in STAGES:
        validate(stage, there, run, project=project)
    found = gate_results(there)
    assert found == {key: told for key, told in expected.items() if key[0] in STAGES}


@pytest.mark.parametrize("first", ["duckdb", "bigquery"])
def test_what_one_engine_has_judged_answers_for_no_other(
    first: str,
    there: BigQuery,
    cloud: DuckBigQuery,
    finished_shop_run: ShopRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check = Check("is judged where it was measured", "t.t", "count(*)", "t.t", high=5)
    measured = [Measured(check, 3, {})]
    asked: list[str] = []

    def ask(warehouse: Warehouse, *rest: str) -> Any:
        asked.append(warehouse.settings.target)
        return batch_of(warehouse, *rest)

    monkeypatch.setattr(judging, "batch_of", ask)
    monkeypatch.setattr(judging, "_judged", {})
    with open_warehouse(finished_shop_run.settings) as embedded:
        houses: list[Warehouse] = [embedded, there]
        for house in houses if first == "duckdb" else houses[::-1]:
            for _ in range(2):
                (result,) = judge(house, "once", measured)
                assert result.passed
    assert sorted(asked) == ["bigquery", "duckdb"]
    assert asked[0] == first


@pytest.mark.parametrize("stage", BAD_ROWS)
def test_one_bad_row_is_refused_by_the_gate_of_its_stage(
    there: BigQuery, finished_shop_run: ShopRun, stage: str
) -> None:
    from expectations.gates import validate

    run = current_run(there)
    assert run is not None

    def failed() -> list[tuple[str, str]]:
        verdict = validate(stage, there, run, project=finished_shop_run.deployment.project)
        assert verdict.passed is not bool(verdict.failed)
        return [(check.table, check.name) for check in verdict.failed]

    bad = BAD_ROWS[stage]
    with planted(there, bad):
        found = failed()
        assert any(table == bad.table and name.startswith(bad.fails) for table, name in found)
    assert failed() == []


@contextmanager
def found_by(settings: Settings, role: str) -> Iterator[Any]:
    with published(settings) as current, current.seen_by(role) as seen:
        yield seen


def test_a_role_finds_what_it_finds_in_the_embedded_engine(
    there: BigQuery, finished_shop_run: ShopRun
) -> None:
    from expectations.serving import validate_set

    run = current_run(there)
    assert run is not None
    project = finished_shop_run.deployment.project
    made = publish(
        there,
        run,
        project=project,
        validate=lambda place: validate_set(place, there, run, project=project).passed,
    )
    for role, rows in made.rows.items():
        with (
            found_by(there.settings, role) as theirs,
            found_by(finished_shop_run.settings, role) as ours,
        ):
            for path in rows:
                name = path.partition(".")[2]
                query = f'SELECT * FROM "{name}"'
                told = difference(ours.session.arrow(query), theirs.session.arrow(query))
                assert told == "", f"{role}: {path}"
