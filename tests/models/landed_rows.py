"""Rows laid into raw by hand, in exactly the order wanted, and identity built on them.

Belongs here: a deployment of a few sources whose rows need no file, the runs over it, and what its
tables of identity say. Does not belong here: which rows (`tests.models.worlds`), any expectation.

Landing is passed by because it orders the rows of a run by source: here the order of landing stays
the same however the rows are cut into runs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from cdp.generation import generate
from cdp.warehouse.modelling import Models
from cdp.warehouse.pending import logic_changed
from cdp.warehouse.runs import begin_run, finish_run, logic_hash
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse
from ingestion.promotion import ensure_tables

AS_OF = datetime(2026, 6, 30, 12)

SOURCES = """
sources:
  web:
    description: Messages of people.
    kind: files
    owner: a@example.com
    purpose: analytics
    fresh_within: 1 day
    options: {location: "{home}/landing/web"}
    streams:
      events: {files: "*.ndjson", format: segment}
  shop:
    description: Accounts whose numbers are what messages call the user's id, and their orders.
    kind: files
    owner: a@example.com
    purpose: contract
    fresh_within: 1 day
    id_type: user_id
    options: {location: "{home}/landing/shop"}
    streams:
      customers:
        files: "customers*.ndjson"
        format: ndjson
        key: [id]
        version: version
        maps:
          - entity: customers
            columns:
              {contact_id: id, email: email, phone: phone, phone_country: land,
               full_name: name, merged_into_id: into, updated_at: at}
      orders:
        files: "orders*.ndjson"
        format: ndjson
        key: [id]
        version: version
        maps:
          - entity: orders
            where: kind <> 'quote'
            columns:
              {order_id: id, customer_id: customer, email: email, phone: phone, country: land,
               anonymous_id: device, ordered_at: at}
  crm:
    description: Contacts of people.
    kind: files
    owner: a@example.com
    purpose: contract
    fresh_within: 1 day
    options: {location: "{home}/landing/crm"}
    streams:
      contacts:
        files: "contacts*.ndjson"
        format: ndjson
        key: [id]
        version: version
        maps:
          - entity: contacts
            columns:
              {contact_id: id, email: email, phone: phone, phone_country: land,
               full_name: name, merged_ids: merged, updated_at: at}
      lists:
        files: "lists*.ndjson"
        format: ndjson
        key: [list, subject]
        version: version
        maps:
          - entity: memberships
            columns: {list_id: list, subject_type: type, subject_id: subject, joined_at: at}
"""


SCOPES = "source,scope,min_name_parts\nshop,people,2\ncrm,people,2\n"
"""A whole name tells who somebody is, among the accounts of the shop and the contacts."""


@dataclass(frozen=True)
class Row:
    """One row as a source tells it; `key` and `version` make up its key in raw."""

    source: str
    stream: str
    payload: dict[str, Any]
    key: str
    occurred_at: datetime = AS_OF
    is_deleted: bool = False


TABLES = (
    "int_identifier_tuples",
    "int_identifier_spellings",
    "int_person_names",
    "int_identifier_names",
    "int_identifier_values",
    "fct_identity_edges",
    "int_identity_components",
    "int_identity_constrained",
    "dim_identifiers",
    "fct_rejected_edges",
    "quarantined_clusters",
    "int_match_records",
    "match_reviews",
)
"""The current tables of identity that do not describe a run's change set."""

BIRTHS = "identifier_births"

STANDING = {
    "int_match_candidates": "decision <> 'withdrawn'",
    "int_match_edges": "is_in_force",
}
"""Of tables that tell a run what was withdrawn too, the rows that a full build has."""


@dataclass
class Landed:
    """A warehouse whose raw rows were laid by hand."""

    home: Path
    runs: int = 0
    landed: int = 0
    matching: str = ""
    """What stands in `matching.yml`."""
    _settings: Settings | None = field(default=None, repr=False)
    _models: Models | None = field(default=None, repr=False)
    _seeds_are_new: bool = False

    @property
    def settings(self) -> Settings:
        if self._settings is None:
            config = self.home / "config"
            shutil.copytree(PROJECT_ROOT / "config", config)
            (config / "sources.yml").write_text(SOURCES, encoding="utf-8")
            if self.matching:
                (config / "matching.yml").write_text(self.matching, encoding="utf-8")
            (config / "seeds").mkdir()
            (config / "seeds" / "identity_scopes.csv").write_text(SCOPES, encoding="utf-8")
            self._settings = load_settings(
                home=self.home / "data", config=config, as_of=AS_OF, default_country="DE"
            )
        return self._settings

    def change(self, **settings: Any) -> None:
        """Have other settings for the next run."""
        self._settings = self.settings.model_copy(update=settings)

    def lay_seeds(self, texts: Mapping[str, str]) -> None:
        """Have these seeds of rules, by their names, for the next run to load."""
        for name, text in texts.items():
            path = self.settings.config / "seeds" / f"{name}.csv"
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                self._seeds_are_new = True
        if self._seeds_are_new and self._models is not None:
            generate(self.settings)

    def forget(self) -> None:
        """Be a fresh home again, with the rules that were laid last."""
        for path in self.settings.warehouse_file.parent.glob(
            f"{self.settings.warehouse_file.name}*"
        ):
            path.unlink()
        self.runs = self.landed = 0

    def run(
        self,
        rows: Sequence[Row] = (),
        *,
        publish: bool = True,
        full_refresh: bool = False,
        through: str | None = None,
        stages: Sequence[str] = (),
        name: str | None = None,
        again: bool = False,
    ) -> None:
        """Land the rows in their order, build identity, and publish or not.

        A run `through` a model was killed once that had been built; `again` begins the last one
        again. One of `stages` builds those whole instead. What the project says besides its seeds
        is read once.
        """
        settings = self.settings
        if self._models is None:
            self._models = Models(settings, generate(settings), logic_hash(settings))
        models = self._models
        self.runs += not again
        with open_warehouse(settings) as warehouse:
            run = begin_run(warehouse, name or f"run-{self.runs}", "test")
            self.lay(warehouse, rows)
            if self.runs == 1 or self._seeds_are_new:
                models.manifest()
                models.seed()
                self._seeds_are_new = False
            # As the main job does.
            full_refresh = full_refresh or logic_changed(warehouse, run)
            for stage in stages:
                models.build(warehouse, run, stage, full_refresh=full_refresh)
            if not stages:
                models.build(
                    warehouse,
                    run,
                    "identity",
                    select=[f"+{through or 'tag:identity'}"],
                    full_refresh=full_refresh,
                )
            if publish:
                warehouse.execute(
                    "UPDATE governance.runs SET status = 'published', landing_high_water = "
                    "(SELECT landing_high_water FROM governance.int_current_run) "
                    "WHERE run_number = ?",
                    [run.run_number],
                )
            finish_run(warehouse, run, "finished" if publish else "failed")

    def run_by_new_rules(self, rows: Sequence[Row] = ()) -> None:
        """Load the seeds again, which have changed, and build everything anew."""
        generate(self.settings)
        self._seeds_are_new = True
        self.run(rows, full_refresh=True)

    def lay(self, warehouse: Warehouse, rows: Sequence[Row]) -> None:
        """Land the rows in their order, and nothing else."""
        for source in ("web", "shop", "crm"):
            ensure_tables(source, warehouse)
            number = [n for n, row in enumerate(rows, self.landed + 1) if row.source == source]
            mine = [row for row in rows if row.source == source]
            if mine:
                table = _envelopes(mine, number)
                with warehouse.desk() as cursor:
                    cursor.register("fresh_rows", table)
                    cursor.execute(f"INSERT INTO raw.{source} BY NAME FROM fresh_rows")
                    cursor.unregister("fresh_rows")
        self.landed += len(rows)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.settings) as warehouse:
            return warehouse.rows(sql)

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every current table, and births but for the run that gave them."""
        births = f"SELECT * EXCLUDE (run_number) FROM identity.{BIRTHS} ORDER BY ALL"
        with open_warehouse(self.settings) as warehouse:
            found = {BIRTHS: warehouse.rows(births)}
            for name, condition in {**dict.fromkeys(TABLES, "true"), **STANDING}.items():
                found[name] = warehouse.rows(
                    f"SELECT * FROM identity.{name} WHERE {condition} ORDER BY ALL"
                )
        return found

    def people(self) -> set[frozenset[str]]:
        """Who is one person: the identifiers of each profile, as `type=value`."""
        return {
            frozenset(members)
            for (members,) in self.rows(
                "SELECT list(identifier_type || '=' || identifier_value) "
                "FROM identity.dim_identifiers GROUP BY profile_id"
            )
        }

    def facts(self) -> dict[str, list[tuple[Any, ...]]]:
        """What tables say without the numbers that depend on the order of landing."""

        def named(node: str) -> str:
            return (
                "(SELECT concat(v.identifier_type, '=', coalesce(v.identifier_value, v.raw_value)) "
                f"FROM identity.int_identifier_values AS v WHERE v.birth = {node})"
            )

        ends = f"{named('left_node')}, {named('right_node')}"
        return {
            "people": sorted((" ".join(sorted(each)),) for each in self.people()),
            "edges": self.rows(
                f"SELECT list_sort([{ends}]), weakness, is_asserted, first_occurred_at "
                "FROM identity.fct_identity_edges ORDER BY ALL"
            ),
            "rejected": self.rows(
                f"SELECT list_sort([{ends}]), rule, first_occurred_at "
                "FROM identity.fct_rejected_edges ORDER BY ALL"
            ),
            "quarantined": self.rows(
                "SELECT kind, sign, seen, identifiers, edges_left_out, CASE kind WHEN 'value' "
                f"THEN {named('cluster_id')} END "
                "FROM identity.quarantined_clusters ORDER BY ALL"
            ),
        }


def _envelopes(rows: Iterable[Row], numbers: Iterable[int]) -> pa.Table:
    columns: dict[str, list[Any]] = {}
    for row, number in zip(rows, numbers, strict=True):
        text = json.dumps(row.payload)
        for name, value in {
            "stream": row.stream,
            "row_key": row.key,
            "position": str(number),
            "occurred_at": row.occurred_at,
            "received_at": row.occurred_at,
            "landed_at": AS_OF,
            "payload": text,
            "payload_hash": row.key,
            "is_deleted": row.is_deleted,
            "load_id": "load",
            "landing_number": number,
        }.items():
            columns.setdefault(name, []).append(value)
    return pa.table(columns)
