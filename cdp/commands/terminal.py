"""How commands speak: results on standard output, everything else on standard error.

Belongs here: the two consoles, answering as JSON, exit codes, and turning an expected error into
one sentence and a code. Does not belong here: what any command does.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import duckdb
    from pydantic import ValidationError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Exit(IntEnum):
    """What the exit code of a command says; docs/reference/commands.md lists them."""

    OK = 0
    FAILED = 1
    WRONG_INPUT = 2
    REFUSED = 3
    BUSY = 4
    NOT_FOUND = 5


class CommandFailed(Exception):
    """A command cannot do what it was asked: one sentence for the person, one code for machines."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


def answer(value: Any) -> None:
    """Print a command's result as JSON."""
    out.print_json(json.dumps(value, default=_plain, ensure_ascii=False))


def grid(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """A table with the house's look; `numbers` are set to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return table


def count(value: int | None) -> str:
    """A number as people read it; a dash where there is none."""
    return "–" if value is None else f"{value:,}"


def moment(value: datetime | None) -> str:
    """A moment (naive UTC) as people read it; a dash where there is none."""
    return "–" if value is None else value.strftime("%Y-%m-%d %H:%M:%S")


def cell(value: Any) -> Text:
    """A value as people read it, never taken for markup; a dash where there is none."""
    match value:
        case bool():
            shown = "yes" if value else "no"
        case int():
            shown = count(value)
        case datetime() | None:
            shown = moment(value)
        case _:
            shown = str(value)
    return Text(shown)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat() + ("" if value.tzinfo else "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def explain(error: Exception) -> CommandFailed | None:
    """An expected error as a person should hear it; None where it is a fault of the program."""
    if isinstance(error, CommandFailed):
        return error
    # Each of these modules is small, but a command that goes well needs none of them.
    import duckdb
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from cdp.config.moments import NoMoment
    from cdp.config.yaml_text import ConfigError
    from cdp.warehouse.engines.checking import BadTarget
    from cdp.warehouse.manifest import DamagedSet
    from cdp.warehouse.modelling import ModelsFailed
    from cdp.warehouse.publishing import PublishRefused
    from cdp.warehouse.readers import NothingPublished
    from cdp.warehouse.settings import MissingSecret
    from cdp.warehouse.store import WarehouseBusy

    if isinstance(error, ValidationError):
        return _wrong_setting(error)
    if isinstance(error, SettingsError):
        return CommandFailed(
            f"the settings cannot be read: {error}; look at the CDP_* variables",
            Exit.WRONG_INPUT,
        )
    codes: dict[type[Exception], Exit] = {
        ConfigError: Exit.WRONG_INPUT,
        BadTarget: Exit.WRONG_INPUT,
        MissingSecret: Exit.WRONG_INPUT,
        NoMoment: Exit.WRONG_INPUT,
        FileExistsError: Exit.WRONG_INPUT,
        PublishRefused: Exit.REFUSED,
        WarehouseBusy: Exit.BUSY,
        NothingPublished: Exit.NOT_FOUND,
        ModelsFailed: Exit.FAILED,
        DamagedSet: Exit.FAILED,
        **_failures_of_landing(),
    }
    for kind, code in codes.items():
        if isinstance(error, kind):
            return CommandFailed(str(error).strip('"'), code)
    if isinstance(error, duckdb.Error):
        return _refusal_of_the_engine(error)
    if isinstance(error, PermissionError | IsADirectoryError | NotADirectoryError):
        return CommandFailed(f"{error.filename}: {error.strerror}", Exit.FAILED)
    return None


def _failures_of_landing() -> dict[type[Exception], Exit]:
    """What landing raises; nothing where this process has landed nothing, to import no more."""
    if "ingestion.promotion" not in sys.modules:
        return {}
    from ingestion.failures import LoadingFailed, SourceFailed
    from ingestion.promotion import DoesNotReconcile

    failures = (SourceFailed, LoadingFailed, DoesNotReconcile)
    return dict.fromkeys(failures, Exit.FAILED)


def _wrong_setting(error: ValidationError) -> CommandFailed:
    first = error.errors(include_url=False, include_input=False)[0]
    # What follows the setting's own name is the place in its list, which no variable is called by.
    name = str(first["loc"][0]) if first["loc"] else "settings"
    told = first["msg"].removeprefix("Value error, ")
    return CommandFailed(
        f"the setting {name} is not right: {told}; it comes from CDP_{name.upper()} or "
        "config/deployment.yml",
        Exit.WRONG_INPUT,
    )


def _refusal_of_the_engine(error: duckdb.Error) -> CommandFailed:
    """What the engine could not do. Its own words stay out where they may hold values of rows."""
    import duckdb

    if isinstance(error, duckdb.IOException):
        return CommandFailed(
            "the warehouse file cannot be opened; is another program holding it, or the disk full?",
            Exit.BUSY,
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return CommandFailed(
            "the engine needs more memory than it may use: raise CDP_MEMORY_LIMIT, or lower "
            "CDP_THREADS"
        )
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        told = str(error).partition("\n")[0]
        return CommandFailed(
            f"a table or column is not as this command needs it ({told}); `cdp run` builds and "
            "publishes what is declared"
        )
    return CommandFailed(
        f"the engine could not do what was asked ({type(error).__name__}); try again, and where it "
        "stays so, restore the data home as in docs/runbooks/restore.md"
    )
