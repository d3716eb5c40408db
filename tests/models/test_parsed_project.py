"""A deployment that dbt parses from what it parsed before is parsed as from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdp.generation import generate
from cdp.warehouse.modelling import Models
from cdp.warehouse.settings import PROJECT_ROOT, load_settings

pytestmark = pytest.mark.integration

OF_THE_PARSING = ("created_at", "root_path")
SEEDS = "dbt/project"
"""Where a configuration elsewhere has its project, below the home."""


def parsed(home: Path, config: Path) -> dict[str, dict[str, Any]]:
    """What the project of a configuration says, by the ids of its parts."""
    settings = load_settings(home=home, config=config)
    manifest = Models(settings, generate(settings)).manifest().writable_manifest().to_dict()
    seeds = [node for node in manifest["nodes"].values() if node["resource_type"] == "seed"]
    assert {seed["root_path"] for seed in seeds} == {str(home / SEEDS)}
    return {
        unique_id: {name: told for name, told in part.items() if name not in OF_THE_PARSING}
        for kind in ("nodes", "sources", "macros", "unit_tests", "child_map", "docs")
        for unique_id, part in manifest[kind].items()
        if isinstance(part, dict)
    } | {
        f"parents of {unique_id}": {"of": sorted(parents)}
        for unique_id, parents in manifest["parent_map"].items()
    }


def test_a_project_is_the_same_whatever_was_parsed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = PROJECT_ROOT / "examples" / "online_retail"
    after_another = parsed(tmp_path / "after", config)
    monkeypatch.delenv("DBT_PARTIAL_PARSE_FILE_PATH")
    assert after_another == parsed(tmp_path / "anew", config)
