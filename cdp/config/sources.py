"""`config/sources.yml`: what a deployment brings in, and how its columns map to the contract.

Belongs here: the shape of a declaration and every check that can be made without reaching the
source. Does not belong here: reading any source (`ingestion/`) or writing models for it
(`cdp.config.staging_models`).
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import sqlglot
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from sqlglot import exp

from cdp.config.constants import Value, constant_text
from cdp.config.contract import ENTITIES
from cdp.config.declared import Declared, Duration, EnvReference, Lag, Text
from cdp.config.source_options import OPTIONS, names_of
from cdp.config.yaml_text import ConfigError, KeyPath, YamlText, parse_yaml, read_yaml
from cdp.warehouse.settings import Settings

_NAME = "^[a-z][a-z0-9]{0,40}(_[a-z0-9]{1,40}){0,6}$"
_RESERVED = ("files", "loads", "quarantine")
"""Tables of raw that are the platform's own."""


class Constant(Declared):
    """A canonical column that is the same for every row."""

    value: Value

    @field_validator("value", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """A day or a moment without quotes is one to YAML already."""
        return value.isoformat() if isinstance(value, date) else value


class Expression(Declared):
    """A canonical column computed by SQL over the source's columns, which are all text."""

    sql: str = Field(max_length=2_000)

    @model_validator(mode="after")
    def _is_one_expression(self) -> Expression:
        parse_expression(self.sql)
        return self


_BEYOND_THE_ROW = (
    exp.AggFunc,
    exp.Alias,
    exp.Block,
    exp.Command,
    exp.DDL,
    exp.DML,
    exp.Parameter,
    exp.Placeholder,
    exp.Query,
    exp.ReadCSV,
    exp.ReadParquet,
    exp.SessionParameter,
    exp.Star,
    exp.UDTF,
    exp.Window,
)
_OF_THE_MOMENT = (
    exp.Localtime,
    exp.Localtimestamp,
    exp.Rand,
    exp.Randn,
    exp.Randstr,
    exp.SessionUser,
    exp.UtcDate,
    exp.UtcTime,
    exp.UtcTimestamp,
    exp.Uuid,
    exp.Version,
)


def parse_expression(sql: str) -> exp.Expr:
    """Parse a mapping's SQL: one expression over columns, without a query in it.

    Raises:
        ValueError: it is not an expression, or reaches beyond the row.
    """
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    # sqlglot's parser meets some halves of expressions ("->") with a TypeError.
    except (sqlglot.errors.SqlglotError, RecursionError, TypeError) as error:
        raise ValueError("this is not an SQL expression") from error
    if not isinstance(tree, exp.Condition):
        raise ValueError("this is not an SQL expression")
    for node in tree.walk():
        if isinstance(node, _BEYOND_THE_ROW):
            raise ValueError("a mapping may use the columns of its own row only")
        if isinstance(node, _OF_THE_MOMENT) or type(node).__name__.startswith("Current"):
            raise ValueError("a mapping must give the same row the same value at any time")
        if isinstance(node, exp.Anonymous):
            raise ValueError(f"the function {node.name} is not one that every engine has")
    return tree


def _source_column(name: str) -> str:
    """The name of a source column that staging reads: one that a JSON path and dbt can hold."""
    if not name.strip():
        raise ValueError("expected the name of a source column; it is blank")
    if '"' in name:
        raise ValueError("a source column that is read may not have a quote in its name")
    if any(mark in name for mark in _MARKS):
        raise ValueError("a source column may not have {{, {%, {# or a backslash in its name")
    return name


SourceColumn = Annotated[str, AfterValidator(_source_column)]

_MARKS = ("{{", "{%", "{#", "\\", "\x00")
"""What dbt takes for its own, and what ends no text as it should."""


class Map(Declared):
    """One canonical entity made from the rows of a stream."""

    entity: str
    where: str | None = Field(
        None, max_length=2_000, description="SQL over the source's columns, all text."
    )
    columns: dict[str, str | Constant | Expression]

    @model_validator(mode="after")
    def _fits_the_contract(self) -> Map:
        if self.entity not in ENTITIES:
            raise ValueError(f"no entity is called '{self.entity}'; {', '.join(ENTITIES)}")
        contract = ENTITIES[self.entity]
        for column in self.columns:
            if column not in contract.columns:
                raise ValueError(
                    f"{self.entity} has no column '{column}'; it has {', '.join(contract.columns)}"
                )
        generated = {
            "consent_id",
            "line_number",
            "refund_id",
        }  # else the row's fingerprint or position
        needed = (*contract.key, *contract.subject)
        missing = [name for name in needed if name not in {*self.columns, *generated}]
        if missing:
            raise ValueError(f"{self.entity} needs the column '{missing[0]}'")
        if self.where is not None:
            parse_expression(self.where)
        for value in self.columns.values():
            if isinstance(value, str):
                _source_column(value)
        texts = [
            self.where or "",
            *(_text_of(value) for value in self.columns.values()),
        ]
        if any(mark in text for text in texts for mark in _MARKS):
            raise ValueError("a mapping may not contain {{, {%, {# or a backslash")
        return self


def _text_of(value: str | Constant | Expression) -> str:
    if isinstance(value, Constant):
        return str(value.value)
    return value.sql if isinstance(value, Expression) else value


class Deletes(Declared):
    """How deletions of a mutable stream are noticed."""

    column: str | None = Field(
        None,
        description="Soft delete: the column that holds its time; maps that have no `deleted_at` "
        "of their own take it.",
    )
    compare_every: Duration | None = Field(
        None,
        description="Hard delete: how often the source's keys are compared with the landed (kind: "
        "database). An event that has happened stays.",
    )
    may_lose_most: bool = Field(
        False,
        description="Take rows for deleted also where a comparison misses more than half of 100 or "
        "more live ones; without it the source fails then, and nothing is taken for deleted.",
    )

    @model_validator(mode="after")
    def _loses_by_a_comparison(self) -> Deletes:
        if self.may_lose_most and self.compare_every is None:
            raise ValueError(
                "`may_lose_most` is for a comparison of keys; declare `compare_every`, or drop it"
            )
        return self


class Stream(Declared):
    """One kind of rows that a source delivers, and how it is landed."""

    files: str | None = Field(None, description="Glob below the location (kind: files).")
    table: str | None = Field(None, description="Table or view (kind: database).")
    endpoint: dict[str, Any] | None = Field(None, description="Endpoint (kind: rest_api).")
    format: Literal["segment", "ndjson", "json", "csv", "parquet"] | None = None
    key: tuple[SourceColumn, ...] = Field((), description="Source columns that identify a row.")
    version: SourceColumn | None = Field(
        None, description="Source column that orders versions of a key."
    )
    cursor: str | None = Field(None, description="Column by which new rows are asked for.")
    lag: Lag | None = Field(
        None,
        description="How far behind the cursor's last value rows are asked for again: a duration, "
        "or a number where the cursor counts.",
    )
    deletes: Deletes = Field(
        default_factory=lambda: Deletes(column=None, compare_every=None, may_lose_most=False)
    )
    maps: tuple[Map, ...] = ()

    @field_validator("maps")
    @classmethod
    def _say_when_deleted(cls, maps: tuple[Map, ...], said: ValidationInfo) -> tuple[Map, ...]:
        column = getattr(said.data.get("deletes"), "column", None)
        if column is None or not maps:
            return maps
        if not any("deleted_at" in ENTITIES[each.entity].columns for each in maps):
            raise ValueError(
                f"{maps[0].entity} know no deletion; drop `deletes.column`, or leave deleted rows "
                "out by `where`"
            )
        return tuple(
            each
            if "deleted_at" in each.columns or "deleted_at" not in ENTITIES[each.entity].columns
            else Map(
                entity=each.entity,
                where=each.where,
                columns={**each.columns, "deleted_at": column},
            )
            for each in maps
        )

    @model_validator(mode="after")
    def _lags_behind_a_cursor(self) -> Stream:
        if self.lag is not None and self.cursor is None:
            raise ValueError("`lag` is counted back from a cursor; declare `cursor`, or drop `lag`")
        return self

    @model_validator(mode="after")
    def _is_whole(self) -> Stream:
        if self.format == "segment":
            given = {"maps": self.maps, "key": self.key, "version": self.version}
            for name, value in given.items():
                if value:
                    raise ValueError(
                        f"a stream of format segment is mapped by its format; drop `{name}`"
                    )
        elif not self.maps:
            raise ValueError("a stream needs `maps`: at least one entity that its rows become")
        entities = [each.entity for each in self.maps]
        twice = next((name for name in entities if entities.count(name) > 1), None)
        if twice:
            raise ValueError(
                f"a stream maps its rows to {twice} once; declare a second stream for the others"
            )
        return self

    @property
    def nests(self) -> bool:
        """Whether a dot in a column's name steps into an object; elsewhere it is a dot."""
        return self.endpoint is not None or self.format in ("ndjson", "json", "parquet")


_OF_KIND = {
    "files": "files",
    "format": "files",
    "table": "database",
    "cursor": "database",
    "lag": "database",
    "endpoint": "rest_api",
}
"""Keys of a stream that one kind of source alone knows."""


class Source(Declared):
    """One place that data comes from."""

    name: str = Field(pattern=_NAME)
    description: Text = Field(min_length=10)
    kind: Literal["files", "database", "rest_api"]
    owner: Text = Field(min_length=3)
    purpose: Text = Field(min_length=3, description="Why the data is collected.")
    id_type: str = Field(
        "",
        pattern="^([a-z][a-z0-9_]{0,40})?$",
        description="Identifier type of its customer or contact ids; `<source>_id` if empty.",
    )
    fresh_within: Duration = Field(description="Older than this, the source counts as stale.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="By the kind of the source; see below."
    )
    streams: dict[Annotated[str, Field(pattern=_NAME)], Stream] = Field(min_length=1)

    @model_validator(mode="after")
    def _streams_fit_the_kind(self) -> Source:
        wanted = {"files": "files", "database": "table", "rest_api": "endpoint"}[self.kind]
        for name, stream in self.streams.items():
            for key, kind in _OF_KIND.items():
                if kind != self.kind and getattr(stream, key) is not None:
                    raise ValueError(
                        f"stream '{name}': `{key}` is for sources of kind {kind} alone; drop it"
                    )
            if getattr(stream, wanted) is None:
                raise ValueError(
                    f"stream '{name}' of a source of kind {self.kind} needs `{wanted}`"
                )
            if self.kind == "files" and stream.format is None:
                raise ValueError(f"stream '{name}' needs `format`")
            if self.kind != "files" and not stream.key:
                raise ValueError(
                    f"stream '{name}' needs `key`: rows of a {self.kind.replace('_', ' ')} have no "
                    "place of their own, as the lines of a file have"
                )
        return self

    @model_validator(mode="after")
    def _compares_what_can_be_compared(self) -> Source:
        for name, stream in self.streams.items():
            if stream.deletes.compare_every is not None and self.kind != "database":
                raise ValueError(
                    f"stream '{name}': keys are compared in a database alone; drop "
                    "`deletes.compare_every`"
                )
        return self

    @model_validator(mode="after")
    def _takes_no_table_of_the_platform(self) -> Source:
        if self.name in _RESERVED:
            raise ValueError(f"raw.{self.name} is a table of the platform; take another name")
        return self

    def option(self, name: str, settings: Settings, default: Any = None) -> Any:
        """An option with `{home}` filled in and references to the environment resolved."""
        return resolve(self.options.get(name, default), settings)


class Sources(Declared):
    """All sources of a deployment."""

    sources: dict[str, Source]


def resolve(value: Any, settings: Settings) -> Any:
    """Fill `{home}` and `{project}` into text and replace `{env: NAME}` by what it names."""
    if isinstance(value, dict):
        if set(value) == {"env"}:
            return EnvReference(**value).reveal()
        return {key: resolve(item, settings) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, settings) for item in value]
    if isinstance(value, str):
        return value.replace("{home}", str(settings.home))
    return value


def load_sources(settings: Settings) -> Sources:
    """Read and check `sources.yml`.

    Raises:
        ConfigError: with the file, the line and what is allowed there.
    """
    path = settings.config / "sources.yml"
    return _sources(path, read_yaml(path))


@lru_cache(maxsize=8)
def _sources(path: Path, raw: bytes) -> Sources:
    """Every step of a run asks for the sources; they are checked once for each text of the file."""
    text = parse_yaml(raw, path)
    declared = text.data.get("sources")
    if not isinstance(declared, dict) or not declared:
        raise text.error(("sources",), "expected `sources:` with at least one source")
    extra = set(text.data) - {"sources"}
    if extra:
        raise text.error((min(extra),), f"'{min(extra)}' is not known here", ["sources"])
    return Sources(sources={name: _source(text, name, body) for name, body in declared.items()})


def _source(text: YamlText, name: str, body: Any) -> Source:
    if not isinstance(body, dict):
        raise text.error(("sources", name), "expected a mapping that declares the source")
    if "name" in body:
        raise text.error(("sources", name, "name"), "a source is called by its key; drop `name`")
    try:
        made = Source(**{"name": name, **body})
    except ValidationError as error:
        raise _at_its_line(text, ("sources", name), error) from error
    for option in made.options:
        if option not in (known := names_of(made.kind)):
            raise text.error(
                ("sources", name, "options", option),
                f"no option of kind {made.kind} is called '{option}'",
                known,
            )
    try:
        OPTIONS[made.kind](**made.options)
    except ValidationError as error:
        raise _at_its_line(text, ("sources", name, "options"), error) from error
    _check_constants(text, made)
    return made


def _check_constants(text: YamlText, source: Source) -> None:
    """A constant that its column cannot hold would fail every run of the models."""
    for name, stream in source.streams.items():
        for place, each in enumerate(stream.maps):
            columns = ENTITIES[each.entity].columns
            for column, value in each.columns.items():
                if not isinstance(value, Constant):
                    continue
                kind = columns[column].type
                try:
                    constant_text(value.value, kind)
                except ValueError as error:
                    where = ("streams", name, "maps", place, "columns", column, "value")
                    raise text.error(
                        ("sources", source.name, *where),
                        f"'{value.value}' is no {kind}, which {column} of {each.entity} is; "
                        f"{error}",
                    ) from None


def _at_its_line(text: YamlText, above: KeyPath, error: ValidationError) -> ConfigError:
    """The first complaint of pydantic, placed at the line that it is about."""
    first = error.errors(include_url=False, include_input=False)[0]
    # Union members add their own names to the location; those are no keys of the file.
    keys: list[str | int] = list(above)
    for part in first["loc"]:
        if (*keys, part) in text.lines:
            keys.append(part)
    if first["type"] == "extra_forbidden" and (known := _known_beside(first["loc"], above)):
        return text.error(tuple(keys), f"no key here is called '{first['loc'][-1]}'", known)
    message = first["msg"].removeprefix("Value error, ")
    within = (*above[2:], *first["loc"])
    where = ".".join(str(part) for part in within if isinstance(part, str))
    return text.error(tuple(keys), f"{where}: {message}" if where else message)


def _known_beside(at: tuple[str | int, ...], above: KeyPath) -> list[str]:
    """The keys that may stand where one stands that nobody knows."""
    if len(above) > 2:
        return []
    models: dict[tuple[str, int], type[BaseModel]] = {
        ("", 1): Source,
        ("", 3): Stream,
        ("deletes", 4): Deletes,
        ("maps", 5): Map,
    }
    part = str(at[2]) if len(at) > 3 else ""
    model = models.get((part, len(at)))
    return [name for name in model.model_fields if name != "name"] if model else []


def source_paths(settings: Settings) -> list[Path]:
    """The files that declare sources."""
    return [settings.config / "sources.yml"]
