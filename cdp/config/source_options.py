"""The options of sources, kind by kind.

Belongs here: every key that may stand below `options`, its form and its meaning. Does not belong
here: what a reader does with it (`ingestion/`).
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StrictBool

from cdp.config.declared import Declared, Duration, EnvReference


@cache
def _zones() -> set[str]:
    """All names of zones; finding them reads a folder of hundreds of files."""
    return available_timezones()


def _zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("none that is known; expected a name such as Europe/Berlin")
    return name


def _delimiter(mark: str) -> str:
    """Readers of CSV look for one byte, which may not be what ends a row or quotes a value."""
    if len(mark) != 1 or not mark.isascii() or mark in '"\r\n\0':
        raise ValueError(
            "expected one ASCII character that is no quote and no line end, such as , ; | or a tab"
        )
    return mark


class _Options(Declared):
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC", description="Zone of times that name none; UTC when not given."
    )


class FilesOptions(_Options):
    """Options of sources of kind `files`."""

    location: str | EnvReference = Field(
        description="Folder, `s3://bucket/prefix` or `gs://bucket/prefix`."
    )
    settle: Duration | None = Field(
        None,
        description="A file counts as complete when it has been left alone this long; 1 minute "
        "when not given.",
    )
    credentials: dict[str, Any] | EnvReference | None = Field(
        None,
        description="What the bucket asks for, and in `kwargs` below it what fsspec is told "
        "besides; see [files in a bucket](../how-to/read-a-bucket.md).",
    )
    delimiter: Annotated[str, AfterValidator(_delimiter)] = Field(
        ",",
        description="What parts the columns of CSV files; a comma when not given.",
        json_schema_extra={"minLength": 1, "maxLength": 1},
    )


class DatabaseOptions(_Options):
    """Options of sources of kind `database`."""

    url: str | EnvReference = Field(description="SQLAlchemy's address, usually `{env: NAME}`.")
    # `schema` is a method of every model of pydantic.
    schema_: str | None = Field(
        None,
        alias="schema",
        description="Schema of the tables, where it is not the user's default.",
    )
    connect_timeout: Duration | None = Field(
        None, description="How long connecting may take; 30 seconds when not given."
    )
    statement_timeout: Duration | None = Field(
        None, description="How long a query may take; 1 hour when not given."
    )


class RestOptions(_Options):
    """Options of sources of kind `rest_api`."""

    base_url: str | EnvReference = Field(description="Address that endpoints are below.")
    auth: dict[str, Any] | None = Field(None, description="As dlt's `rest_api` source has it.")
    headers: dict[str, Any] | None = Field(None, description="Sent with each request.")
    paginator: dict[str, Any] | str | None = Field(
        None, description="As dlt's `rest_api` source has it."
    )
    allow_private: StrictBool = Field(
        False,
        description="Allow addresses of this machine and of private networks; false when not "
        "given.",
    )


OPTIONS: dict[str, type[_Options]] = {
    "files": FilesOptions,
    "database": DatabaseOptions,
    "rest_api": RestOptions,
}
"""The options of each kind of source."""


def names_of(kind: str) -> list[str]:
    """The options that a kind knows, as they are written."""
    return [field.alias or name for name, field in OPTIONS[kind].model_fields.items()]
