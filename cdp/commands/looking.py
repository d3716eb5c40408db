"""Opening what a command looks at: the published set as a role sees it, or the warehouse itself.

Belongs here: choosing the role where none is named, and what is said when there is nothing to look
at. Does not belong here: what is read from either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cdp.commands.terminal import CommandFailed, Exit
from cdp.warehouse.engines.known import engine_of
from cdp.warehouse.settings import Settings

if TYPE_CHECKING:
    from cdp.warehouse.published import Published, RoleView
    from cdp.warehouse.store import Warehouse

HELP_OF_ROLE = (
    "Whose set to read; without it, that of the first declared role that has what is asked for."
)


def declared_roles(settings: Settings, published: Published) -> list[str]:
    """The declared roles that the current set has, in the order in which they are declared.

    Where all have been renamed since it was published, the roles that it was published for.
    """
    from cdp.config.roles import load_roles

    there = published.roles()
    return [role for role in load_roles(settings) if role in there] or there


@contextmanager
def set_with(
    settings: Settings, table: str, role: str | None = None
) -> Iterator[tuple[str, RoleView]]:
    """The current set of a role that has a table: of the one named, else of the first declared.

    Raises:
        NothingPublished: no set has been published, or it has no such role.
        CommandFailed: the role, or every role, lacks the table.
    """
    from cdp.warehouse.published import published

    with published(settings) as current:
        asked = [role] if role is not None else declared_roles(settings, current)
        for each in asked:
            with current.seen_by(each) as seen:
                if seen.has_table(table):
                    yield each, seen
                    return
    raise CommandFailed(
        f"the published set has no table {table} for {' or '.join(asked)}; what a role finds is "
        "declared in config/roles.yml, and `--role` names another one",
        Exit.NOT_FOUND,
    )


@contextmanager
def warehouse_at_rest(settings: Settings, wait_seconds: float = 2) -> Iterator[Warehouse]:
    """The warehouse, for a look at it: not waited for as a run waits, since somebody is looking.

    Raises:
        CommandFailed: there is none yet, or a run holds it.
    """
    from cdp.warehouse.store import WarehouseBusy, open_warehouse

    check_begun(settings)
    try:
        with open_warehouse(settings, wait_seconds) as warehouse:
            yield warehouse
    except WarehouseBusy as error:
        # Its advice is for runs, which wait as long as the settings say.
        held = str(error).partition(";")[0]
        raise CommandFailed(
            f"{held}; ask again when it has ended (docs/runbooks/a-run-was-killed.md says how to "
            "find the process)",
            Exit.BUSY,
        ) from error


def check_begun(settings: Settings) -> None:
    """Refuse where no run has made a warehouse yet, which opening one would do.

    Raises:
        CommandFailed: there is none.
    """
    if not engine_of(settings).is_begun(settings):
        raise CommandFailed(
            f"there is no warehouse in {settings.home} yet; `cdp run` makes one", Exit.NOT_FOUND
        )
