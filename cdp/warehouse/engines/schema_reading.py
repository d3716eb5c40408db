"""Reading a published set of schemas, for commands.

Belongs here: the current set's schema of a role as the place where names are looked up. Does not
belong here: what an engine's other readers do, who ask the views of `serving_<role>`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from cdp.warehouse.engines.schema_shelf import SchemaShelf
from cdp.warehouse.published import Published, RoleView, no_role
from cdp.warehouse.readers import NothingPublished
from cdp.warehouse.settings import Settings
from cdp.warehouse.shelf import PublishedSet, shelf_of
from cdp.warehouse.store import Session, open_warehouse

_SECONDS = 5
"""Somebody is looking at the answer, and does not wait for a run to end."""


@contextmanager
def published_in_schemas(settings: Settings) -> Iterator[Published]:
    """The set that the pointer names; the same one for the whole block.

    Raises:
        NothingPublished: there is none.
        WarehouseBusy: a run holds the warehouse.
    """
    with open_warehouse(settings, _SECONDS) as warehouse:
        shelf = shelf_of(warehouse)
        assert isinstance(shelf, SchemaShelf), "sets of this target are schemas"
        current = shelf.current()
        if current is None:
            raise NothingPublished(
                f"nothing has been published on the target {settings.target}; run the whole way "
                "first"
            )
        yield _PublishedSchemas(shelf, current)


class _PublishedSchemas(Published):
    def __init__(self, shelf: SchemaShelf, current: PublishedSet) -> None:
        self._shelf = shelf
        self._current = current

    def roles(self) -> list[str]:
        return sorted(self._current.roles)

    @contextmanager
    def seen_by(self, role: str) -> Iterator[RoleView]:
        if role not in self._current.roles:
            raise no_role(role, self.roles())
        schema = f"{self._shelf.place_of(self._current.set_name)}_{role}"
        with self._shelf.standing_in(schema) as session:
            yield _Schema(session, self._shelf.relations_in(schema))


class _Schema(RoleView):
    def __init__(self, session: Session, names: Collection[str]) -> None:
        super().__init__(session)
        self._names = frozenset(names)

    def has_table(self, name: str) -> bool:
        return name.lower() in self._names
