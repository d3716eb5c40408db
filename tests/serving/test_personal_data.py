"""The map of personal data: what it answers, what it refuses, and that it misses no column."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp.config.personal_data import (
    CLASSES,
    Column,
    PersonalData,
    UndeclaredColumns,
    load_personal_data,
)
from cdp.config.yaml_text import ConfigError
from cdp.warehouse.model_catalogue import load_catalogue, warehouse_columns
from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from tests.serving.tiny_shop import TinyShop

SHIPPED = PROJECT_ROOT / "dbt_project"


def shipped_map() -> PersonalData:
    return load_personal_data(load_settings(config=PROJECT_ROOT / "config"))


def load_text(folder: Path, text: str) -> PersonalData:
    (folder / "personal_data.yml").write_text(text)
    return load_personal_data(load_settings(config=folder))


def test_every_column_of_every_model_is_declared() -> None:
    personal = shipped_map()
    columns = [
        column for model in load_catalogue(SHIPPED).values() for column in model.typed_columns()
    ]
    assert len(columns) > 200
    missing = [str(column) for column in personal.undeclared(columns)]
    assert missing == [], f"say in config/personal_data.yml what these columns hold: {missing}"


def test_every_column_of_every_model_has_a_type_to_go_by() -> None:
    untyped = [
        f"{model.schema}.{model.name}.{column}"
        for model in load_catalogue(SHIPPED).values()
        for column, (kind, _) in model.columns.items()
        if not kind
    ]
    assert untyped == []


def test_every_column_that_publishing_itself_keeps_is_declared(shop: TinyShop) -> None:
    shop.run("first")
    assert shipped_map().undeclared(warehouse_columns(shop.warehouse)) == []


def test_a_new_text_column_is_undeclared_until_somebody_says_what_it_holds() -> None:
    column = Column("profiles", "dim_profiles", "shoe_colour", "varchar")
    with pytest.raises(
        UndeclaredColumns, match=r"profiles\.dim_profiles\.shoe_colour \(varchar\); give each a"
    ):
        shipped_map().class_of(column)


@pytest.mark.parametrize(
    "kind", ["bigint", "DECIMAL(18,4)", "boolean", "timestamp", "HUGEINT", "double", "integer"]
)
def test_numbers_booleans_and_moments_are_plain_by_their_type(kind: str) -> None:
    assert shipped_map().class_of(Column("profiles", "any", "anything", kind)) is None


@pytest.mark.parametrize("kind", ["varchar", "date", "blob", "json", "varchar[]", "struct(a int)"])
def test_what_can_hold_words_or_a_birthday_must_be_declared(kind: str) -> None:
    column = Column("profiles", "any", "anything", kind)
    assert shipped_map().undeclared([column]) == [column]


def test_a_number_that_is_declared_personal_is_personal(tmp_path: Path) -> None:
    personal = load_text(tmp_path, "everywhere: {phone: phone}\n")
    assert personal.class_of(Column("a", "b", "phone", "bigint")) == "phone"


def test_what_a_table_says_of_its_column_wins_and_the_longer_pattern_before_the_shorter(
    tmp_path: Path,
) -> None:
    personal = load_text(
        tmp_path,
        "everywhere: {name: name}\nplain: [title]\ntables:\n"
        "  staging.stg_*: {name: free_text}\n"
        "  staging.stg_*__products: {name: plain, title: name}\n",
    )
    assert personal.class_of(Column("profiles", "x", "name", "varchar")) == "name"
    assert personal.class_of(Column("staging", "stg_a__people", "name", "varchar")) == "free_text"
    assert personal.class_of(Column("staging", "stg_a__products", "name", "varchar")) is None
    assert personal.class_of(Column("staging", "stg_a__products", "title", "varchar")) == "name"
    assert personal.class_of(Column("staging", "stg_a__people", "title", "varchar")) is None


def test_names_are_the_same_in_upper_and_lower_case(tmp_path: Path) -> None:
    personal = load_text(tmp_path, "tables:\n  Raw.Web: {Payload: payload}\n")
    assert personal.class_of(Column("raw", "WEB", "PAYLOAD", "varchar")) == "payload"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "everywhere:\n  email: e-mail\n",
            r"personal_data\.yml:2: .*did you mean|:2: column 'email'",
        ),
        ("anywhere: {}\n", r"personal_data\.yml:1: 'anywhere' is not known here; allowed:"),
        ("plain: email\n", r":1: expected a list of column names"),
        ("tables:\n  dim_profiles: {a: plain}\n", r":2: 'dim_profiles' is not of the form"),
        ("tables:\n  a.b: [email]\n", r":2: expected a mapping of columns"),
        ("everywhere: {email: email}\nplain:\n  - source\n  - email\n", r":4: the column 'email'"),
    ],
)
def test_a_mistake_is_shown_with_its_line_and_what_is_allowed(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_text(tmp_path, text)


def test_every_class_that_the_shipped_map_uses_is_described() -> None:
    personal = shipped_map()
    used = set(personal.everywhere.values()).union(
        *(columns.values() for columns in personal.tables.values())
    )
    assert used - {"plain"} <= set(CLASSES)
    assert all(text.endswith(".") for text in CLASSES.values())
