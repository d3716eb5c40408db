"""Published sets of Snowflake on fakesnow: whole for every reader, masked, and safe from kills.

Belongs here: publishing by itself, on tables that a test has made. Does not belong here: what the
protection of any declaration says (`test_protection_snowflake`), the way to a set
(`test_whole_way_on_snowflake`).

fakesnow has no policies, roles or grants: those statements are handed around it
(`fake_snowflake.HANDED_AROUND`) and looked at here. The tests go on where the one before them
ended.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from cdp.warehouse import publishing
from cdp.warehouse.engines.snowflake_shelf import SnowflakeShelf, snowflake_shelf
from cdp.warehouse.publishing import PublishRefused, publish, recover_publication
from cdp.warehouse.settings import PROJECT_ROOT
from cdp.warehouse.shelf import Place
from cdp.warehouse.store import Warehouse
from tests.engines.fake_snowflake import Around, connection_settings, patched
from tests.engines.served_shop import PEOPLE, PROJECT, ROLES, Shop, numbers

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class SnowflakeShop(Shop):
    """The same few tables on Snowflake."""

    def __init__(self, warehouse: Warehouse, around: Around) -> None:
        super().__init__(warehouse)
        self.around = around


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeShop]:
    folder = tmp_path_factory.mktemp("sets")
    config = folder / "config"
    shutil.copytree(PROJECT_ROOT / "config", config)
    (config / "roles.yml").write_text(ROLES)
    with patched(folder) as around:
        from cdp.warehouse.engines.snowflake_store import opened

        settings = connection_settings(folder / "home", config=config, serving_sets_kept=2)
        with opened(settings) as warehouse:
            yield SnowflakeShop(warehouse, around)


def test_a_role_finds_the_set_under_plain_names_and_no_hidden_value(shop: SnowflakeShop) -> None:
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
    about = "SELECT run_id, set_name FROM serving_analyst.about_publication"
    assert shop.warehouse.rows(about) == [("run1", published.set_name)]


def test_masks_come_before_rights_and_rights_before_the_pointer(shop: SnowflakeShop) -> None:
    kinds = [kind for kind, _ in shop.around.statements if kind in ("masks on columns", "grants")]
    # All masks of the set stand before anybody is let in.
    assert kinds == sorted(kinds, reverse=True)
    masked = {
        match[1].lower()
        for statement in shop.around.of("masks on columns")
        if (match := re.search(r'"(\w+)" SET MASKING POLICY', statement))
    }
    assert {"email", "phone", "first_name"} <= masked
    granted = " ".join(shop.around.of("grants"))
    assert '"SERVING_ANALYST"."DIM_PROFILES" TO DATABASE ROLE "CDP"."ANALYST"' in granted
    # What a set is made of is read by nobody but who owns it.
    assert "PROFILES__DIM_PROFILES" not in granted


def test_a_mask_that_cannot_be_attached_ends_the_publication(
    shop: SnowflakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snowflake.connector.errors import ProgrammingError

    plain = SnowflakeShelf._run

    def refused(self: SnowflakeShelf, statement: str) -> None:
        if '"PROFILES__DIM_PROFILES"' in statement and '"PHONE" SET MASKING POLICY' in statement:
            raise ProgrammingError(msg="insufficient privileges", errno=3001, sqlstate="42501")
        plain(self, statement)

    with monkeypatch.context() as patch:
        patch.setattr(SnowflakeShelf, "_run", refused)
        with pytest.raises(ProgrammingError, match="insufficient privileges"):
            shop.publish()
    assert shop.versions() == {1}
    assert numbers(shop.schemas()) == {1}


@pytest.mark.parametrize("where", ["before the pointer", "within the pointer's transaction"])
def test_what_breaks_before_the_pointer_has_moved_leaves_readers_what_they_had(
    shop: SnowflakeShop, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from cdp.warehouse.engines.snowflake_store import SnowflakeSession

    def killed(self: Any, *given: Any) -> None:
        raise KeyboardInterrupt

    plain = SnowflakeSession.insert

    def killed_at_the_pointer(self: SnowflakeSession, table: str, rows: Any) -> None:
        if table == "serving.current_set":
            raise KeyboardInterrupt
        plain(self, table, rows)

    with monkeypatch.context() as patch:
        if where == "before the pointer":
            patch.setattr(SnowflakeShelf, "_point_at", killed)
        else:
            patch.setattr(SnowflakeSession, "insert", killed_at_the_pointer)
        with pytest.raises(KeyboardInterrupt):
            shop.publish(validate=lambda place: True)
    assert shop.versions() == {1}
    # The next run takes away what was never pointed at, and readers notice nothing.
    assert recover_publication(shop.warehouse) is None
    assert numbers(shop.schemas()) == {1}
    assert shop.versions() == {1}


def test_what_breaks_after_the_pointer_has_moved_is_recorded_by_the_next_run(
    shop: SnowflakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(warehouse: Warehouse, says: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.publish(validate=lambda place: True)
    run_id = f"run{shop.version}"
    assert shop.versions() == {shop.version}
    assert recover_publication(shop.warehouse) == run_id
    assert recover_publication(shop.warehouse) is None
    assert shop.warehouse.rows("SELECT status FROM governance.runs WHERE run_id = ?", [run_id]) == [
        ("published",)
    ]
    # Whoever reads several tables of one set names it; it stays what it was.
    (first,) = [name for name in shop.schemas() if name.endswith("1_run1_analyst")]
    assert shop.versions(f"{first}.dim_profiles") == {1}


def test_a_candidate_that_shows_what_a_role_may_not_see_goes_nowhere(shop: SnowflakeShop) -> None:
    before = shop.versions()
    run = shop.begin()

    def spoilt(place: Place) -> bool:
        from expectations.serving import validate_set

        snowflake_shelf(shop.warehouse)._run(
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
    assert shop.versions() == before


def test_the_newest_sets_are_kept_and_no_others(shop: SnowflakeShop) -> None:
    (before,) = shop.versions()
    shop.publish(validate=lambda place: True)
    assert shop.versions() == {shop.version}
    # Two are kept, the current one included.
    assert numbers(shop.schemas()) == {before, shop.version}
