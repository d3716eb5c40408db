"""A table or a view that is made anew: the former one stays until the new one is there.

Belongs here: the project's own materializations, on a project of one model. Does not belong here:
what any shipped model says.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp.warehouse.modelling import Models, ModelsFailed
from cdp.warehouse.runs import begin_run
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse

pytestmark = pytest.mark.integration

PROJECT = """
name: tributary
version: "0.1.0"
config-version: 2
profile: tributary
flags: {send_anonymous_usage_stats: false}
"""
MATERIALIZATIONS = PROJECT_ROOT / "dbt_project/macros/engine/duckdb/materializations.sql"
KINDS = "SELECT table_type FROM information_schema.tables WHERE table_name = 'made'"


class OneModel:
    """A project whose one model is called `made`."""

    def __init__(self, settings: Settings, project: Path, warehouse: Warehouse) -> None:
        self.settings, self.project, self.warehouse = settings, project, warehouse
        self._run = begin_run(warehouse, "run-1", "test")
        (project / "models").mkdir(parents=True)
        for empty in ("macros", "seeds"):
            (project / empty).mkdir()
        (project / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
        shutil.copy(MATERIALIZATIONS, project / "macros")

    def build(self, kind: str, sql: str) -> None:
        config = f"{{{{ config(materialized='{kind}') }}}}\n"
        (self.project / "models" / "made.sql").write_text(config + sql, encoding="utf-8")
        models = Models(self.settings, self.project)
        models.build(self.warehouse, self._run, "staging", select=["made"])

    def kind_and_rows(self) -> tuple[str, list[tuple[int]]]:
        ((kind,),) = self.warehouse.rows(KINDS)
        return kind, self.warehouse.rows("SELECT * FROM main.made ORDER BY 1")


@pytest.fixture
def one_model(tmp_path: Path) -> Iterator[OneModel]:
    settings = load_settings(home=tmp_path / "home")
    with open_warehouse(settings) as warehouse:
        yield OneModel(settings, tmp_path / "project", warehouse)


def test_a_table_may_read_what_it_replaces(one_model: OneModel) -> None:
    one_model.build("table", "select 1 as n")
    one_model.build("table", "select n + 1 as n from {{ this }} union all select 7")
    assert one_model.kind_and_rows() == ("BASE TABLE", [(2,), (7,)])


@pytest.mark.parametrize(
    ("before", "after", "kind"), [("table", "view", "VIEW"), ("view", "table", "BASE TABLE")]
)
def test_a_model_may_become_of_another_kind(
    one_model: OneModel, before: str, after: str, kind: str
) -> None:
    one_model.build(before, "select 1 as n")
    one_model.build(after, "select 2 as n")
    assert one_model.kind_and_rows() == (kind, [(2,)])


@pytest.mark.parametrize("after", ["table", "view"])
def test_a_model_that_fails_leaves_what_was_there(one_model: OneModel, after: str) -> None:
    one_model.build("table", "select 1 as n")
    with pytest.raises(ModelsFailed, match="nowhere"):
        one_model.build(after, "select n from nowhere")
    assert one_model.kind_and_rows() == ("BASE TABLE", [(1,)])
