"""A warehouse with a few tables, to be published from, whatever engine holds it.

Belongs here: tables whose rows say in which version they were written, the roles that read them,
and publishing them. Does not belong here: any engine, any expectation.
"""

from __future__ import annotations

from typing import Any

from cdp.warehouse.engines.schema_shelf import SchemaShelf
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.publishing import Publication, publish, recover_publication
from cdp.warehouse.runs import STAGES, Run, begin_run, utc_now
from cdp.warehouse.settings import PROJECT_ROOT
from cdp.warehouse.shelf import shelf_of
from cdp.warehouse.store import Warehouse

CANARY = "canary.anna.karenina@personal.example"
PROJECT = PROJECT_ROOT / "dbt_project"
PEOPLE = 20

ROLES = """
roles:
  analyst:
    description: Sees nobody's details.
    shows: []
    core: [profiles.dim_profiles, segments.dim_segments, segments.segment_sizes]
  marketing:
    description: Sees everybody's details.
    shows: all
    core: [profiles.dim_profiles, segments.dim_segments, segments.segment_sizes]
"""


class Shop:
    """A few tables, every row of which says in which version it was written."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.version = 0

    def begin(self) -> Run:
        self.version += 1
        recover_publication(self.warehouse)
        run = begin_run(self.warehouse, f"run{self.version}", "test")
        now = utc_now()
        self.warehouse.insert(
            "governance.stage_builds", [(stage, run.run_id, "built", now) for stage in STAGES]
        )
        self.warehouse.insert(
            "governance.gate_results",
            [(stage, run.run_id, now, True, "rows", "{}") for stage in STAGES],
        )
        self.warehouse.execute(
            "CREATE OR REPLACE TABLE governance.int_current_run AS SELECT "
            "CAST(? AS BIGINT) AS run_number, CAST(7 AS BIGINT) AS landing_high_water",
            [run.run_number],
        )
        numbered = " UNION ALL ".join(f"SELECT {n} AS n" for n in range(PEOPLE))
        for model in load_catalogue(PROJECT).values():
            if model.name in ("dim_profiles", "dim_segments"):
                selected = ", ".join(
                    f"CAST({self._value(name, kind)} AS {kind}) AS {name}"
                    for name, (kind, _) in model.columns.items()
                )
                self.warehouse.execute(
                    f"CREATE OR REPLACE TABLE {model.schema}.{model.name} AS SELECT {selected} "
                    f"FROM ({numbered}) AS numbers"
                )
        self.warehouse.execute(
            "CREATE OR REPLACE VIEW segments.segment_sizes AS SELECT order_count AS version, "
            "count(*) AS size FROM profiles.dim_profiles GROUP BY order_count"
        )
        return run

    def _value(self, name: str, kind: str) -> str:
        if name == "order_count":
            return str(self.version)
        if kind.startswith("varchar"):
            return f"'{CANARY}'"
        return {"boolean": "true", "timestamp": "'2026-06-01'", "date": "'2026-06-01'"}.get(
            kind, "n"
        )

    def publish(self, validate: Any = None) -> Publication:
        run = self.begin()
        return publish(self.warehouse, run, project=PROJECT, validate=validate or self._gate(run))

    def _gate(self, run: Run) -> Any:
        from expectations.serving import validate_set

        return lambda place: validate_set(place, self.warehouse, run, project=PROJECT).passed

    def versions(self, relation: str = "serving_analyst.dim_profiles") -> set[int]:
        return {
            row[0] for row in self.warehouse.rows(f"SELECT DISTINCT order_count FROM {relation}")
        }

    def schemas(self) -> set[str]:
        """The schemas of sets that stand."""
        shelf = shelf_of(self.warehouse)
        assert isinstance(shelf, SchemaShelf)
        return {name for name in shelf._schemas() if name.startswith("set_")}


def numbers(schemas: set[str]) -> set[int]:
    """The runs whose sets stand."""
    return {int(name.split("_")[1]) for name in schemas}
