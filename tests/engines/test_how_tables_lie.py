"""How large tables lie on disk, as their models say it, an engine after the other.

Belongs here: the configs of models as each engine has them, and what the materializations of Spark
make of them. Does not belong here: statements that are run (`test_bigquery_models`,
`test_snowflake_models`, `test_models_alike`).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jinja2
import pytest

from cdp.generation import generate
from cdp.warehouse.modelling import Models
from cdp.warehouse.settings import Settings, load_settings

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not find_spec("dbt.adapters.spark"), reason="needs what `make engines` installs"
    ),
]

LARGE = {
    "fct_events",
    "fct_orders",
    "fct_sessions",
    "dim_profiles",
    "dim_identifiers",
    "fct_identity_edges",
    "int_identifier_values",
    "fct_segment_memberships",
}
"""Tables that grow with the company."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(home=tmp_path_factory.mktemp("lake"), target="spark")


def said_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """What models say of how they lie, by model; nothing where they say nothing."""
    found = {}
    for node in Models(settings, generate(settings)).manifest().nodes.values():
        said = {name: node.config.get(name) for name in ("partition_by", "cluster_by", "file_size")}
        if said := {name: value for name, value in said.items() if value}:
            found[node.name] = said
    return found


def test_the_embedded_engine_lays_rows_out_by_itself(tmp_path: Path) -> None:
    assert said_of(load_settings(home=tmp_path)) == {}


def test_large_tables_lie_by_what_is_looked_for_and_in_files_of_a_size(lake: Settings) -> None:
    said = said_of(lake)
    assert set(said) == LARGE
    assert {name for name in said if set(said[name]) != {"cluster_by", "file_size"}} == set()
    assert said["fct_events"] == {
        "cluster_by": ["visitor_birth", "profile_id"],
        "file_size": 128,
    }


class Said:
    """Macros of Spark's, rendered by what one model says of itself: no session is needed."""

    def __init__(self, settings: Settings, **config: Any) -> None:
        self.statements: list[str] = []
        self._macros = Models(settings, generate(settings)).manifest().macros
        self._jinja = jinja2.Environment(extensions=["jinja2.ext.do"])  # noqa: S701
        self._jinja.globals["config"] = config
        self._jinja.globals["run_query"] = self.statements.append

    def text_of(self, macro: str) -> str:
        macro_sql = self._macros[f"macro.tributary.{macro}"].macro_sql
        return self._jinja.from_string(f"{macro_sql}{{{{ {macro}() }}}}").render().strip()


def test_a_table_of_spark_is_clustered_and_written_in_files_as_its_model_says(
    lake: Settings,
) -> None:
    said = Said(lake, cluster_by=["a", "b"], file_size=64)
    assert said.text_of("spark_clustering") == "cluster by (a, b)"
    assert said.text_of("spark_properties") == (
        "tblproperties ('delta.autoOptimize.optimizeWrite' = 'true', "
        "'delta.autoOptimize.autoCompact' = 'true')"
    )
    said.text_of("spark_set_file_size")
    assert said.statements == [
        "set spark.databricks.delta.optimizeWrite.binSize=64m",
        "set spark.databricks.delta.autoCompact.maxFileSize=67108864",
    ]


def test_a_table_that_is_clustered_alone_has_no_size_of_files(lake: Settings) -> None:
    said = Said(lake, cluster_by=["a"])
    assert said.text_of("spark_clustering") == "cluster by (a)"
    assert said.text_of("spark_properties") == ""
    assert said.text_of("spark_set_file_size") == ""
    assert said.statements == []
