"""Sets as schemas of Snowflake's database: what Snowflake says differently from other engines.

Belongs here: Snowflake's statements, and applying the protection of personal data to a set before
any reader is pointed at it. Does not belong here: what a set is made of (`schema_shelf`), what the
protection says (`snowflake_protection`), whether a set may be published.

What a role may not see is null in its views, as on every engine; the tables under the views have
masking policies beside that, so that nobody finds more by another way. A clone is a table of its
own that shares what it has not changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlglot
from sqlglot import exp

from cdp.warehouse.engines import snowflake_protection as protection
from cdp.warehouse.engines.protection import Relation
from cdp.warehouse.engines.schema_shelf import (
    ABOUT,
    POINTER,
    POINTER_SAYS,
    ROLE,
    SchemaShelf,
    Shown,
    inside,
    offered,
)
from cdp.warehouse.engines.snowflake_store import DIALECT, HOME, SnowflakeWarehouse
from cdp.warehouse.shelf import Offer
from cdp.warehouse.store import Session, Table, Warehouse


def snowflake_shelf(warehouse: Warehouse) -> SnowflakeShelf:
    """The shelf of a database of Snowflake."""
    assert isinstance(warehouse, SnowflakeWarehouse), "the target is Snowflake"
    return SnowflakeShelf(warehouse)


class SnowflakeShelf(SchemaShelf):
    """Schemas of one database."""

    dialect = DIALECT

    def __init__(self, store: SnowflakeWarehouse) -> None:
        self.store = store
        self._database = store.settings.snowflake_database or ""
        self._known: dict[str, dict[str, list[Shown]]] = {}
        """What roles find in sets, by schema: looked up once, which takes a second, for a set is
        not written to when it has been built."""
        super().__init__(store)

    def _run(self, statement: str) -> None:
        if statement.startswith("DROP "):
            self._known.clear()
        with self.store.session() as session:
            session.run(statement)

    def _told(self, statement: str) -> list[dict[str, Any]]:
        with self.store.session() as session:
            return session.told(statement)

    def _make_pointer(self) -> None:
        self._run(
            f"CREATE TABLE IF NOT EXISTS {POINTER} (set_name VARCHAR, says VARCHAR) "
            f"COMMENT = {self._text(POINTER_SAYS)}"
        )

    def _point_at(self, set_name: str, says: str) -> None:
        with self.store.transaction() as session:
            session.execute(f"DELETE FROM {POINTER} WHERE true")
            session.insert(POINTER, [(set_name, says)])

    def _quoted(self, name: str) -> str:
        return '"' + name.upper().replace('"', '""') + '"'

    def _type(self, name: str) -> str:
        kind = exp.DataType.build(name, dialect="duckdb")
        if kind.this == exp.DataType.Type.TIMESTAMP:
            return "TIMESTAMP_NTZ"
        return kind.sql(dialect=DIALECT)

    def _clone(self, target: str, source: Table) -> None:
        # Most tables of the warehouse are transient, and of those no permanent one can be made.
        self._run(f"CREATE TRANSIENT TABLE {target} CLONE {'.'.join(source)}")

    def _make_schema(self, name: str, description: str = "") -> None:
        comment = f" COMMENT = {self._text(description)}" if description else ""
        self._run(f"CREATE SCHEMA {name}{comment}")

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
            f"{self._quoted(name)} COMMENT {self._text(comment)}" for name, comment in columns
        )
        self._run(
            f"CREATE {'OR REPLACE ' if replace else ''}VIEW {view} ({named}) "
            + ("COPY GRANTS " if replace else "")
            + (f"COMMENT = {self._text(description)} " if description else "")
            + f"AS {query}"
        )

    def _tried_as(self, expression: str, kind: str) -> str:
        # It tries texts alone.
        return f"TRY_CAST(TO_VARCHAR({expression}) AS {kind})"

    def _schemas(self) -> list[str]:
        told = self._told(f"SHOW SCHEMAS IN DATABASE {self._database}")
        return [str(row["name"]).lower() for row in told]

    def relations_in(self, schema: str) -> list[str]:
        rows = self.store.rows(
            "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = ? "
            "ORDER BY 1",
            [schema.upper()],
        )
        return [row[0].lower() for row in rows]

    def _columns_of(self, schema: str, name: str) -> list[Shown] | None:
        if schema not in self._known:
            self._known[schema] = self._columns_in(schema)
        return self._known[schema].get(name.lower())

    def _columns_in(self, schema: str) -> dict[str, list[Shown]]:
        """The columns of all relations of a schema."""
        found: dict[str, list[Shown]] = {}
        for name, column, kind, digits, scale, comment in self.store.rows(
            "SELECT table_name, column_name, data_type, numeric_precision, numeric_scale, comment "
            "FROM information_schema.columns WHERE table_schema = ? "
            "ORDER BY table_name, ordinal_position",
            [schema.upper()],
        ):
            told = f"{kind}({digits}, {scale})" if kind == "NUMBER" else kind
            found.setdefault(name.lower(), []).append(Shown(column.lower(), told, comment or ""))
        return found

    def _query_of(self, view: Table) -> str:
        text = self.store.scalar(
            "SELECT view_definition FROM information_schema.views "
            "WHERE table_schema = ? AND table_name = ?",
            [part.upper() for part in view],
        )
        return _in_small_letters(str(text))

    @contextmanager
    def standing_in(self, schema: str) -> Iterator[Session]:
        with self.store.session() as session:
            session.run(f"USE SCHEMA {schema}")
            try:
                yield session
            finally:
                session.run(f"USE SCHEMA {HOME}")

    # --- who may read ------------------------------------------------------------------------

    def _protect(self, place: str, offer: Offer) -> None:
        """Masks on the set's tables first, then its roles' rights; any that fails ends it."""
        relations = [
            # The map is asked by the model's own schema and table, wherever the relation stands.
            Relation(place, inside(table), table.view_sql is not None, table.columns, ())
            for table in {
                each.path: each for part in offer.tables.values() for each in part
            }.values()
        ]
        relations += self._standing(offer)
        statements = protection.protect(
            self._database,
            relations,
            offer.roles,
            offer.personal_data,
            owner=self.store.settings.snowflake_role or "",
            found=self._found(protection.policies_of(relations, offer.personal_data)),
        )
        for statement in statements:
            self._run(statement)

    def _admit(self, role: str, views: Sequence[str]) -> None:
        schema = f"{ROLE}{role}"
        readable = [Relation(schema, name, True, (), (role,)) for name in views]
        for statement in protection.admitting(self._database, readable, role):
            self._run(statement)

    def _standing(self, offer: Offer) -> list[Relation]:
        """What declared roles read of every set that stands and of the current one, so far as they
        are still offered it."""
        places = [self.place_of(name) for name in self.names()]
        views = self._views()
        relations = []
        for role in offer.roles:
            schemas = {f"{ROLE}{role}", *(f"{place}_{role}" for place in places)}
            still = {table.name for table in offered(offer, role)} | set(ABOUT)
            relations += [
                Relation(schema, name, True, (), (role,))
                for schema, name in views
                if schema in schemas and name in still
            ]
        return relations

    def _views(self) -> list[Table]:
        rows = self.store.rows(
            "SELECT table_schema, table_name FROM information_schema.views ORDER BY 1, 2"
        )
        return [(schema.lower(), name.lower()) for schema, name in rows]

    def _found(self, needed: Collection[str]) -> protection.Found:
        """What the account has of protection that came from here, but for masks: a new set has
        none, and those of older sets stay as long as they do."""
        database = self._database
        named = protection.own_roles(self._told(protection.ask_roles(database)))
        policies = protection.own_policies(self._told(protection.ask_policies(database)))
        return protection.Found(
            # One that columns of an older set have cannot be dropped, and need not be.
            policies=frozenset(
                policy
                for policy in policies.difference(needed)
                if not self._told(protection.ask_masks(database, policy))
            ),
            roles=named,
            grants=frozenset(
                grant
                for role in sorted(named)
                for grant in protection.grants_of(
                    role, self._told(protection.ask_grants(database, role))
                )
            ),
        )


def _in_small_letters(text: str) -> str:
    """A view's statement with the relations that it reads as the warehouse calls them."""
    try:
        tree = sqlglot.parse_one(text, dialect=DIALECT)
    except sqlglot.errors.SqlglotError:
        return text
    for table in tree.find_all(exp.Table):
        for part in ("catalog", "db", "this"):
            name = table.args.get(part)
            if isinstance(name, exp.Identifier):
                table.set(part, exp.to_identifier(name.name.lower()))
    return tree.sql(dialect=DIALECT)
