"""A warehouse with the tables that people read, small enough to be built in a blink.

Belongs here: making such a warehouse for tests of publishing and reading, with the columns that
the dbt project declares. Every row says in which version of the shop it was written, so that a
reader can tell whether all that it sees is of one set. Does not belong here: any assertion.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from cdp.warehouse import runs
from cdp.warehouse.model_catalogue import Model, load_catalogue
from cdp.warehouse.publishing import Publication, publish, recover_publication
from cdp.warehouse.runs import Run, begin_run, finish_run, mark_stage, record_gate
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse

CANARY = "canary.anna.karenina@personal.example"
"""A text that stands in every column that is declared to hold personal data."""

READ = (
    "dim_profiles",
    "dim_identifiers",
    "dim_profile_ids",
    "fct_events",
    "fct_orders",
    "fct_sessions",
)

SEGMENT_MODELS = {
    "version": 2,
    "models": [
        {
            "name": "fct_segment_memberships",
            "description": "One row per profile and stay in a segment.",
            "config": {"meta": {"stage": "segments"}},
            "columns": [
                {"name": "segment", "data_type": "varchar", "description": "The segment."},
                {"name": "profile_id", "data_type": "bigint", "description": "The profile."},
                {"name": "entered_at", "data_type": "timestamp", "description": "Since when."},
            ],
        },
        {
            "name": "loyal_customers",
            "description": "One row per member: three orders, the last within 60 days.",
            "config": {"meta": {"stage": "segments"}},
            "columns": [
                {"name": "profile_id", "data_type": "bigint", "description": "The profile."},
                {"name": "entered_at", "data_type": "timestamp", "description": "Since when."},
                {"name": "email", "data_type": "varchar", "description": "Last known e-mail."},
            ],
        },
        {
            "name": "segment_sizes",
            "description": "One row per segment with its size.",
            "config": {"meta": {"stage": "segments"}},
            "columns": [
                {"name": "segment", "data_type": "varchar", "description": "The segment."},
                {"name": "members", "data_type": "bigint", "description": "How many."},
            ],
        },
    ],
}


def prepare_project(folder: Path) -> Path:
    """A project with the descriptions of the shipped models, and of three segment models."""
    for schema in ("identity", "profiles"):
        target = folder / "models" / schema
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / "dbt_project" / "models" / schema / "_models.yml", target)
    (folder / "models" / "segments").mkdir(exist_ok=True)
    (folder / "models" / "segments" / "_models.yml").write_text(yaml.safe_dump(SEGMENT_MODELS))
    return folder


def prepare_settings(home: Path) -> Settings:
    """Settings over the shipped configuration, with a data home of their own."""
    return load_settings(home=home, config=PROJECT_ROOT / "config", threads=2)


@dataclass
class TinyShop:
    """An open warehouse with tables of the shapes that people read.

    Attributes:
        people: profiles 1 to that number; each has two events and an order.
        version: written into every row of what is built next.
        logic: stands for all that decides what tables hold; tables differ in nothing else.
        gate: what the gate of serving answers.
    """

    warehouse: Warehouse
    project: Path
    people: int = 50
    version: int = 1
    logic: str = "as shipped"
    gate: bool = True

    @property
    def settings(self) -> Settings:
        return self.warehouse.settings

    def begin(self, run_id: str) -> Run:
        recover_publication(self.warehouse)
        run = begin_run(self.warehouse, run_id, "test")
        self.warehouse.execute(
            "UPDATE governance.runs SET logic_hash = ? WHERE run_number = ?",
            [self.logic, run.run_number],
        )
        return run

    def build(self, run: Run, *, failed_gate: str | None = None) -> None:
        """Build every table for a run, and let every gate but one pass."""
        for stage in runs.STAGES:
            mark_stage(self.warehouse, run, stage, "building")
            mark_stage(self.warehouse, run, stage, "built")
            record_gate(self.warehouse, run, stage, [("rows", stage != failed_gate, "{}")])
        self.warehouse.execute(
            "CREATE OR REPLACE TABLE governance.int_current_run AS SELECT "
            f"{run.run_number}::BIGINT AS run_number, '{run.run_id}' AS run_id, "
            f"{self.version * 100}::BIGINT AS landing_high_water"
        )
        self.fill()

    def fill(self) -> None:
        """Write the tables of the present number of people and version."""
        for model in load_catalogue(self.project).values():
            if model.name in READ:
                self.warehouse.execute(self._table(model))
        self.warehouse.execute(
            "CREATE OR REPLACE TABLE segments.fct_segment_memberships AS SELECT "
            "'loyal_customers' AS segment, profile_id, first_seen AS entered_at "
            "FROM profiles.dim_profiles WHERE profile_id % 2 = 0; "
            "CREATE OR REPLACE VIEW warehouse.segments.loyal_customers AS "
            "WITH members AS (SELECT * FROM warehouse.segments.fct_segment_memberships) "
            "SELECT members.profile_id, members.entered_at, people.email FROM members "
            'JOIN "warehouse"."profiles"."dim_profiles" AS people USING (profile_id) '
            "WHERE members.segment = 'loyal_customers'; "
            "CREATE OR REPLACE TABLE segments.segment_sizes AS SELECT segment, "
            "count(*) AS members FROM segments.fct_segment_memberships GROUP BY segment"
        )

    def _table(self, model: Model) -> str:
        rows = self.people * (2 if model.name == "fct_events" else 1)
        selected = ", ".join(
            f"CAST({self._value(name, kind)} AS {kind}) AS {name}"
            for name, (kind, _) in model.columns.items()
        )
        return (
            f"CREATE OR REPLACE TABLE {model.schema}.{model.name} AS "
            f"SELECT {selected} FROM range(1, {rows + 1}) AS numbers(n)"
        )

    def _value(self, name: str, kind: str) -> str:
        if name == "profile_id":
            return f"(n - 1) % {self.people} + 1"
        if name in ("birth", "session_id", "landing_number"):
            return "n"
        if name in ("event_count", "order_count", "component_id", "anchor_birth"):
            return str(self.version)
        kind = kind.lower()
        if kind.startswith(("varchar", "text")):
            return f"'{CANARY}'"
        if kind == "boolean":
            return "false"
        if kind == "date":
            return "DATE '1877-05-23'"
        if kind.startswith("timestamp"):
            return "TIMESTAMP '2026-06-01 12:00:00' + to_seconds(n)"
        return "n % 5"

    def publish(
        self, run: Run, *, untouched: Collection[str] = (), rewrite: bool = False
    ) -> Publication:
        return publish(
            self.warehouse,
            run,
            project=self.project,
            validate=lambda folder: self.gate,
            untouched=untouched,
            rewrite=rewrite,
        )

    def run(self, run_id: str) -> Publication:
        """A whole run: begin, build, publish, finish."""
        run = self.begin(run_id)
        self.build(run)
        publication = self.publish(run)
        finish_run(self.warehouse, run, "finished")
        return publication


@contextmanager
def open_shop(home: Path, project: Path) -> Iterator[TinyShop]:
    """Hold the warehouse of a data home as a tiny shop."""
    with open_warehouse(prepare_settings(home), wait_seconds=60) as warehouse:
        yield TinyShop(warehouse, project)
