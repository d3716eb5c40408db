"""The asset graph: what stands in it, and that nobody gets past a gate."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp.warehouse.runs import STAGES
from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from orchestration.definitions import definitions_of
from orchestration.deployment import Deployment, load_deployment
from orchestration.gates import gate_tables
from orchestration.raw import step_name
from tests.orchestration.asset_graph import SNAPSHOT, as_text, graph_of

GROUPS = {"source", "raw", "staging", "identity", "profiles", "segments", "governance", "serving"}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    home = tmp_path_factory.mktemp("graph")
    return load_deployment(load_settings(home=home, config=PROJECT_ROOT / "config"))


@pytest.fixture(scope="module")
def definitions(deployment: Deployment) -> dg.Definitions:
    return definitions_of(deployment)


def test_the_graph_is_the_committed_one(definitions: dg.Definitions) -> None:
    assert as_text(graph_of(definitions)) == SNAPSHOT.read_text(encoding="utf-8"), (
        "the asset graph has changed; if that is meant, write it anew with "
        "`python -m tests.orchestration.asset_graph` and commit it"
    )


def test_an_asset_is_of_the_kind_that_the_target_makes_it(deployment: Deployment) -> None:
    elsewhere = replace(
        deployment,
        settings=deployment.settings.model_copy(update={"target": "snowflake"}),
        manifest={
            **deployment.manifest,
            "metadata": {**deployment.manifest["metadata"], "adapter_type": "snowflake"},
        },
    )
    kinds = {key: set(asset["kinds"]) for key, asset in graph_of(definitions_of(elsewhere)).items()}
    assert [key for key, found in kinds.items() if "duckdb" in found] == []
    assert [key for key in kinds if key[:7] != "source/" and "snowflake" not in kinds[key]] == []
    assert kinds["serving/analyst"] == {"snowflake"}


def test_every_table_stands_in_the_group_of_its_schema(definitions: dg.Definitions) -> None:
    for key, asset in graph_of(definitions).items():
        assert asset["group"] == key.split("/")[0]
        assert asset["group"] in GROUPS


def test_whoever_starts_the_ui_starts_what_watches_too(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {each.name: each.default_status for each in repository.schedule_defs} == {
        "daily": dg.DefaultScheduleStatus.RUNNING
    }
    running = dg.DefaultSensorStatus.RUNNING
    assert {each.name: each.default_status for each in repository.sensor_defs} == {
        "landing_folders": running,
        "lost_runs": running,
        "failed_runs": running,
    }
    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} >= {
        "main",
        "reextract",
    }


def test_every_asset_says_what_it_is(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assert [key for key in graph.get_all_asset_keys() if not graph.get(key).description] == []


def test_every_asset_has_an_owner_and_a_model_says_whether_it_is_current_or_recorded(
    definitions: dg.Definitions, deployment: Deployment
) -> None:
    graph = definitions.resolve_asset_graph()
    assert [key for key in graph.get_all_asset_keys() if not graph.get(key).owners] == []
    for node in deployment.manifest["nodes"].values():
        if node["resource_type"] == "model":
            asset = graph.get(dg.AssetKey([node["schema"], node["name"]]))
            assert {"current", "recorded"} & set(asset.tags), node["name"]


def test_each_published_set_comes_from_every_source(
    definitions: dg.Definitions, deployment: Deployment
) -> None:
    graph = graph_of(definitions)

    def above(key: str, seen: set[str]) -> set[str]:
        for parent in graph[key]["deps"]:
            if parent not in seen:
                seen.add(parent)
                above(parent, seen)
        return seen

    for role in deployment.roles:
        ancestors = above(f"serving/{role}", set())
        assert {f"source/{name}" for name in deployment.sources} <= ancestors


def test_no_stage_is_begun_before_the_gate_of_the_one_before(
    definitions: dg.Definitions, deployment: Deployment
) -> None:
    main = definitions.resolve_job_def("main")
    dependencies = {
        node.name: {output.node_name for output in _upstream(main, node.name)}
        for node in main.graph.nodes
    }
    after = dict(zip(STAGES, [*(f"build_{stage}" for stage in STAGES[1:]), "publish"], strict=True))
    for stage, next_step in after.items():
        assert f"{stage}_gate" in dependencies[next_step]
    assert [name for name in dependencies if name.startswith("build_")] != []


def _upstream(job: dg.JobDefinition, node: str) -> list[Any]:
    structure = job.graph.dependency_structure
    return [
        output
        for outputs in structure.input_to_upstream_outputs_for_node(node).values()
        for output in outputs
    ]


def test_a_gate_stands_on_a_table_of_its_own_stage(deployment: Deployment) -> None:
    for stage in STAGES:
        assert {key.path[0] for key in gate_tables(deployment, stage)} == {stage}


def test_every_step_holds_the_one_warehouse(definitions: dg.Definitions) -> None:
    main = definitions.resolve_job_def("main")
    for node in main.graph.nodes:
        assert node.definition.pools == {"warehouse"}, node.name
        assert "warehouse" in main.get_required_resource_defs()


def test_a_source_that_does_not_answer_is_asked_again_later(
    definitions: dg.Definitions, deployment: Deployment
) -> None:
    main = definitions.resolve_job_def("main")
    for source in deployment.sources:
        step = main.graph.node_named(step_name(source)).definition
        assert isinstance(step, dg.OpDefinition)
        policy = step.retry_policy
        assert policy is not None
        assert policy.max_retries == 3
        assert policy.backoff == dg.Backoff.EXPONENTIAL


def test_every_model_is_built_in_exactly_one_stage(deployment: Deployment) -> None:
    for node in deployment.manifest["nodes"].values():
        if node["resource_type"] == "model":
            stages = [stage for stage in STAGES if stage in node["tags"]]
            assert len(stages) == 1, (node["name"], stages)


def test_importing_the_definitions_does_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, orchestration.definitions; "
        "print([name for name in ('great_expectations', 'dlt') if name in sys.modules])"
    )
    home = tmp_path / "never"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"CDP_HOME": str(home), "PATH": "", "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
    assert not home.exists()


def test_loading_the_definitions_again_writes_nothing(deployment: Deployment) -> None:
    before = _state(deployment)
    definitions_of(load_deployment(deployment.settings)).resolve_job_def("main")
    assert _state(deployment) == before


def test_the_kept_project_is_the_parsed_one(deployment: Deployment) -> None:
    again = load_deployment(deployment.settings)
    assert json.dumps(again.manifest, sort_keys=True) == json.dumps(
        deployment.manifest, sort_keys=True, default=str
    )


def _state(deployment: Deployment) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns
        for folder in (deployment.settings.home, deployment.project)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "project.lock"
    }
