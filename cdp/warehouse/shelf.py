"""Where published sets stand, whatever engine keeps them.

Belongs here: what publishing asks of an engine (`Shelf`), what a set is to hold (`Offer`), and what
is known of one that stands (`PublishedSet`). Does not belong here: how sets are kept as files
(`cdp.warehouse.file_shelf`) or as schemas (`cdp.warehouse.engines.schema_shelf`), whether one may
be published (`cdp.warehouse.publishing`).
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from cdp.config.personal_data import Column, PersonalData
from cdp.config.roles import Role
from cdp.warehouse.freshness import Freshness
from cdp.warehouse.model_catalogue import Catalogue, Model
from cdp.warehouse.runs import Run
from cdp.warehouse.store import Warehouse

Place = Path | str
"""Where a set stands: a folder, or the schema that its relations' schemas begin with."""


@dataclass(frozen=True)
class ServedTable:
    """A table or view of the warehouse that a role is to find in a set.

    Attributes:
        view_sql: the query of a view that stays one, in the engine's dialect; None for what is
            copied.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    model: Model | None
    view_sql: str | None = None

    @property
    def path(self) -> str:
        """`schema.table`."""
        return f"{self.schema}.{self.name}"

    @property
    def key(self) -> str | None:
        """A number that rows can be ranged by: the table's own key, else the place of landing."""
        types = {column.name: column.type for column in self.columns}
        own = self.model.unique_key if self.model else ()
        if len(own) == 1 and types.get(own[0]) in ("BIGINT", "INTEGER"):
            return own[0]
        return "landing_number" if types.get("landing_number") == "BIGINT" else None

    @property
    def description(self) -> str:
        """What the table holds."""
        return self.model.description if self.model else ""

    def describe(self, column: Column) -> str:
        """What a column holds."""
        return self.model.columns.get(column.name, ("", ""))[1] if self.model else ""


@dataclass(frozen=True)
class Offer:
    """What a set is to hold.

    Attributes:
        tables: by role and section (see `cdp.config.roles.SECTIONS`).
        freshness: how far each source is known, by its name, with its description.
        masks: a hash of what roles are shown, as it is declared.
        untouched: `schema.table` of what nothing has been written to since the last published run.
        rewrite: nothing may be taken over from an earlier set.
    """

    run: Run
    set_name: str
    published_at: datetime
    landing_high_water: int
    logic_hash: str
    masks: str
    roles: Mapping[str, Role]
    tables: Mapping[tuple[str, str], Sequence[ServedTable]]
    personal_data: PersonalData
    freshness: Mapping[str, tuple[str, Freshness]]
    untouched: Collection[str]
    rewrite: bool


class RoleContent(BaseModel):
    """What a role finds in a set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tables: int
    rows: int
    bytes: int


class PublishedSet(BaseModel):
    """A set that stands, as it says itself. Times are naive UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set_name: str
    run_id: str
    run_number: int
    as_of: datetime
    published_at: datetime
    landing_high_water: int
    roles: dict[str, RoleContent]


@dataclass(frozen=True)
class Candidate:
    """A set that is whole and that no reader is pointed at.

    Attributes:
        place: where it stands now.
        rows: rows by role and `schema.table`.
        ways: how each of its parts came to be: written, patched, linked, cloned.
    """

    place: Place
    says: PublishedSet
    rows: Mapping[str, Mapping[str, int]]
    ways: Mapping[str, str]


class Shelf(ABC):
    """The sets of a deployment."""

    @abstractmethod
    def current(self) -> PublishedSet | None:
        """The set that readers are pointed at; None before the first one.

        Raises:
            DamagedSet: it does not say what it is.
        """

    @abstractmethod
    def place_of(self, set_name: str) -> Place:
        """Where a set stands once it is accepted."""

    @abstractmethod
    def names(self) -> Collection[str]:
        """The sets that stand, whether readers were ever pointed at them or not."""

    @abstractmethod
    def served(self, names: Sequence[tuple[str, str]], catalogue: Catalogue) -> list[ServedTable]:
        """Tables of the warehouse as a set would have them.

        A view stays a view where all that it reads is in the same set; else its rows are copied,
        as a view over tables that the reader does not have would be of no use.
        """

    @abstractmethod
    def build(self, offer: Offer) -> Candidate:
        """Write a candidate; where that fails, nothing of it stays."""

    @abstractmethod
    def discard(self, candidate: Candidate) -> None:
        """Take a candidate away."""

    @abstractmethod
    def accept(self, candidate: Candidate) -> None:
        """Give a candidate its name, durably."""

    @abstractmethod
    def swap(self, set_name: str) -> None:
        """Make an accepted set the current one, at once for all who read."""

    @abstractmethod
    def remove_leftovers(self) -> None:
        """Remove what killed runs have left; only for the holder of the warehouse."""

    @abstractmethod
    def remove_old(self, current: str, kept: int) -> None:
        """Keep the current set and the newest before it, so many in all; remove all others."""

    def new_name(self, run: Run) -> str:
        """A name for the set of a run that no set has; it sorts by the run's number."""
        # The run's id is whatever the orchestrator chose; in a name only a plain part may stand.
        plain = re.sub(r"[^A-Za-z0-9]", "", run.run_id)
        short = plain[:12] or hashlib.sha256(run.run_id.encode()).hexdigest()[:12]
        stem = f"{run.run_number:08d}-{short}"
        taken, again = set(self.names()), 1
        while (name := stem if again == 1 else f"{stem}-{again}") in taken:
            again += 1
        return name


def outdated(names: Collection[str], current: str, kept: int) -> list[str]:
    """The sets to be removed: all but the current one and the newest before it.

    One that is newer than the current one was never swapped in.
    """
    older = sorted(name for name in names if name < current)
    keep = {current, *older[max(0, len(older) - (kept - 1)) :]}
    return [name for name in sorted(names) if name not in keep]


def shelf_of(warehouse: Warehouse) -> Shelf:
    """The shelf of the engine that holds the warehouse."""
    # Each is imported by who needs it, for its packages may be missing.
    if warehouse.settings.target == "spark":
        from cdp.warehouse.engines.lake_shelf import lake_shelf

        return lake_shelf(warehouse)
    if warehouse.settings.target == "snowflake":
        from cdp.warehouse.engines.snowflake_shelf import snowflake_shelf

        return snowflake_shelf(warehouse)
    if warehouse.settings.target == "bigquery":
        from cdp.warehouse.engines.bigquery_shelf import bigquery_shelf

        return bigquery_shelf(warehouse)
    from cdp.warehouse.file_shelf import FileShelf

    return FileShelf(warehouse)
