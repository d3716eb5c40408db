"""What a role may not see is in none of its files."""

from __future__ import annotations

import grp
import os
import shutil
import stat
from pathlib import Path

import duckdb
import pytest

from cdp.config.personal_data import load_personal_data
from cdp.warehouse import set_files
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.publishing import PublishRefused
from cdp.warehouse.readers import open_reader
from tests.serving.tiny_shop import CANARY, READ, TinyShop

PEOPLE = 200


@pytest.fixture(autouse=True)
def canaries_in_personal_columns_alone(shop: TinyShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the canary stand where the map of personal data says, with a number so that each text is
    another one, and have files keep bytes as they are, so that they can be searched."""
    personal = load_personal_data(shop.settings)
    models = {model.name: model for model in load_catalogue(shop.project).values()}
    fill = TinyShop._table

    def planted(self: TinyShop, model: object) -> str:
        name = model.name  # type: ignore[attr-defined]
        sql = fill(self, model)  # type: ignore[arg-type]
        for column in models[name].typed_columns():
            before = f"CAST('{CANARY}' AS {column.type}) AS {column.name}"
            kind = personal.class_of(column)
            text = f"'{CANARY}.' || n" if kind else f"'plain {column.name}'"
            # The whole item of the select list: `url` must not be found in `page_url`.
            sql = sql.replace(before, f"CAST({text} AS {column.type}) AS {column.name}")
        return sql

    monkeypatch.setattr(TinyShop, "_table", planted)
    shop.people = PEOPLE
    shop.warehouse.execute("SET GLOBAL force_compression = 'uncompressed'")


def bytes_of(shop: TinyShop, role: str) -> bytes:
    folder = shop.settings.serving_dir / "current" / role
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def test_no_byte_of_a_personal_value_is_in_any_file_of_the_analyst(shop: TinyShop) -> None:
    shop.run("first")
    assert CANARY.encode() not in bytes_of(shop, "analyst")
    assert bytes_of(shop, "marketing").count(CANARY.encode()) > PEOPLE


def test_no_byte_of_a_personal_value_is_there_after_sets_were_built_on_one_another(
    shop: TinyShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_files, "_SMALL_SHARE", 1.0)
    ways = set()
    for number in range(4):
        shop.version = number
        ways |= set(shop.run(f"run{number}").files.values())
    assert ways == {"written", "patched"}
    assert CANARY.encode() not in bytes_of(shop, "analyst")


def test_a_masked_column_keeps_its_place_and_its_type_and_is_null_in_every_row(
    shop: TinyShop,
) -> None:
    shop.run("first")
    personal = load_personal_data(shop.settings)
    models = {model.name: model for model in load_catalogue(shop.project).values()}
    with (
        open_reader(shop.settings, "analyst") as analyst,
        open_reader(shop.settings, "marketing") as marketing,
    ):
        for name in READ:
            shape = f"SELECT column_name, column_type FROM (DESCRIBE {name})"
            assert analyst.execute(shape).fetchall() == marketing.execute(shape).fetchall()
            for column in models[name].typed_columns():
                count = f"SELECT count({column.name}), count(*) FROM {name}"
                seen, rows = analyst.execute(count).fetchall()[0]
                if personal.class_of(column):
                    assert seen == 0, column
                assert rows > 0
                assert marketing.execute(count).fetchall()[0][0] == rows, column


def test_a_segment_masks_what_its_profiles_mask(shop: TinyShop) -> None:
    shop.run("first")
    for role, expected in (("analyst", 0), ("marketing", PEOPLE // 2)):
        with open_reader(shop.settings, role) as reader:
            assert reader.execute(
                "SELECT count(email), count(*) FROM loyal_customers"
            ).fetchall() == [(expected, PEOPLE // 2)]


def test_the_file_says_which_columns_are_masked(shop: TinyShop) -> None:
    shop.run("first")
    with open_reader(shop.settings, "analyst") as reader:
        assert reader.execute(
            "SELECT column_name, personal_data, is_shown FROM core.about.columns "
            "WHERE table_name = 'dim_profiles' AND column_name IN ('email', 'country') ORDER BY 1"
        ).fetchall() == [("country", None, True), ("email", "email", False)]


def roles_instead(shop: TinyShop, tmp_path: Path, text: str) -> None:
    config = tmp_path / "config"
    shutil.copytree(shop.settings.config, config)
    (config / "roles.yml").write_text(text)
    shop.warehouse.settings = shop.settings.model_copy(update={"config": config})


def test_a_role_can_be_shown_some_classes_of_personal_data_and_not_others(
    shop: TinyShop, tmp_path: Path
) -> None:
    roles_instead(
        shop,
        tmp_path,
        "roles:\n  support:\n    description: Answers people.\n    shows: [name]\n"
        "    core: [profiles.dim_profiles]\n",
    )
    shop.run("first")
    with open_reader(shop.settings, "support") as reader:
        assert reader.execute(
            "SELECT count(first_name), count(email) FROM dim_profiles"
        ).fetchall() == [(PEOPLE, 0)]


def test_the_folder_of_a_role_with_a_group_is_shut_to_others(
    shop: TinyShop, tmp_path: Path
) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    roles_instead(
        shop,
        tmp_path,
        "roles:\n  support:\n    description: Answers people.\n    shows: []\n"
        f"    group: {group}\n    core: [profiles.dim_profiles]\n",
    )
    folder = shop.run("first").set_path / "support"
    assert folder.group() == group
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_a_role_of_a_group_that_the_machine_does_not_have_stops_publishing(
    shop: TinyShop, tmp_path: Path
) -> None:
    roles_instead(
        shop,
        tmp_path,
        "roles:\n  support:\n    description: Answers people.\n    shows: []\n"
        "    group: no-such-group-here\n    core: [profiles.dim_profiles]\n",
    )
    run = shop.begin("first")
    shop.build(run)
    with pytest.raises(PublishRefused, match="group no-such-group-here"):
        shop.publish(run)


def test_a_role_that_names_a_table_that_is_not_there_stops_publishing(
    shop: TinyShop, tmp_path: Path
) -> None:
    roles_instead(
        shop,
        tmp_path,
        "roles:\n  support:\n    description: Answers people.\n    shows: []\n"
        "    core: [profiles.dim_peopel]\n",
    )
    run = shop.begin("first")
    shop.build(run)
    with pytest.raises(PublishRefused, match=r"role support the table profiles\.dim_peopel"):
        shop.publish(run)


def test_a_reader_of_a_file_cannot_find_the_writer_s_path_in_it(shop: TinyShop) -> None:
    shop.run("first")
    assert str(shop.settings.warehouse_file).encode() not in bytes_of(shop, "analyst")
    with duckdb.connect(
        shop.settings.serving_dir / "current" / "analyst" / "core.duckdb", read_only=True
    ) as file:
        assert file.execute(
            "SELECT count(*) FROM duckdb_views() WHERE NOT internal AND sql LIKE '%warehouse%'"
        ).fetchall() == [(0,)]
