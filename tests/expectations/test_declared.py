"""The data tests that models declare in their YAML become checks of the gate."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdp.generation import SHIPPED_PROJECT
from expectations.declared import UnknownTest, canonical_type
from expectations.gates import validate
from tests.expectations.tiny_warehouse import CANARY, TinyWarehouse


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the shipped project's declarations."""
    folder = tmp_path / "project"
    for path in (SHIPPED_PROJECT / "models").rglob("*.yml"):
        target = folder / path.relative_to(SHIPPED_PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


def declare(project: Path, model: str, column: str, *tests: Any) -> None:
    """Add data tests to a column of a model of profiles."""
    path = project / "models" / "profiles" / "_models.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    (node,) = [each for each in document["models"] if each["name"] == model]
    (entry,) = [each for each in node["columns"] if each["name"] == column]
    entry["data_tests"] = list(tests)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


DECLARED: list[tuple[str, Any, str, str]] = [
    (
        "status",
        "not_null",
        "UPDATE profiles.fct_orders SET status = NULL WHERE order_key = 'x1'",
        "has no missing values in status",
    ),
    (
        "channel",
        "unique",
        "UPDATE profiles.fct_orders SET channel = 'web'",
        "has one row per channel",
    ),
    (
        "status",
        {"accepted_values": {"arguments": {"values": ["paid", "it's shipped"]}}},
        f"UPDATE profiles.fct_orders SET status = '{CANARY}' WHERE order_key = 'x2'",
        "has in status only values that are declared",
    ),
    (
        "total_amount",
        {"dbt_utils.accepted_range": {"arguments": {"min_value": 0, "max_value": 100}}},
        "UPDATE profiles.fct_orders SET total_amount = 100.5 WHERE order_key = 'x2'",
        "has in total_amount only values of at least 0 and at most 100",
    ),
    (
        "currency",
        {
            "relationships": {
                "arguments": {"to": "ref('int_exchange_rates')", "field": "currency"},
            }
        },
        "UPDATE profiles.fct_orders SET currency = 'XXX' WHERE order_key = 'x2'",
        "has every currency in profiles.int_exchange_rates",
    ),
]


@pytest.mark.parametrize(("column", "test", "fault", "check"), DECLARED, ids=lambda each: None)
def test_a_declared_data_test_is_checked(
    tiny: TinyWarehouse, project: Path, column: str, test: Any, fault: str, check: str
) -> None:
    tiny.plant(
        "UPDATE profiles.fct_orders SET status = 'paid', currency = 'USD', total_amount = 10, "
        "channel = order_key"
    )
    declare(project, "fct_orders", column, test)
    assert validate("profiles", tiny.store, tiny.run, project=project).passed
    tiny.plant(fault)
    (failed,) = validate("profiles", tiny.store, tiny.run, project=project).failed
    assert (failed.table, failed.name) == ("profiles.fct_orders", check)
    assert CANARY not in repr(failed)


def test_a_data_test_that_the_gates_do_not_know_is_no_check_passed_in_silence(
    tiny: TinyWarehouse, project: Path
) -> None:
    declare(project, "fct_orders", "status", {"dbt_expectations.expect_shiny": {}})
    with pytest.raises(UnknownTest, match=r"profiles\.fct_orders\.status.*expect_shiny"):
        validate("profiles", tiny.store, tiny.run, project=project)


@pytest.mark.parametrize(
    ("declared", "canonical"),
    [
        ("varchar", "VARCHAR"),
        ("string", "VARCHAR"),
        ("varchar(20)", "VARCHAR"),
        ("decimal(18, 4)", "DECIMAL(18,4)"),
        ("int64", "BIGINT"),
        ("timestamp", "TIMESTAMP"),
    ],
)
def test_a_type_is_the_same_under_each_of_its_names(declared: str, canonical: str) -> None:
    assert canonical_type(declared) == canonical
