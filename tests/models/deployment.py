"""A deployment in a temporary folder, driven stage by stage without an orchestrator.

Belongs here: landing, building and publishing a run in the shortest way that real parts allow, and
taking fingerprints of tables. Does not belong here: any expectation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cdp.config.sources import load_sources
from cdp.generation import generate
from cdp.warehouse.modelling import Models
from cdp.warehouse.runs import STAGES, begin_run, finish_run, logic_hash
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import open_warehouse
from ingestion.landing import land
from ingestion.promotion import LoadReport

OF_THE_RUN = (
    "int_current_run",
    "int_touched_",
    "int_changed_",
    "int_identity_conflicts",
    "int_reanchored_",
)
"""Tables that describe a run's change set: they differ between an increment and a rebuild."""


@dataclass
class Deployment:
    """A home of its own with the configuration given."""

    home: Path
    config: Path | None = None
    runs: int = 0
    _views: dict[str, str] = field(default_factory=dict)

    def settings(self, as_of: datetime | None = None) -> Settings:
        given: dict[str, Any] = {"home": self.home}
        if self.config:
            given["config"] = self.config
        if as_of:
            given["as_of"] = as_of
        return load_settings(**given)

    def run(
        self,
        as_of: datetime | None = None,
        *,
        full_refresh: bool = False,
        publish: bool = True,
        through: str | None = None,
        stages: Iterable[str] = STAGES[1:],
    ) -> dict[str, LoadReport]:
        """Land every source, build the stages, and record the run as published.

        A run `through` a model of profiles was killed once that had been built.
        """
        settings = self.settings(as_of)
        models = Models(settings, generate(settings))
        self.runs += 1
        logic = logic_hash(settings)
        with open_warehouse(settings) as warehouse:
            run = begin_run(warehouse, f"run-{self.runs}", "test")
            reports = {name: land(name, warehouse, run) for name in load_sources(settings).sources}
            if self.runs == 1:
                models.manifest()
                models.seed()
            for stage in stages:
                # As the main job does: views say the same in every run of one logic.
                views = full_refresh or self._views.get(stage) != logic
                if through and stage == "profiles":
                    models.build(warehouse, run, stage, select=[f"tag:{stage},+{through}"])
                    break
                models.build(warehouse, run, stage, full_refresh=full_refresh, views=views)
                self._views[stage] = logic
            if publish and not through:
                # What publishing does to the record of runs, without writing any file.
                warehouse.execute(
                    "UPDATE governance.runs SET status = 'published', landing_high_water = "
                    "(SELECT landing_high_water FROM governance.int_current_run) "
                    "WHERE run_number = ?",
                    [run.run_number],
                )
            finish_run(warehouse, run, "finished")
        return reports

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.settings()) as warehouse:
            return warehouse.rows(sql)

    def keep_copies(self) -> None:
        """Copy every current table aside, for `changed_since_copies`."""
        with open_warehouse(self.settings()) as warehouse:
            warehouse.execute("DROP SCHEMA IF EXISTS copies CASCADE; CREATE SCHEMA copies")
            for name in current_tables(self):
                copy = name.replace(".", "__")
                warehouse.execute(f"CREATE TABLE copies.{copy} AS SELECT * FROM {name}")

    def changed_since_copies(self) -> dict[str, list[tuple[Any, ...]]]:
        """Current tables that differ from their copies: some rows that only one of them has."""
        found = {}
        with open_warehouse(self.settings()) as warehouse:
            for name in current_tables(self):
                copy = f"copies.{name.replace('.', '__')}"
                rows = warehouse.rows(
                    f"(SELECT 'before', * FROM {copy} EXCEPT ALL SELECT 'before', * FROM {name}) "
                    f"UNION ALL "
                    f"(SELECT 'after', * FROM {name} EXCEPT ALL SELECT 'after', * FROM {copy}) "
                    "LIMIT 6"
                )
                if rows:
                    found[name] = rows
        return found


def current_tables(deployment: Deployment) -> list[str]:
    """Names of the tables that are a function of raw rows, definitions and `as_of`."""
    manifest = Models(deployment.settings(), generate(deployment.settings())).manifest()
    names: list[str] = []
    for node in manifest.nodes.values():
        if node.resource_type.value != "model" or node.config.meta.get("kind") != "current":
            continue
        if node.name.startswith(OF_THE_RUN):
            continue
        # Views of the change set hold the run's profiles only.
        if node.config.materialized == "view" and node.name.startswith("int_profile_"):
            continue
        names.append(f"{node.schema}.{node.name}")
    return sorted(names)
