"""Declarations of segments and traits are read as written, and wrong ones are refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp import generation
from cdp.config.yaml_text import ConfigError
from cdp.segmentation.definitions import load_catalogue, load_definitions
from cdp.segmentation.generation import models
from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from tests.segmentation.rules import CATALOGUE, segment

GOOD = """name: regulars
description: Who comes back.
owner: a@example.com
purpose: marketing
rule: order_count > 1
"""


def load(tmp_path: Path, text: str, name: str = "regulars") -> None:
    """Load one segment file."""
    (tmp_path / "segments").mkdir(exist_ok=True)
    (tmp_path / "segments" / f"{name}.yml").write_text(text, encoding="utf-8")
    load_definitions(tmp_path, CATALOGUE, "USD")


def test_the_shipped_segments_are_the_four_of_the_handbook() -> None:
    found = load_definitions(PROJECT_ROOT / "config", CATALOGUE, "USD")
    assert {each.name: each.rule_text for each in found} == {
        "active_cart_abandoners": "did 'Product Added' within 24 hours "
        "AND NOT did 'Order Completed' since last 'Product Added'",
        "high_value_recent": "last_purchase_date within 30 days AND total_spent > $500",
        "loyal_customers": "order_count >= 3 AND last_purchase_date within 60 days",
        "new_visitors": "first seen within 7 days",
    }


def test_the_committed_models_are_those_that_the_declarations_ask_for() -> None:
    assert not generation.drift(load_settings(config=PROJECT_ROOT / "config"))


def test_generating_twice_gives_the_same_bytes_in_whatever_order_segments_come() -> None:
    one, other = segment("one", "order_count > 1"), segment("other", "did 'a' since last 'b'")
    assert models([one, other], CATALOGUE) == models([other, one], CATALOGUE)


REFUSED = {
    "an unknown key": (
        GOOD + "rules: x\n",
        "regulars.yml:6: unknown key 'rules'; "
        "allowed: description, name, owner, purpose, rule (did you mean 'rule'?)",
    ),
    "a missing key": (
        GOOD.replace("owner: a@example.com\n", ""),
        "regulars.yml:1: `owner` is missing",
    ),
    "a name unlike the file's": (
        GOOD.replace("regulars", "others"),
        "regulars.yml:1: the segment 'others' belongs into a file of its name, others.yml",
    ),
    "a name that is no table's": (
        GOOD.replace("regulars", "Regulars!"),
        "regulars.yml:1: the name of a segment has lower-case letters, digits and underscores, "
        "begins with a letter and has at most 55 characters",
    ),
    "a number for a rule": (
        GOOD.replace("order_count > 1", "1"),
        "regulars.yml:5: `rule`: Input should be a valid string",
    ),
    "a wrong rule": (
        GOOD.replace("order_count", "order_cuont"),
        "regulars.yml:5: rule, column 1: unknown trait 'order_cuont' (did you mean 'order_count'?)",
    ),
    "a wrong rule in a block": (
        GOOD.replace(" order_count > 1", " |\n  order_count > 1\n  AND order_cuont > 2"),
        "regulars.yml:7: rule, column 5: unknown trait 'order_cuont' (did you mean 'order_count'?)",
    ),
    "a control character": (
        GOOD.replace("Who comes back.", '"Who\\u0007"'),
        "regulars.yml:2: `description`: Value error, control characters are not allowed",
    ),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_declaration_is_refused_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert str(caught.value).removeprefix(f"{tmp_path}/segments/") == told


@pytest.mark.parametrize("name", ["select", "dim_people", "segment_sizes", "table", "fct_x"])
def test_a_segment_takes_no_name_of_sql_or_of_the_platform(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a table"):
        load(tmp_path, GOOD.replace("regulars", name), name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("traits:\n  within: {type: number, label: x, description: y}", "word of the rule"),
        ("traits:\n  a: {type: colour, label: x, description: y}", "`traits.a.type`"),
        ('traits:\n  a: {type: text, label: "x\'; --\\n", description: y}', "`traits.a.label`"),
        (
            "traits:\n  a: {type: text, label: x, description: y, column: 'b; drop'}",
            "`traits.a.column`",
        ),
        ("traits:\n  a b: {type: text, label: x, description: y}", "the name of a trait"),
        ("trait: {}", "unknown key 'trait'"),
    ],
)
def test_a_wrong_trait_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "traits").mkdir()
    (tmp_path / "traits" / "x.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        load_catalogue(tmp_path)


def test_a_trait_stands_in_one_file_alone(tmp_path: Path) -> None:
    (tmp_path / "traits").mkdir()
    for name in ("x", "y"):
        (tmp_path / "traits" / f"{name}.yml").write_text(
            "traits:\n  a: {type: text, label: x, description: y}", encoding="utf-8"
        )
    with pytest.raises(ConfigError, match=r"y\.yml:2: the trait 'a' stands in another file too"):
        load_catalogue(tmp_path)
