"""The asset graph as text, for the committed snapshot that a changed graph shows in.

`python -m tests.orchestration.asset_graph` writes the snapshot anew; commit it with the change.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg

from cdp.warehouse.settings import load_settings
from orchestration.definitions import definitions_of
from orchestration.deployment import load_deployment

SNAPSHOT = Path(__file__).with_name("asset_graph.json")


def graph_of(definitions: dg.Definitions) -> dict[str, Any]:
    """Every asset by key: what it depends on, its group, kinds, tags, checks, and its step."""
    graph = definitions.resolve_asset_graph()
    checks: dict[str, list[str]] = {}
    for check in graph.asset_check_keys:
        checks.setdefault(check.asset_key.to_user_string(), []).append(check.name)
    described = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        kinds = sorted(
            tag.rsplit("/", 1)[1] for tag in node.tags if tag.startswith("dagster/kind/")
        )
        described[key.to_user_string()] = {
            "deps": sorted(parent.to_user_string() for parent in node.parent_keys),
            "group": node.group_name,
            "kinds": kinds,
            "tags": sorted(tag for tag in node.tags if not tag.startswith("dagster/")),
            "checks": sorted(checks.get(key.to_user_string(), [])),
            "made": node.is_executable,
        }
    return described


def as_text(graph: dict[str, Any]) -> str:
    """The snapshot's text: one line for each fact, so that a diff reads well."""
    return json.dumps(graph, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        deployment = load_deployment(load_settings(home=home))
        SNAPSHOT.write_text(as_text(graph_of(definitions_of(deployment))), encoding="utf-8")
    print(f"written: {SNAPSHOT}")
