"""`config/roles.yml`: who finds which tables, and mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp.config.roles import Role, expand, load_roles
from cdp.config.yaml_text import ConfigError
from cdp.warehouse.settings import PROJECT_ROOT, load_settings

TABLES = [
    ("segments", "loyal_customers"),
    ("segments", "int_segment_features"),
    ("segments", "fct_segment_memberships"),
    ("profiles", "dim_profiles"),
]

VALID = "roles:\n  a:\n    description: x\n    shows: []\n    core: [profiles.dim_profiles]\n"


def load_text(folder: Path, text: str) -> dict[str, Role]:
    (folder / "roles.yml").write_text(text)
    return load_roles(load_settings(config=folder))


def test_the_shipped_analyst_is_shown_no_personal_data_and_marketing_all() -> None:
    roles = load_roles(load_settings(config=PROJECT_ROOT / "config"))
    assert {name: role.shows for name, role in roles.items()} == {"analyst": (), "marketing": "all"}


def test_a_star_takes_what_people_read_and_leaves_inner_tables_out() -> None:
    assert expand(["segments.*"], TABLES) == [
        ("segments", "fct_segment_memberships"),
        ("segments", "loyal_customers"),
    ]


def test_an_inner_table_can_be_named_in_full_and_a_table_named_twice_is_there_once() -> None:
    assert expand(["segments.int_segment_features", "segments.int_*", "profiles.*"], TABLES) == [
        ("segments", "int_segment_features"),
        ("profiles", "dim_profiles"),
    ]


def test_a_role_sees_what_is_not_personal_and_the_classes_that_it_is_shown(tmp_path: Path) -> None:
    role = load_text(tmp_path, VALID.replace("[]", "[name, email]"))["a"]
    assert role.sees_class(None)
    assert role.sees_class("email")
    assert not role.sees_class("phone")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("role: {}\n", r"roles\.yml:1: 'role' is not known here; allowed: roles"),
        ("roles: {}\n", r":1: expected `roles:` with at least one role"),
        (VALID.replace("[]", "[nmae]"), r":4: .*'nmae'; allowed: .*did you mean 'name'"),
        (VALID.replace("[]", "some"), r":4: `shows` is `all` or a list of classes"),
        (VALID.replace("    shows: []\n", ""), r"`shows` is `all` or a list"),
        (VALID.replace("profiles.dim", "dim"), r":5: core: expected schema\.table"),
        (
            VALID.replace("profiles.dim_profiles", "'*.dim_profiles'"),
            r":5: core: expected schema\.table",
        ),
        (VALID.replace("core", "cores"), r":2: core: Field required"),
        (VALID.replace("  a:", "  ../a:"), r"name: String should match pattern"),
        ("roles:\n  a: yes\n", r":2: expected a mapping that declares the role"),
    ],
)
def test_a_mistake_is_shown_with_its_line_and_what_is_allowed(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_text(tmp_path, text)
