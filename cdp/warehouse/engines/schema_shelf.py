"""Sets as schemas of a catalogue, behind views that one pointer row chooses, on any engine.

    set_00000042_3f9c1a                    what the set is made of: clones of the served tables
    set_00000042_3f9c1a_analyst            the set as a role sees it, by plain names; whoever must
                                           read several relations of one set reads them here
    serving_analyst                        views by plain names, each over the current set
    serving.current_set                    the pointer: one row

Belongs here: making these, and taking them away. Does not belong here: how an engine says it, which
the methods that are left open are for; whether a set may be published.

A view of `serving_<role>` reads each of the two sets that may be current, joined with the pointer's
row for it, so that writing that row is all that a swap is, and no reader finds a view of one set
beside a view of another.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from cdp.config.personal_data import Column
from cdp.config.roles import SECTIONS, Role
from cdp.warehouse.engines.translation import literal
from cdp.warehouse.fault_points import reached
from cdp.warehouse.manifest import DamagedSet
from cdp.warehouse.served_views import moved, staying, views_last
from cdp.warehouse.shelf import (
    Candidate,
    Offer,
    PublishedSet,
    RoleContent,
    ServedTable,
    Shelf,
    outdated,
)
from cdp.warehouse.store import Session, Table, Warehouse

if TYPE_CHECKING:
    from cdp.warehouse.model_catalogue import Catalogue
    from cdp.warehouse.runs import Run

POINTER = "serving.current_set"
POINTER_SAYS = "One row: the set that readers are pointed at, and what it says of itself."
SET = "set_"
ROLE = "serving_"

_NAME = re.compile(SET + r"(\d{8,})_([a-z0-9]+)(?:_(\d+))?(?:_[a-z][a-z0-9_]*)?")
"""The schema of a set or of a role's part of it: the run's number and its id, and another number
where the set was made again."""

ABOUT = ("about_freshness", "about_publication")
"""What each role finds beside its tables."""


class Shown(NamedTuple):
    """A column of a relation as the catalogue has it; the type in the engine's own words."""

    name: str
    type: str
    comment: str


class SchemaShelf(Shelf):
    """Schemas of the catalogue of the engine that holds the warehouse."""

    dialect: ClassVar[str]
    """The dialect of the statements that `_run` is given."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self._built: dict[str, PublishedSet] = {}
        self._make_pointer()

    # --- how the engine says it --------------------------------------------------------------

    @abstractmethod
    def _run(self, statement: str) -> None:
        """Run a statement of the engine's own dialect, which is a commit of its own."""

    @abstractmethod
    def _make_pointer(self) -> None:
        """Make the pointer's table where it is missing."""

    @abstractmethod
    def _point_at(self, set_name: str, says: str) -> None:
        """Write the pointer's one row in place of the one before, in one commit."""

    @abstractmethod
    def _quoted(self, name: str) -> str:
        """A plain name as a part of a statement."""

    @abstractmethod
    def _type(self, name: str) -> str:
        """What the engine calls a type of DuckDB's."""

    @abstractmethod
    def _clone(self, target: str, source: Table) -> None:
        """Make a table of the set from one of the warehouse without copying its rows."""

    @abstractmethod
    def _make_schema(self, name: str, description: str = "") -> None:
        """Make a schema; one of that name must not be there."""

    @abstractmethod
    def _make_view(
        self,
        view: str,
        columns: Sequence[tuple[str, str]],
        query: str,
        description: str = "",
        *,
        replace: bool = False,
    ) -> None:
        """Make a view with the names and comments of its columns.

        Args:
            view: schema and quoted name.
            replace: there may be one of that name, and whoever may read it may read this one.
        """

    @abstractmethod
    def _schemas(self) -> list[str]:
        """Names of all schemas, in small letters."""

    @abstractmethod
    def relations_in(self, schema: str) -> list[str]:
        """Names of the tables and views of a schema, in small letters and in their order."""

    @abstractmethod
    def _columns_of(self, schema: str, name: str) -> list[Shown] | None:
        """The columns of a relation in their order; None where there is no such relation."""

    @abstractmethod
    def _query_of(self, view: Table) -> str:
        """The query of a view of the warehouse, or the statement that made it."""

    @abstractmethod
    def standing_in(self, schema: str) -> AbstractContextManager[Session]:
        """A session that looks plain names up in a schema."""

    def _protect(self, place: str, offer: Offer) -> None:
        """See that the set's tables, and what its roles see of them, are read by nobody else.

        Called before any reader is pointed at the set; where it fails, nothing is published. An
        engine that has rights of its own overrides it.
        """

    def _admit(self, role: str, views: Sequence[str]) -> None:
        """Let a role read its views of the current set, which have been written.

        An engine that has rights of its own overrides it.
        """

    # --- what stands -------------------------------------------------------------------------

    def current(self) -> PublishedSet | None:
        rows = self.warehouse.rows(f"SELECT set_name, says FROM {POINTER}")
        if not rows:
            return None
        try:
            return PublishedSet.model_validate_json(rows[0][1])
        except ValueError as error:
            raise DamagedSet(f"{POINTER} cannot be read; publish again") from error

    def place_of(self, set_name: str) -> str:
        # A schema's name may hold no hyphen, and sorts as the set's does.
        return SET + set_name.replace("-", "_").lower()

    def names(self) -> Collection[str]:
        found = {}
        for schema in self._schemas():
            # Whatever else begins alike is somebody's own.
            if named := _NAME.fullmatch(schema):
                found["-".join(part for part in named.groups() if part)] = True
        return list(found)

    def new_name(self, run: Run) -> str:
        return super().new_name(run).lower()

    def served(self, names: Sequence[Table], catalogue: Catalogue) -> list[ServedTable]:
        relations, their_views = self.warehouse.relations(), self.warehouse.views()
        views = {table: self._query_of(table) for table in names if table in their_views}
        stay = staying(names, views, self.dialect)
        return [
            ServedTable(
                *table,
                columns=tuple(Column(*table, *each) for each in relations[table].items()),
                model=catalogue.get(table),
                view_sql=stay.get(table),
            )
            for table in names
        ]

    # --- building ----------------------------------------------------------------------------

    def build(self, offer: Offer) -> Candidate:
        place = self.place_of(offer.set_name)
        tables = {each.path: each for part in offer.tables.values() for each in part}
        their_views = self.warehouse.views()
        try:
            self._make_schema(place)
            for table in views_last(list(tables.values()), self.dialect):
                self._put(place, table, their_views)
                reached("publish.after_file")
            rows = {path: self._rows_of(place, table) for path, table in tables.items()}
            self._tell(place, offer)
            for role in offer.roles.values():
                self._show(place, role, offer)
            self._protect(place, offer)
        except BaseException:
            self._drop([place])
            raise
        of_role = {
            name: {each.path: rows[each.path] for each in offered(offer, name)}
            for name in offer.roles
        }
        says = PublishedSet(
            set_name=offer.set_name,
            run_id=offer.run.run_id,
            run_number=offer.run.run_number,
            as_of=offer.run.as_of,
            published_at=offer.published_at,
            landing_high_water=offer.landing_high_water,
            roles={
                name: RoleContent(tables=len(counts), rows=sum(counts.values()), bytes=0)
                for name, counts in of_role.items()
            },
        )
        self._built[offer.set_name] = says
        ways = {path: "view" if each.view_sql else "cloned" for path, each in tables.items()}
        return Candidate(place, says, of_role, ways)

    def _put(self, place: str, table: ServedTable, views: Collection[Table]) -> None:
        """One table of the set, as the warehouse has it; a role sees it through a view only."""
        target = self._inside(place, table)
        source = (table.schema, table.name)
        if table.view_sql:
            query = moved(table.view_sql, _Places(place), self.dialect)
            self._run(f"CREATE VIEW {target} AS {query}")
        elif source in views:
            self._run(f"CREATE TABLE {target} AS SELECT * FROM {table.path}")
        else:
            self._clone(target, source)

    def _rows_of(self, place: str, table: ServedTable) -> int:
        counted = f'SELECT count(*) FROM {place}."{inside(table)}"'
        return int(self.warehouse.scalar(counted))

    def _tell(self, place: str, offer: Offer) -> None:
        """What the set says of itself: its run, and how far each source is known."""
        self._make(
            f"{place}.about_publication",
            "run_id VARCHAR, run_number BIGINT, as_of TIMESTAMP, published_at TIMESTAMP, "
            "set_name VARCHAR, landing_high_water BIGINT",
            [
                (
                    offer.run.run_id,
                    offer.run.run_number,
                    offer.run.as_of,
                    offer.published_at,
                    offer.set_name,
                    offer.landing_high_water,
                )
            ],
        )
        self._make(
            f"{place}.about_freshness",
            "source VARCHAR, description VARCHAR, newest_landed_at TIMESTAMP, "
            "newest_occurred_at TIMESTAMP, complete_until TIMESTAMP, fresh_within_seconds BIGINT, "
            "is_stale BOOLEAN",
            [
                (
                    name,
                    description,
                    known.landed_at,
                    known.occurred_at,
                    known.complete_until,
                    int(known.within.total_seconds()),
                    known.is_stale,
                )
                for name, (description, known) in offer.freshness.items()
            ],
        )

    def _make(self, table: str, columns: str, rows: Sequence[Sequence[object]]) -> None:
        with self.warehouse.session() as session:
            session.execute(f"CREATE TABLE {table} ({columns})")
            session.insert(table, rows)

    def _show(self, place: str, role: Role, offer: Offer) -> None:
        """The set as a role sees it: what it may not see is null of its type."""
        schema = f"{place}_{role.name}"
        self._make_schema(schema, role.description)
        for table in offered(offer, role.name):
            shown = []
            for column in table.columns:
                name, kind = self._quoted(column.name), offer.personal_data.class_of(column)
                hidden = f"CAST(NULL AS {self._type(column.type)}) AS {name}"
                shown.append(name if role.sees_class(kind) else hidden)
            self._make_view(
                f"{schema}.{self._quoted(table.name)}",
                [(column.name, table.describe(column)) for column in table.columns],
                f"SELECT {', '.join(shown)} FROM {self._inside(place, table)}",
                table.description,
            )
        for name in ABOUT:
            self._run(f"CREATE VIEW {schema}.{name} AS SELECT * FROM {place}.{name}")

    def discard(self, candidate: Candidate) -> None:
        self._drop([str(candidate.place)])

    def accept(self, candidate: Candidate) -> None:
        """A set is built under its own name, and counts from the pointer on."""

    # --- the pointer -------------------------------------------------------------------------

    def swap(self, set_name: str) -> None:
        says = self._built[set_name].model_dump_json()
        current = self.current()
        self._turn_views([set_name] + ([current.set_name] if current else []))
        reached("publish.before_swap")
        self._point_at(set_name, says)
        reached("publish.after_swap")

    def _turn_views(self, sets: Sequence[str]) -> None:
        """Let the roles' views read the sets, the newest first, as the pointer chooses."""
        newest = self.place_of(sets[0])
        for role in self._roles_of(newest):
            self._run(f"CREATE SCHEMA IF NOT EXISTS {ROLE}{role}")
            names = self.relations_in(f"{newest}_{role}")
            for name in names:
                columns = self._columns_of(f"{newest}_{role}", name) or []
                branches = [
                    branch
                    for each in sets
                    if (branch := self._branch(each, role, name, columns)) is not None
                ]
                self._make_view(
                    f"{ROLE}{role}.{self._quoted(name)}",
                    [(each.name, each.comment) for each in columns],
                    " UNION ALL ".join(branches),
                    replace=True,
                )
            self._admit(role, names)

    def _branch(self, set_name: str, role: str, name: str, columns: Sequence[Shown]) -> str | None:
        schema = f"{self.place_of(set_name)}_{role}"
        there = self._columns_of(schema, name)
        if there is None:
            return None
        known = {each.name: each.type for each in there}
        shown = ", ".join(self._shown(each, known.get(each.name)) for each in columns)
        return (
            f"SELECT {shown} FROM {schema}.{self._quoted(name)} AS one CROSS JOIN "
            f"(SELECT 1 AS here FROM {POINTER} WHERE set_name = {self._text(set_name)}) AS pointer"
        )

    def _shown(self, column: Shown, there: str | None) -> str:
        """A column of a set among the branches of a view, which are alike."""
        name = self._quoted(column.name)
        if there == column.type:
            return f"one.{name}"
        if there is None:
            return f"CAST(NULL AS {column.type}) AS {name}"
        return f"{self._tried_as(f'one.{name}', column.type)} AS {name}"

    def _tried_as(self, expression: str, kind: str) -> str:
        """An expression as another type; null where its value is none of that."""
        return f"TRY_CAST({expression} AS {kind})"

    # --- taking away -------------------------------------------------------------------------

    def remove_leftovers(self) -> None:
        current = self.current()
        newest = current.set_name if current else ""
        left = [name for name in self.names() if name > newest]
        if not left:
            return
        if current:
            # A kill may have let the views read what is about to go.
            self._turn_views([current.set_name])
        self._drop([self.place_of(name) for name in left])

    def remove_old(self, current: str, kept: int) -> None:
        newest = self.place_of(current)
        roles = set(self._roles_of(newest))
        # Before the sets that name the roles go, so that whoever comes after a kill still knows
        # which roles there were. A schema of a name that no set has is somebody's own.
        withdrawn = {
            role for name in self.names() for role in self._roles_of(self.place_of(name))
        } - roles
        for role in sorted(withdrawn):
            self._run(f"DROP SCHEMA IF EXISTS {ROLE}{role} CASCADE")
        for role in sorted(roles):
            here = set(self.relations_in(f"{newest}_{role}"))
            for name in set(self.relations_in(f"{ROLE}{role}")) - here:
                self._run(f"DROP VIEW IF EXISTS {ROLE}{role}.{self._quoted(name)}")
        self._drop([self.place_of(name) for name in outdated(self.names(), current, kept)])

    def _drop(self, places: Iterable[str]) -> None:
        schemas = self._schemas()
        for place in places:
            # Roles' views first: a set whose tables stand is still known by its name.
            for schema in sorted(schemas, reverse=True):
                if schema == place or schema in {f"{place}_{r}" for r in self._roles_of(place)}:
                    self._run(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
                    reached("publish.in_removal")

    def _roles_of(self, place: str) -> list[str]:
        """The roles that a set has a schema for."""
        begins = f"{place}_"
        return [
            rest
            for schema in self._schemas()
            if schema.startswith(begins)
            # `set_1_a_2` is another set than `set_1_a`, made again.
            and not (rest := schema.removeprefix(begins)).split("_")[0].isdigit()
        ]

    # --- names and texts ---------------------------------------------------------------------

    def _inside(self, place: str, table: ServedTable) -> str:
        return f"{place}.{self._quoted(inside(table))}"

    def _text(self, value: str) -> str:
        return str(literal(value).sql(dialect=self.dialect))


class _Places(dict[Table, str]):
    """Where the set has a relation of the warehouse."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def __missing__(self, table: Table) -> str:
        return f"{self.place}.{table[0]}__{table[1]}"


def offered(offer: Offer, role: str) -> list[ServedTable]:
    """The tables of a role, each once."""
    return list(
        {each.path: each for section in SECTIONS for each in offer.tables[role, section]}.values()
    )


def inside(table: ServedTable) -> str:
    """The name of a table in the set; the names of two stages' tables may be the same."""
    return f"{table.schema}__{table.name}"
