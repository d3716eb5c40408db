"""Sets as datasets of BigQuery: what it says differently from other engines.

Belongs here: statements and catalogue of BigQuery, and when who is let in. Does not belong here:
what a set is made of (`schema_shelf`), which rights there are (`bigquery_rights`).

People read views alone. Each view may read what it shows because its dataset is let in there: those
of a role's current views to the role's views of a set and to the pointer, those to the set's
tables. A view of two sets is billed for both, whichever the pointer names: so the roles' views read
two only while a swap is under way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from cdp.config.roles import load_roles
from cdp.warehouse.engines.bigquery_protection import CURRENT, quoted
from cdp.warehouse.engines.bigquery_rights import Rights, relation_of
from cdp.warehouse.engines.bigquery_store import DIALECT, LABELS, BigQuery
from cdp.warehouse.engines.schema_shelf import POINTER, POINTER_SAYS, SchemaShelf, Shown, inside
from cdp.warehouse.engines.translation import type_of
from cdp.warehouse.store import Session, Table, Warehouse

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField

    from cdp.warehouse.model_catalogue import Catalogue
    from cdp.warehouse.shelf import Offer, ServedTable

_LONGEST_COMMENT = 1024
"""What the description of a column may hold."""


def bigquery_shelf(warehouse: Warehouse) -> BigQueryShelf:
    """The shelf of a project."""
    assert isinstance(warehouse, BigQuery), "the target is BigQuery"
    return BigQueryShelf(warehouse)


class BigQueryShelf(SchemaShelf):
    """Datasets of the project."""

    dialect = DIALECT

    def __init__(self, house: BigQuery) -> None:
        self.house = house
        self._rights = Rights(house)
        super().__init__(house)

    def _run(self, statement: str) -> None:
        with self.house.session() as session:
            session.run(statement)

    def _make_pointer(self) -> None:
        self._run(
            f"CREATE TABLE IF NOT EXISTS {POINTER} (set_name STRING, says STRING) "
            f"OPTIONS (description={self._text(POINTER_SAYS)})"
        )

    def _point_at(self, set_name: str, says: str) -> None:
        self._run(
            f"MERGE INTO {POINTER} AS here USING (SELECT {self._text(set_name)} AS set_name, "
            f"{self._text(says)} AS says) AS there ON FALSE "
            "WHEN NOT MATCHED BY SOURCE THEN DELETE "
            "WHEN NOT MATCHED BY TARGET THEN INSERT (set_name, says) "
            "VALUES (there.set_name, there.says)"
        )

    def _quoted(self, name: str) -> str:
        return quoted(name)

    def _type(self, name: str) -> str:
        return type_of(name, DIALECT)

    def _clone(self, target: str, source: Table) -> None:
        self._run(f"CREATE TABLE {target} CLONE {'.'.join(source)}")

    def _make_schema(self, name: str, description: str = "") -> None:
        labels = ", ".join(
            f"({self._text(key)}, {self._text(value)})" for key, value in LABELS.items()
        )
        self._run(
            f"CREATE SCHEMA {name} OPTIONS ("
            f"location={self._text(str(self.house.settings.bigquery_location))}, "
            f"description={self._text(description)}, labels=[{labels}])"
        )

    def _make_view(
        self,
        view: str,
        columns: Sequence[tuple[str, str]],
        query: str,
        description: str = "",
        *,
        replace: bool = False,
    ) -> None:
        named = ", ".join(
            f"{self._quoted(name)} OPTIONS (description={self._text(comment[:_LONGEST_COMMENT])})"
            for name, comment in columns
        )
        self._run(
            f"CREATE {'OR REPLACE ' if replace else ''}VIEW {view} ({named}) "
            f"OPTIONS (description={self._text(description)}) AS {query}"
        )

    def _tried_as(self, expression: str, kind: str) -> str:
        return f"SAFE_CAST({expression} AS {kind})"

    def _schemas(self) -> list[str]:
        return sorted(each.dataset_id.lower() for each in self.house.client.list_datasets())

    def relations_in(self, schema: str) -> list[str]:
        listed = self.house.client.list_tables(self._path(schema))
        return sorted(each.table_id.lower() for each in listed)

    def _columns_of(self, schema: str, name: str) -> list[Shown] | None:
        from google.api_core.exceptions import NotFound

        try:
            fields = self.house.client.get_table(self._path(schema, name)).schema
        except NotFound:
            return None
        return [Shown(each.name, _type_of(each), each.description or "") for each in fields]

    def _query_of(self, view: Table) -> str:
        return str(self.house.client.get_table(self._path(*view)).view_query)

    @contextmanager
    def standing_in(self, schema: str) -> Iterator[Session]:
        with self.house.session(standing_in=self._path(schema)) as session:
            yield session

    def _path(self, *names: str) -> str:
        return ".".join([str(self.house.settings.bigquery_project), *names])

    def served(self, names: Sequence[Table], catalogue: Catalogue) -> list[ServedTable]:
        # A view may read beside itself only what its own dataset is let in to, and a dataset lets
        # itself in to nothing: what is a view in the warehouse is copied into the set.
        return [replace(each, view_sql=None) for each in super().served(names, catalogue)]

    # --- rights ------------------------------------------------------------------------------

    def _protect(self, place: str, offer: Offer) -> None:
        tables = {each.path: each for part in offer.tables.values() for each in part}
        self._rights.tag(
            [relation_of(place, inside(table), table.columns) for table in tables.values()],
            offer.roles,
            offer.personal_data,
        )
        self._rights.let_in(place, offer.roles, place)

    def _turn_views(self, sets: Sequence[str]) -> None:
        # Ahead of the views that need it: a reader may come at any moment.
        roles = self._roles_of(self.place_of(sets[0]))
        for role in roles:
            self._run(f"CREATE SCHEMA IF NOT EXISTS {CURRENT}_{role}")
        self._rights.let_in(POINTER.partition(".")[0], roles, CURRENT)
        for each in sets:
            place = self.place_of(each)
            for role in set(self._roles_of(place)) & set(roles):
                self._rights.let_in(f"{place}_{role}", [role], CURRENT)
        super()._turn_views(sets)
        declared = load_roles(self.house.settings)
        self._rights.admit({name: declared[name] for name in roles if name in declared}, CURRENT)
        for name in self.names():
            place = self.place_of(name)
            there = self._roles_of(place)
            self._rights.admit(
                {role: declared[role] for role in there if role in declared},
                place,
                gone=[role for role in there if role not in declared],
            )

    def swap(self, set_name: str) -> None:
        super().swap(set_name)
        super()._turn_views([set_name])


def _type_of(field: SchemaField) -> str:
    """The type of a column as a statement has it; the client tells the older names."""
    plain = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}.get(
        field.field_type, field.field_type
    )
    return f"ARRAY<{plain}>" if field.mode == "REPEATED" else plain
