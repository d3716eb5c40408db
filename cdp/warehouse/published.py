"""The published set as a role sees it, whatever engine keeps it: for commands that show it.

Belongs here: opening the current set of a role for a few queries over plain names. Does not belong
here: connections that stay open, pooled or not (`cdp.warehouse.readers`), writing any set.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cdp.warehouse.readers import NothingPublished, open_reader, published_roles_of_files
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import Session


class RoleView(ABC):
    """What a role finds in the current set."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @abstractmethod
    def has_table(self, name: str) -> bool:
        """Whether the role finds a table or view of that name."""

    def rows(self, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.session.rows(sql, parameters)

    def one(self, sql: str, parameters: Sequence[Any]) -> dict[str, Any] | None:
        """The first row of a query, by column; None where there is none."""
        found = self.session.arrow(sql, parameters).slice(0, 1).to_pylist()
        return found[0] if found else None


class _Files(RoleView):
    def has_table(self, name: str) -> bool:
        return bool(
            self.session.scalar(
                "SELECT count(*) FROM information_schema.tables WHERE table_name = ?", [name]
            )
        )


@contextmanager
def published(settings: Settings) -> Iterator[Published]:
    """The current set, for the block: its roles, and what each finds.

    Raises:
        NothingPublished: no set has been published.
        WarehouseBusy: the engine cannot be read while a run holds it.
    """
    if settings.target == "duckdb":
        yield _PublishedFiles(settings)
        return
    # Imported by who needs it, as few deployments do.
    from cdp.warehouse.engines.schema_reading import published_in_schemas

    with published_in_schemas(settings) as found:
        yield found


class Published(ABC):
    """The current set."""

    @abstractmethod
    def roles(self) -> list[str]:
        """The roles that it has."""

    @abstractmethod
    @contextmanager
    def seen_by(self, role: str) -> Iterator[RoleView]:
        """What a role finds.

        Raises:
            NothingPublished: it has no such role.
        """


class _PublishedFiles(Published):
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._roles = published_roles_of_files(settings)

    def roles(self) -> list[str]:
        return self._roles

    @contextmanager
    def seen_by(self, role: str) -> Iterator[RoleView]:
        from cdp.warehouse.engines.embedded import EmbeddedSession

        with open_reader(self._settings, role) as connection:
            yield _Files(EmbeddedSession(connection))


def no_role(role: str, roles: Sequence[str]) -> NothingPublished:
    """The complaint that a set has no such role."""
    return NothingPublished(
        f"the current set has no role '{role}'; it has: {', '.join(sorted(roles))}; roles are "
        "declared in config/roles.yml and appear with the next publication"
    )
