"""Sets as schemas of the lake, behind views that one pointer row chooses.

    set_00000042_3f9c1a                    what the set is made of: clones of the served tables
    set_00000042_3f9c1a_analyst            the set as a role sees it, by plain names; whoever must
                                           read several relations of one set reads them here
    serving_analyst                        views by plain names, each over the current set
    serving.current_set                    the pointer: one row

Belongs here: making these. Does not belong here: whether a set may be published.

A view of `serving_<role>` reads each of the two sets that may be current, joined with the pointer's
row for it, so that writing that row is all that a swap is, and no reader finds a view of one set
beside a view of another. The join with no row ends a branch before its files are read. A clone is
shallow: it names files of the warehouse's table and copies none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from cdp.config.personal_data import Column
from cdp.config.roles import SECTIONS, Role
from cdp.warehouse.engines.lake import DIALECT, Lake
from cdp.warehouse.engines.translation import literal
from cdp.warehouse.fault_points import reached
from cdp.warehouse.manifest import DamagedSet
from cdp.warehouse.model_catalogue import Catalogue
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
from cdp.warehouse.store import Table, Warehouse

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

    from cdp.warehouse.runs import Run

_POINTER = "serving.current_set"
_SET = "set_"
_ROLE = "serving_"


def lake_shelf(warehouse: Warehouse) -> LakeShelf:
    """The shelf of a lake."""
    assert isinstance(warehouse, Lake), "the target is a lake"
    return LakeShelf(warehouse)


class LakeShelf(Shelf):
    """Schemas of the catalogue."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._built: dict[str, PublishedSet] = {}
        self._run(
            f"CREATE TABLE IF NOT EXISTS {_POINTER} (set_name STRING, says STRING) "
            "COMMENT 'One row: the set that readers are pointed at, and what it says of itself.'"
        )

    def current(self) -> PublishedSet | None:
        rows = self.lake.rows(f"SELECT set_name, says FROM {_POINTER}")
        if not rows:
            return None
        try:
            return PublishedSet.model_validate_json(rows[0][1])
        except ValueError as error:
            raise DamagedSet(f"{_POINTER} cannot be read; publish again") from error

    def place_of(self, set_name: str) -> str:
        # A schema's name may hold no hyphen, and sorts as the set's does.
        return _SET + set_name.replace("-", "_").lower()

    def names(self) -> Collection[str]:
        found = {}
        for schema in self._schemas():
            if schema.startswith(_SET):
                number, plain, *rest = schema.removeprefix(_SET).split("_")
                # A set that is made again has a number at its end; a role's part has its name.
                again = f"-{rest[0]}" if rest and rest[0].isdigit() else ""
                found[f"{number}-{plain}{again}"] = True
        return list(found)

    def new_name(self, run: Run) -> str:
        return super().new_name(run).lower()

    def served(self, names: Sequence[Table], catalogue: Catalogue) -> list[ServedTable]:
        relations = self.lake.relations()
        views = {table: self._query_of(table) for table in names if table in self.lake.views()}
        stay = staying(names, views, DIALECT)
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
        try:
            self._run(f"CREATE SCHEMA {place}")
            for table in views_last(list(tables.values()), DIALECT):
                self._put(place, table)
                reached("publish.after_file")
            rows = {
                path: self.lake.spark.table(_inside(place, table)).count()
                for path, table in tables.items()
            }
            self._tell(place, offer)
            for role in offer.roles.values():
                self._show(place, role, offer)
        except BaseException:
            self._drop([place])
            raise
        of_role = {
            name: {each.path: rows[each.path] for each in _of(offer, name)} for name in offer.roles
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

    def _put(self, place: str, table: ServedTable) -> None:
        """One table of the set, as the warehouse has it; a role sees it through a view only."""
        target = _inside(place, table)
        if table.view_sql:
            query = moved(table.view_sql, _Places(place), DIALECT)
            self._run(f"CREATE VIEW {target} AS {query}")
        elif (table.schema, table.name) in self.lake.views():
            self._run(f"CREATE TABLE {target} AS SELECT * FROM {table.path}")
        else:
            self._run(f"CREATE TABLE {target} SHALLOW CLONE {table.path}")

    def _tell(self, place: str, offer: Offer) -> None:
        """What the set says of itself: its run, and how far each source is known."""
        self._make(
            f"{place}.about_publication",
            "run_id STRING, run_number BIGINT, as_of TIMESTAMP, published_at TIMESTAMP, "
            "set_name STRING, landing_high_water BIGINT",
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
            "source STRING, description STRING, newest_landed_at TIMESTAMP, "
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
        self._run(f"CREATE TABLE {table} ({columns})")
        with self.lake.session() as session:
            session.insert(table, rows)

    def _show(self, place: str, role: Role, offer: Offer) -> None:
        """The set as a role sees it: what it may not see is null of its type."""
        schema = f"{place}_{role.name}"
        self._run(f"CREATE SCHEMA {schema} COMMENT {_text(role.description)}")
        for table in _of(offer, role.name):
            names, shown = [], []
            for column in table.columns:
                name, kind = _quoted(column.name), offer.personal_data.class_of(column)
                names.append(f"{name} COMMENT {_text(table.describe(column))}")
                hidden = f"CAST(NULL AS {_type(column.type)}) AS {name}"
                shown.append(name if role.sees_class(kind) else hidden)
            self._run(
                f"CREATE VIEW {schema}.{_quoted(table.name)} ({', '.join(names)}) "
                f"COMMENT {_text(table.description)} "
                f"AS SELECT {', '.join(shown)} FROM {_inside(place, table)}"
            )
        for name in _ABOUT:
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
        # One commit of one table.
        self._run(f"INSERT OVERWRITE {_POINTER} VALUES ({_text(set_name)}, {_text(says)})")
        reached("publish.after_swap")

    def _turn_views(self, sets: Sequence[str]) -> None:
        """Let the roles' views read the sets, the newest first, as the pointer chooses."""
        newest = self.place_of(sets[0])
        for role in self._roles_of(newest):
            self._run(f"CREATE SCHEMA IF NOT EXISTS {_ROLE}{role}")
            for name in self._relations_in(f"{newest}_{role}"):
                columns = self.lake.spark.table(f"{newest}_{role}.{_quoted(name)}").schema
                branches = [
                    branch
                    for each in sets
                    if (branch := self._branch(each, role, name, columns)) is not None
                ]
                comments = ", ".join(
                    f"{_quoted(each.name)} COMMENT {_text(each.metadata.get('comment', ''))}"
                    for each in columns.fields
                )
                self._run(
                    f"CREATE OR REPLACE VIEW {_ROLE}{role}.{_quoted(name)} ({comments}) AS "
                    + " UNION ALL ".join(branches)
                )

    def _branch(self, set_name: str, role: str, name: str, columns: StructType) -> str | None:
        from pyspark.errors import AnalysisException

        schema = f"{self.place_of(set_name)}_{role}"
        with suppress(AnalysisException):
            there = set(self.lake.spark.table(f"{schema}.{_quoted(name)}").columns)
            shown = ", ".join(
                f"one.{_quoted(each.name)}"
                if each.name in there
                else f"CAST(NULL AS {each.dataType.simpleString()}) AS {_quoted(each.name)}"
                for each in columns.fields
            )
            return (
                f"SELECT {shown} FROM {schema}.{_quoted(name)} AS one CROSS JOIN "
                f"(SELECT 1 AS here FROM {_POINTER} WHERE set_name = {_text(set_name)}) AS pointer"
            )
        return None

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
        self._drop([self.place_of(name) for name in outdated(self.names(), current, kept)])
        roles = set(self._roles_of(self.place_of(current)))
        for schema in self._schemas():
            if not schema.startswith(_ROLE):
                continue
            role = schema.removeprefix(_ROLE)
            if role not in roles:
                self._run(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
                continue
            offered = set(self._relations_in(f"{self.place_of(current)}_{role}"))
            for name in set(self._relations_in(schema)) - offered:
                self._run(f"DROP VIEW IF EXISTS {schema}.{_quoted(name)}")

    def _drop(self, places: Iterable[str]) -> None:
        schemas = self._schemas()
        for place in places:
            # Roles' views first: a set whose tables stand is still known by its name.
            for schema in sorted(schemas, reverse=True):
                if schema == place or schema in {f"{place}_{r}" for r in self._roles_of(place)}:
                    self._run(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
                    reached("publish.in_removal")

    # --- the catalogue -----------------------------------------------------------------------

    def _schemas(self) -> list[str]:
        return [row[0] for row in self.lake.spark.sql("SHOW SCHEMAS").collect()]

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

    def _relations_in(self, schema: str) -> list[str]:
        rows = self.lake.spark.sql(f"SHOW TABLES IN {schema}").collect()
        return sorted(row.tableName for row in rows if not row.isTemporary)

    def _query_of(self, view: Table) -> str:
        rows = self.lake.spark.sql(f"DESCRIBE TABLE EXTENDED {'.'.join(view)}").collect()
        return next(str(row.data_type) for row in rows if row.col_name == "View Text")

    def _run(self, statement: str) -> None:
        self.lake.spark.sql(statement)


_ABOUT = ("about_freshness", "about_publication")
"""What each role finds beside its tables."""


class _Places(dict[Table, str]):
    """Where the set has a relation of the warehouse."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def __missing__(self, table: Table) -> str:
        return f"{self.place}.{table[0]}__{table[1]}"


def _of(offer: Offer, role: str) -> list[ServedTable]:
    """The tables of a role, each once."""
    return list(
        {each.path: each for section in SECTIONS for each in offer.tables[role, section]}.values()
    )


def _inside(place: str, table: ServedTable) -> str:
    """A table of the set; the names of two stages' tables may be the same."""
    return f"{place}.{_quoted(f'{table.schema}__{table.name}')}"


def _type(name: str) -> str:
    return {"VARCHAR": "STRING", "BLOB": "BINARY", "INTEGER": "INT"}.get(name, name)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _text(value: str) -> str:
    return str(literal(value).sql(dialect=DIALECT))
