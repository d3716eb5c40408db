"""A shop is the same on every engine, row by row: every model, in a full build and in an increment.

Belongs here: the embedded engine's tables against Spark's, from the same raw rows. Does not belong
here: landing and publishing on another engine, single macros (`test_macros_alike`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from cdp.generation import generate
from cdp.warehouse.engines.lake import Lake
from cdp.warehouse.modelling import Models
from cdp.warehouse.runs import STAGES, Run
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import SCHEMAS, open_warehouse
from expectations.gates import validate
from tests.engines import two_runs
from tests.engines.copying import copy_in, difference

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PEOPLE = 40
OF_THE_RUNS = (
    "governance.runs",
    "governance.stage_builds",
    "governance.refit_requests",
    "governance.identity_labels",
)
NOT_BUILT = (*OF_THE_RUNS, "governance.gate_results")


class Pair:
    """A shop on the embedded engine, and the same raw rows on Spark."""

    def __init__(self, home: Path, spark: SparkSession, settings: Settings) -> None:
        self.home, self.spark, self.settings = home, spark, settings
        self.models = Models(settings, generate(settings))
        self.built = 0
        two_runs.land_the_shop(home, PEOPLE)

    def build_up_to(self, number: int) -> None:
        """Build the runs that have not been built yet, the first of them published."""
        while self.built < number:
            if self.built:
                two_runs.publish(self.home, self.built)
            self.build(self.built + 1)

    def build(self, number: int, *, full_refresh: bool = False) -> None:
        """Build a run on both. The record of runs is copied before one is published."""
        two_runs.build(self.home, number, full_refresh=full_refresh)
        for name, rows in self.tables(lambda name: name.startswith("raw.") or name in OF_THE_RUNS):
            copy_in(self.spark, name, rows)
        if number == 1:
            self.models.seed()
        self.built = number
        silent: Any = _Silent()
        run = self.run_of(number)
        for stage in STAGES[1:]:
            self.models.build(silent, run, stage, full_refresh=full_refresh)

    def run_of(self, number: int) -> Run:
        """The run as the record of runs has it; landing was the first."""
        moment = two_runs.MOMENTS[number - 1]
        return Run(number + 1, f"run-{number}", moment, moment, "test")

    def tables(self, wanted: Any) -> Iterator[tuple[str, pa.Table]]:
        with open_warehouse(two_runs.settings_of(self.home, 0)) as warehouse:
            names = [f"{schema}.{name}" for schema, name in warehouse.relations()]
            for name in names:
                if wanted(name) and not name.startswith("later."):
                    yield name, warehouse.arrow(f"SELECT * FROM {name}")

    def differences(self) -> dict[str, str]:
        found = {}
        for name, rows in self.tables(lambda name: not name.startswith(("raw.", "serving."))):
            if name in NOT_BUILT:
                continue
            if told := difference(rows, self.spark.table(name).toArrow()):
                found[name] = told
        return found


class _Silent:
    """A warehouse that takes the record of stages and forgets it; what is copied says it."""

    def execute(self, *_: Any) -> None: ...
    def insert(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, spark: SparkSession, spark_settings: Settings
) -> Pair:
    made = Pair(tmp_path_factory.mktemp("pair"), spark, spark_settings)
    for schema in SCHEMAS:
        spark.sql(f"create schema if not exists {schema}")
    return made


def test_every_model_has_the_same_rows_in_a_full_build(pair: Pair) -> None:
    pair.build_up_to(1)
    assert pair.differences() == {}


def test_a_large_table_lies_as_its_model_says(pair: Pair) -> None:
    pair.build_up_to(1)
    events = pair.spark.sql("DESCRIBE DETAIL profiles.fct_events").first()
    assert events is not None
    assert events["partitionColumns"] == []
    assert events["clusteringColumns"] == ["visitor_birth", "profile_id"]
    assert events["properties"]["delta.autoOptimize.optimizeWrite"] == "true"
    assert events["properties"]["delta.autoOptimize.autoCompact"] == "true"
    memberships = pair.spark.sql("DESCRIBE DETAIL segments.fct_segment_memberships").first()
    assert memberships is not None
    assert memberships["clusteringColumns"] == ["profile_id"]


def test_every_model_has_the_same_rows_after_late_rows_and_rows_told_again(pair: Pair) -> None:
    """And after labels: the run passes rows on."""
    pair.build_up_to(2)
    passed_on = ("identity.int_changed_verdicts", "profiles.int_reanchored_events")
    assert all(rows.num_rows for _, rows in pair.tables(lambda name: name in passed_on))
    assert pair.differences() == {}


@pytest.mark.engines
def test_a_run_that_is_repeated_gives_the_same_rows(pair: Pair) -> None:
    """It takes back what the run before it has written and not published."""
    pair.build_up_to(2)
    pair.build(2)
    assert pair.differences() == {}


@pytest.mark.engines
def test_a_rebuild_has_the_same_rows(pair: Pair) -> None:
    pair.build_up_to(2)
    pair.build(2, full_refresh=True)
    assert pair.differences() == {}


def test_the_gate_on_spark_passes_what_was_built_and_refuses_a_member_that_is_gone(
    pair: Pair,
) -> None:
    pair.build_up_to(2)
    lake = Lake(pair.settings, pair.spark)
    run = pair.run_of(2)

    def failed() -> set[str]:
        verdict = validate("segments", lake, run, project=pair.models.project)
        assert len(verdict.checks) > 30
        return {check.name for check in verdict.checks if not check.passed}

    assert failed() == set()
    memberships = "segments.fct_segment_memberships"
    one = lake.rows(
        f"SELECT profile_id, segment_name FROM {memberships} WHERE exited_at IS NULL "
        "ORDER BY profile_id, segment_name LIMIT 1"
    )[0]
    lake.execute(f"DELETE FROM {memberships} WHERE profile_id = ? AND segment_name = ?", one)
    assert "has an open membership for every member by verdict" in failed()
