"""Published sets of a lake: whole for every reader, masked for each role, and safe from kills.

The tests go on where the one before them ended: a set takes seconds to publish.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cdp.warehouse import publishing
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.publishing import Publication, PublishRefused, publish, recover_publication
from cdp.warehouse.runs import STAGES, Run, begin_run, utc_now
from cdp.warehouse.settings import PROJECT_ROOT, Settings
from cdp.warehouse.shelf import Place, shelf_of
from cdp.warehouse.store import SCHEMAS, Warehouse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.engines, pytest.mark.slow]

CANARY = "canary.anna.karenina@personal.example"
PROJECT = PROJECT_ROOT / "dbt_project"
PEOPLE = 20

ROLES = """
roles:
  analyst:
    description: Sees nobody's details.
    shows: []
    core: [profiles.dim_profiles, segments.dim_segments, segments.segment_sizes]
  marketing:
    description: Sees everybody's details.
    shows: all
    core: [profiles.dim_profiles, segments.dim_segments, segments.segment_sizes]
"""


class Shop:
    """A lake with a few tables, every row of which says in which version it was written."""

    rows = f"(SELECT unnest(range(0, {PEOPLE})) AS n) AS numbers"

    def __init__(self, lake: Warehouse) -> None:
        self.lake = lake
        self.version = 0

    def begin(self) -> Run:
        self.version += 1
        recover_publication(self.lake)
        run = begin_run(self.lake, f"run{self.version}", "test")
        now = utc_now()
        self.lake.insert(
            "governance.stage_builds", [(stage, run.run_id, "built", now) for stage in STAGES]
        )
        self.lake.insert(
            "governance.gate_results",
            [(stage, run.run_id, now, True, "rows", "{}") for stage in STAGES],
        )
        self.lake.execute(
            "CREATE OR REPLACE TABLE governance.int_current_run AS SELECT "
            "CAST(? AS BIGINT) AS run_number, CAST(7 AS BIGINT) AS landing_high_water",
            [run.run_number],
        )
        for model in load_catalogue(PROJECT).values():
            if model.name in ("dim_profiles", "dim_segments"):
                selected = ", ".join(
                    f"CAST({self._value(name, kind)} AS {kind}) AS {name}"
                    for name, (kind, _) in model.columns.items()
                )
                self.lake.execute(
                    f"CREATE OR REPLACE TABLE {model.schema}.{model.name} AS SELECT {selected} "
                    f"FROM {self.rows}"
                )
        self.lake.execute(
            "CREATE OR REPLACE VIEW segments.segment_sizes AS SELECT order_count AS version, "
            "count(*) AS size FROM profiles.dim_profiles GROUP BY order_count"
        )
        return run

    def _value(self, name: str, kind: str) -> str:
        if name == "order_count":
            return str(self.version)
        if kind.startswith("varchar"):
            return f"'{CANARY}'"
        return {"boolean": "true", "timestamp": "'2026-06-01'", "date": "'2026-06-01'"}.get(
            kind, "n"
        )

    def publish(self, validate: Any = None) -> Publication:
        run = self.begin()
        return publish(self.lake, run, project=PROJECT, validate=validate or self._gate(run))

    def _gate(self, run: Run) -> Any:
        from expectations.serving import validate_set

        return lambda place: validate_set(place, self.lake, run, project=PROJECT).passed

    def versions(self, relation: str = "serving_analyst.dim_profiles") -> set[int]:
        return {row[0] for row in self.lake.rows(f"SELECT DISTINCT order_count FROM {relation}")}

    def schemas(self) -> set[str]:
        return {
            row[0]
            for row in self.lake.spark.sql("SHOW SCHEMAS").collect()  # type: ignore[attr-defined]
            if row[0].startswith("set_")
        }


@pytest.fixture(scope="module")
def shop(
    spark: SparkSession, spark_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    from cdp.warehouse.engines.lake import Lake

    config = tmp_path_factory.mktemp("sets") / "config"
    shutil.copytree(PROJECT_ROOT / "config", config)
    (config / "roles.yml").write_text(ROLES)
    settings = spark_settings.model_copy(update={"config": config, "serving_sets_kept": 2})
    with empty(spark):
        yield Shop(Lake(settings, spark))


@contextmanager
def empty(spark: SparkSession) -> Iterator[None]:
    """The lake without anything in it, before and after."""
    for last in (False, True):
        for schema, *_ in spark.sql("SHOW SCHEMAS").collect():
            if schema != "default":
                spark.sql(f"DROP SCHEMA {schema} CASCADE")
        if not last:
            for name in SCHEMAS:
                spark.sql(f"CREATE SCHEMA {name}")
            yield


def numbers(schemas: set[str]) -> set[int]:
    """The runs whose sets stand."""
    return {int(name.split("_")[1]) for name in schemas}


def test_a_role_finds_the_set_under_plain_names_and_no_hidden_value(shop: Shop) -> None:
    published = shop.publish()
    assert published.rows["analyst"] == {
        "profiles.dim_profiles": PEOPLE,
        "segments.dim_segments": PEOPLE,
        "segments.segment_sizes": 1,
    }
    assert shop.versions() == {1}
    assert shop.lake.rows("SELECT * FROM serving_analyst.segment_sizes") == [(1, PEOPLE)]
    seen = {
        role: shop.lake.scalar(f"SELECT count(email) FROM serving_{role}.dim_profiles")
        for role in ("analyst", "marketing")
    }
    assert seen == {"analyst": 0, "marketing": PEOPLE}
    assert shop.lake.rows("SELECT run_id, set_name FROM serving_analyst.about_publication") == [
        ("run1", published.set_name)
    ]
    described = shop.lake.spark.table("serving_marketing.dim_profiles").schema["email"]  # type: ignore[attr-defined]
    assert described.metadata["comment"] == "Last known email."


def test_what_breaks_before_the_pointer_moves_leaves_readers_what_they_had(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cdp.warehouse.engines.lake_shelf import LakeShelf

    plain = LakeShelf._run

    def killed(self: LakeShelf, statement: str) -> None:
        if statement.startswith("INSERT OVERWRITE"):
            raise KeyboardInterrupt
        plain(self, statement)

    with monkeypatch.context() as patch:
        patch.setattr(LakeShelf, "_run", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.publish()
    assert shop.versions() == {1}
    assert shop.lake.rows("SELECT run_id, status FROM governance.runs ORDER BY run_number") == [
        ("run1", "published"),
        ("run2", "running"),
    ]
    # The next run takes away what was never pointed at, and readers notice nothing.
    assert recover_publication(shop.lake) is None
    assert numbers(shop.schemas()) == {1}
    assert shop.versions() == {1}


def test_what_breaks_after_the_pointer_moved_is_recorded_by_the_next_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(warehouse: Warehouse, says: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.publish(validate=lambda place: True)
    assert shop.versions() == {3}
    assert recover_publication(shop.lake) == "run3"
    assert recover_publication(shop.lake) is None
    assert shop.lake.rows("SELECT status FROM governance.runs WHERE run_id = 'run3'") == [
        ("published",)
    ]
    # Whoever reads several tables of one set names it; it stays what it was.
    (first,) = [name for name in shop.schemas() if name.endswith("1_run1_analyst")]
    assert shop.versions(f"{first}.dim_profiles") == {1}


def test_a_candidate_that_shows_what_a_role_may_not_see_goes_nowhere(shop: Shop) -> None:
    run = shop.begin()

    def spoilt(place: Place) -> bool:
        from expectations.serving import validate_set

        shop.lake.spark.sql(  # type: ignore[attr-defined]
            f"CREATE OR REPLACE VIEW {place}_analyst.dim_profiles AS "
            f"SELECT * FROM {place}.profiles__dim_profiles"
        )
        verdict = validate_set(place, shop.lake, run, project=PROJECT)
        assert [check.name for check in verdict.failed] == [
            "holds no personal value in profiles.dim_profiles"
        ]
        return verdict.passed

    with pytest.raises(PublishRefused, match="did not pass its gate"):
        publish(shop.lake, run, project=PROJECT, validate=spoilt)
    assert shop.versions() == {3}
    assert numbers(shop.schemas()) == {1, 3}
    current = shelf_of(shop.lake).current()
    assert current is not None
    assert current.run_id == "run3"


def test_the_newest_sets_are_kept_and_no_others(shop: Shop) -> None:
    shop.publish(validate=lambda place: True)
    assert shop.versions() == {5}
    # Two are kept, the current one included.
    assert numbers(shop.schemas()) == {3, 5}
