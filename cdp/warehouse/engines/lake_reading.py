"""Reading a published set of the lake, for commands.

Belongs here: the current set's schema of a role as the place where names are looked up. Does not
belong here: what Spark's other readers do, who ask the views of `serving_<role>`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cdp.warehouse.engines.lake import LakeSession
from cdp.warehouse.engines.lake_shelf import LakeShelf, lake_shelf
from cdp.warehouse.published import Published, RoleView, no_role
from cdp.warehouse.readers import NothingPublished
from cdp.warehouse.settings import Settings
from cdp.warehouse.shelf import PublishedSet
from cdp.warehouse.store import open_warehouse

_SECONDS = 5
"""Somebody is looking at the answer, and does not wait for a run to end."""


@contextmanager
def published_in_lake(settings: Settings) -> Iterator[Published]:
    """The set that the pointer names; the same one for the whole block.

    Raises:
        NothingPublished: there is none.
        WarehouseBusy: a run holds the lake.
    """
    with open_warehouse(settings, _SECONDS) as warehouse:
        shelf = lake_shelf(warehouse)
        current = shelf.current()
        if current is None:
            raise NothingPublished(
                f"nothing has been published in the lake {settings.lake}; run the whole way first"
            )
        yield _PublishedSchemas(shelf, current)


class _PublishedSchemas(Published):
    def __init__(self, shelf: LakeShelf, current: PublishedSet) -> None:
        self._shelf = shelf
        self._current = current

    def roles(self) -> list[str]:
        return sorted(self._current.roles)

    @contextmanager
    def seen_by(self, role: str) -> Iterator[RoleView]:
        if role not in self._current.roles:
            raise no_role(role, self.roles())
        spark = self._shelf.lake.spark
        spark.catalog.setCurrentDatabase(f"{self._shelf.place_of(self._current.set_name)}_{role}")
        try:
            yield _Schema(LakeSession(spark))
        finally:
            spark.catalog.setCurrentDatabase("default")


class _Schema(RoleView):
    def has_table(self, name: str) -> bool:
        assert isinstance(self.session, LakeSession)
        return bool(self.session.spark.catalog.tableExists(name))
