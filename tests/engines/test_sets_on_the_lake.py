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
from cdp.warehouse.publishing import PublishRefused, publish, recover_publication
from cdp.warehouse.settings import PROJECT_ROOT, Settings
from cdp.warehouse.shelf import Place, shelf_of
from cdp.warehouse.store import SCHEMAS, Warehouse
from tests.engines.served_shop import PEOPLE, PROJECT, ROLES, Shop, numbers

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.engines, pytest.mark.slow]


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


def test_a_role_finds_the_set_under_plain_names_and_no_hidden_value(shop: Shop) -> None:
    published = shop.publish()
    assert published.rows["analyst"] == {
        "profiles.dim_profiles": PEOPLE,
        "segments.dim_segments": PEOPLE,
        "segments.segment_sizes": 1,
    }
    assert shop.versions() == {1}
    assert shop.warehouse.rows("SELECT * FROM serving_analyst.segment_sizes") == [(1, PEOPLE)]
    seen = {
        role: shop.warehouse.scalar(f"SELECT count(email) FROM serving_{role}.dim_profiles")
        for role in ("analyst", "marketing")
    }
    assert seen == {"analyst": 0, "marketing": PEOPLE}
    assert shop.warehouse.rows(
        "SELECT run_id, set_name FROM serving_analyst.about_publication"
    ) == [("run1", published.set_name)]
    described = shop.warehouse.spark.table("serving_marketing.dim_profiles").schema["email"]  # type: ignore[attr-defined]
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
    assert shop.warehouse.rows(
        "SELECT run_id, status FROM governance.runs ORDER BY run_number"
    ) == [
        ("run1", "published"),
        ("run2", "running"),
    ]
    # The next run takes away what was never pointed at, and readers notice nothing.
    assert recover_publication(shop.warehouse) is None
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
    assert recover_publication(shop.warehouse) == "run3"
    assert recover_publication(shop.warehouse) is None
    assert shop.warehouse.rows("SELECT status FROM governance.runs WHERE run_id = 'run3'") == [
        ("published",)
    ]
    # Whoever reads several tables of one set names it; it stays what it was.
    (first,) = [name for name in shop.schemas() if name.endswith("1_run1_analyst")]
    assert shop.versions(f"{first}.dim_profiles") == {1}


def test_a_candidate_that_shows_what_a_role_may_not_see_goes_nowhere(shop: Shop) -> None:
    run = shop.begin()

    def spoilt(place: Place) -> bool:
        from expectations.serving import validate_set

        shop.warehouse.spark.sql(  # type: ignore[attr-defined]
            f"CREATE OR REPLACE VIEW {place}_analyst.dim_profiles AS "
            f"SELECT * FROM {place}.profiles__dim_profiles"
        )
        verdict = validate_set(place, shop.warehouse, run, project=PROJECT)
        assert [check.name for check in verdict.failed] == [
            "holds no personal value in profiles.dim_profiles"
        ]
        return verdict.passed

    with pytest.raises(PublishRefused, match="did not pass its gate"):
        publish(shop.warehouse, run, project=PROJECT, validate=spoilt)
    assert shop.versions() == {3}
    assert numbers(shop.schemas()) == {1, 3}
    current = shelf_of(shop.warehouse).current()
    assert current is not None
    assert current.run_id == "run3"


def test_the_newest_sets_are_kept_and_no_others(shop: Shop) -> None:
    shop.publish(validate=lambda place: True)
    assert shop.versions() == {5}
    # Two are kept, the current one included.
    assert numbers(shop.schemas()) == {3, 5}
