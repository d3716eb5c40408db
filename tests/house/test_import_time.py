"""Nothing works at import time, and nobody pays for a tool that is not used."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from cdp.warehouse.settings import PROJECT_ROOT
from tests.house.project_files import is_within, module_name, modules

TOOLS_NOT_TO_BRING = {
    "cdp": {"dagster", "dbt", "dlt", "great_expectations", "pandas"},
    "ingestion": {"dagster", "dbt", "great_expectations"},
    "expectations": {"dagster", "dbt", "dlt", "great_expectations"},
    "orchestration": {"great_expectations"},
}
"""Each costs seconds to import, so it is imported in the function that needs it."""


def imported(package: str) -> dict[str, Any]:
    names = [module_name(path) for path in modules() if is_within(module_name(path), package)]
    names = [name for name in names if not name.endswith("__main__")]
    child = subprocess.run(
        [sys.executable, "-m", "tests.house.import_everything", *names],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return dict(json.loads(child.stdout))


@pytest.mark.parametrize("package", TOOLS_NOT_TO_BRING)
def test_importing_does_no_work_and_brings_no_tool_that_is_not_its_own(package: str) -> None:
    found = imported(package)
    assert found["deeds"] == []
    unwanted = {
        module: sorted(TOOLS_NOT_TO_BRING[package] & set(brought))
        for module, brought in found["brings"].items()
        if TOOLS_NOT_TO_BRING[package] & set(brought)
    }
    assert unwanted == {}
