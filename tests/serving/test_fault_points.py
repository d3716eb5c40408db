"""The list of fault points and the code agree."""

from __future__ import annotations

import re

from cdp.warehouse.fault_points import POINTS
from cdp.warehouse.settings import PROJECT_ROOT

CODE = ("cdp", "ingestion", "expectations", "orchestration", "dbt_project")


def passed_in_code() -> set[str]:
    found = set()
    for folder in CODE:
        for path in (PROJECT_ROOT / folder).rglob("*.py"):
            found |= set(re.findall(r"\breached\(\s*\"([^\"]+)\"", path.read_text("utf-8")))
    return found


def test_every_point_that_the_code_passes_is_declared() -> None:
    assert passed_in_code() - set(POINTS) == set()


def test_every_declared_point_of_publishing_is_passed_by_the_code() -> None:
    declared = {point for point in POINTS if point.startswith("publish.")}
    assert declared - passed_in_code() == set()
