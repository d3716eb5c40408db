"""The rules of who is who: the seeds that declare them, read row by row and held to what they mean.

Belongs here: the columns of those seeds, what may stand in each, and what rows of several seeds
must agree on. Does not belong here: what follows from the rules (`cdp.identity.rules`), which of
the labels contradict each other (`cdp.identity.seed_labels`).
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from cdp.config.declared import Declared
from cdp.config.label_rows import LabelRow, NoLabels, read_label_rows
from cdp.config.patterns import NoPattern, check_pattern
from cdp.config.yaml_text import ConfigError, nearest
from cdp.warehouse.settings import PROJECT_ROOT, Settings

ANY_TYPE = "*"

Normaliser = Literal["exact", "lower", "email", "phone", "name", "text"]
SIGNS = ("identifiers", "given_names", "surnames")

OWN_TYPES = ("user_id", "email", "phone", "anonymous_id", "name", "group_id")
"""Types that rows of any source may bring."""


def _or_nothing(value: Any) -> Any:
    return None if value == "" else value


Text = Annotated[str | None, BeforeValidator(_or_nothing)]
Count = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_or_nothing)]

_TYPE_NAME = r"^(\*|[A-Za-z][A-Za-z0-9_.:-]{0,63})$"

TypeName = Annotated[str, Field(pattern=_TYPE_NAME)]

_OF_PEOPLE = ("identifier_type", "value")
"""Columns of what is blocked in which a person's value may stand, were it by mistake: it is not
repeated."""


class IdentifierType(Declared):
    """A row of `identifier_types`; its columns are described in the list of seeds."""

    identifier_type: TypeName
    # Two of them make the weakness of an edge, three digits each.
    priority: int = Field(ge=1, le=999)
    normaliser: Normaliser
    max_per_profile: Count
    window_days: Count
    do_not_merge: bool
    is_device: bool
    max_people: Count
    max_asserted: Count
    max_values: Count

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> IdentifierType:
        if self.window_days is not None and self.max_per_profile is None:
            raise ValueError("window_days is the period of a limit; expected max_per_profile too")
        if self.do_not_merge and (self.max_per_profile or 1) != 1:
            raise ValueError("of a type that is do_not_merge, expected max_per_profile to be 1")
        if self.normaliser in ("phone", "name") and self.identifier_type == ANY_TYPE:
            raise ValueError(
                f"not everything that is not named is a {self.normaliser}; expected exact, lower "
                "or text"
            )
        return self


class BlockedValue(Declared):
    """A row of `blocked_values`: one value, or a pattern of many."""

    identifier_type: TypeName
    value: Text
    pattern: Text
    reason: str = Field(min_length=1)

    @field_validator("value", "pattern")
    @classmethod
    def _can_be_loaded(cls, told: str | None) -> str | None:
        if told is not None and told.strip().lower() in ("", "null"):
            raise ValueError("a seed reads this as nothing; expected the pattern (?i)^null$")
        return told

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                check_pattern(pattern)
            except NoPattern as error:
                raise ValueError(str(error)) from None
        return pattern

    @model_validator(mode="after")
    def _is_one_of_both(self) -> BlockedValue:
        if (self.value is None) == (self.pattern is None):
            found = "nothing" if self.value is None else "both"
            raise ValueError(f"expected either a value or a pattern, found {found}")
        return self


class Sign(Declared):
    """A row of `identity_signs`."""

    sign: Literal["identifiers", "given_names", "surnames"]
    allowed: Count


class Scope(Declared):
    """A row of `identity_scopes`."""

    source: str = Field(min_length=1)
    scope: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    min_name_parts: Count


Row = TypeVar("Row", bound=Declared)


@dataclass(frozen=True)
class IdentityRules:
    """All rules, as the seeds of a deployment declare them.

    Attributes:
        warnings: what is allowed and looks like a mistake, each with file and line.
    """

    types: tuple[IdentifierType, ...]
    blocked: tuple[BlockedValue, ...]
    signs: tuple[Sign, ...]
    scopes: tuple[Scope, ...]
    labels: tuple[LabelRow, ...]
    warnings: tuple[str, ...] = ()


def load_identity_rules(
    settings: Settings,
    sources: Collection[str] = (),
    id_types: Collection[str] = (),
    instead: Mapping[str, Path] | None = None,
) -> IdentityRules:
    """Read the seeds: those beside the configuration, and the shipped ones for the rest.

    Args:
        sources: names of the declared sources, among which a scope's must be where the seed of
            scopes is the deployment's own.
        id_types: types of the ids that sources are declared to give their customers and contacts.
        instead: files to read in place of seeds, by the seeds' names.

    Raises:
        ConfigError: a row is wrong; says the file, the line, what was found and what is allowed.
    """

    place = partial(_place, settings, instead=instead)
    types = _once(place("identifier_types"), IdentifierType, "identifier_type")
    names = [row.identifier_type for _, row in types]
    if ANY_TYPE not in names:
        raise ConfigError(
            place("identifier_types"),
            1,
            f"expected a row '{ANY_TYPE}' for the types that are not named",
        )
    signs = _once(place("identity_signs"), Sign, "sign")
    told = {row.sign for _, row in signs if row.allowed is not None}
    if len(told & {"given_names", "surnames"}) == 1:
        raise ConfigError(
            place("identity_signs"),
            1,
            "given_names and surnames are one sign; expected both or neither",
        )
    path = place("identity_scopes")
    scopes = _once(path, Scope, "source")
    is_own = path.parent == settings.config / "seeds" or "identity_scopes" in (instead or {})
    for line, scope in scopes:
        if sources and is_own and scope.source not in sources:
            raise ConfigError(path, line, f"no source is called '{scope.source}'", sources)
    return IdentityRules(
        tuple(row for _, row in types),
        tuple(_blocked(place("blocked_values"), {*names, *id_types})),
        tuple(row for _, row in signs),
        tuple(row for _, row in scopes),
        tuple(_labels(place("identity_labels"), {*names, *id_types})),
        tuple(_misspelt(place("identifier_types"), types, id_types)),
    )


def check_type(path: Path, line: int, column: str, name: str, known: Collection[str]) -> None:
    """Let the name of a type pass that is `known`, or that rows of any source may bring.

    Raises:
        ConfigError: nobody is declared to bring it; tells the nearest that is known.
    """
    # An id that was sent encoded is of a type of its own: `email:sha256`.
    allowed = {*OWN_TYPES, *known} - {ANY_TYPE}
    if name in allowed or name.partition(":")[0] in allowed:
        return
    # What cannot be a type's name may be a person's value that stands in the wrong column.
    called = f"is called '{name}'" if re.fullmatch(_TYPE_NAME, name) else "is called so"
    raise ConfigError(
        path,
        line,
        f"{column}: no identifier type {called}; one of yours stands in identifier_types",
        allowed,
    )


def seed_of(settings: Settings, name: str) -> Path:
    """The file of a seed: the configuration's own, or the shipped one."""
    own = settings.config / "seeds" / f"{name}.csv"
    return own if own.is_file() else _SHIPPED / f"{name}.csv"


def _place(settings: Settings, name: str, instead: Mapping[str, Path] | None) -> Path:
    return (instead or {}).get(name) or seed_of(settings, name)


_SHIPPED = PROJECT_ROOT / "dbt_project" / "seeds"


def _blocked(path: Path, known: Collection[str]) -> Iterator[BlockedValue]:
    found: dict[tuple[str | None, ...], int] = {}
    for line, row in _rows(path, BlockedValue):
        if row.identifier_type != ANY_TYPE:
            check_type(path, line, "identifier_type", row.identifier_type, known)
        key = (row.identifier_type, row.value, row.pattern)
        first = found.setdefault(key, line)
        if first != line:
            raise ConfigError(path, line, f"the same stands in line {first} already")
        yield row


def _labels(path: Path, known: Collection[str]) -> Iterator[LabelRow]:
    try:
        rows, problems = read_label_rows(path)
    except NoLabels as error:
        raise ConfigError(path, error.line, error.problem) from error
    for line, problem in problems:
        raise ConfigError(path, line, problem)
    for row in rows:
        for side, kind, value in row.ends:
            check_type(path, row.line, f"{side}_type", kind, known)
            if value.lower() == "null":
                raise ConfigError(path, row.line, f"{side}_value: a seed reads this as nothing")
        yield row


def normalisers(settings: Settings, instead: Mapping[str, Path] | None = None) -> dict[str, str]:
    """The normaliser of each type that the rules name; `*` for all others."""
    rows = _rows(_place(settings, "identifier_types", instead), IdentifierType)
    return {row.identifier_type: row.normaliser for _, row in rows}


def _misspelt(
    path: Path, types: Collection[tuple[int, IdentifierType]], id_types: Collection[str]
) -> Iterator[str]:
    """Types that nobody is declared to bring and that look like one which somebody brings."""
    shipped = _rows(_SHIPPED / "identifier_types.csv", IdentifierType)
    known = {*OWN_TYPES, *id_types, *(row.identifier_type for _, row in shipped)}
    for line, row in types:
        near = difflib.get_close_matches(row.identifier_type, sorted(known), 1, 0.75)
        if row.identifier_type not in known and near:
            yield (
                f"{path}:{line}: no source is declared to bring '{row.identifier_type}'; "
                f"did you mean '{near[0]}'?"
            )


def _once(path: Path, kind: type[Row], key: str) -> list[tuple[int, Row]]:
    """The rows of a seed with their lines, no two of one key."""
    found: dict[object, int] = {}
    rows = []
    for line, row in _rows(path, kind):
        value = getattr(row, key)
        if value in found:
            raise ConfigError(path, line, f"{key} '{value}' stands in line {found[value]} already")
        found[value] = line
        rows.append((line, row))
    return rows


def _rows(path: Path, kind: type[Row]) -> Iterator[tuple[int, Row]]:
    columns = list(kind.model_fields)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            if next(reader, None) != columns:
                raise ConfigError(path, 1, f"expected the columns {','.join(columns)}")
            for cells in reader:
                line = reader.line_num
                if len(cells) != len(columns):
                    raise ConfigError(
                        path, line, f"expected {len(columns)} cells, found {len(cells)}"
                    )
                yield line, _row(path, line, kind, dict(zip(columns, cells, strict=True)))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(path, None, f"expected CSV in UTF-8: {error}") from error


def _row(path: Path, line: int, kind: type[Row], cells: dict[str, str]) -> Row:
    try:
        return kind.model_validate(cells)
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(str(part) for part in first["loc"])
        may_be_told = column in cells and not (kind is BlockedValue and column in _OF_PEOPLE)
        found = f", found '{cells[column]}'" if may_be_told else ""
        said = first["msg"].removeprefix("Value error, ")
        message = f"{column}: {said}{found}" if column else said
        allowed = _allowed(kind, column)
        raise ConfigError(path, line, nearest(message, allowed)) from None


def _allowed(kind: type[Declared], column: str) -> tuple[str, ...]:
    field = kind.model_fields.get(column)
    options = getattr(field.annotation, "__args__", ()) if field else ()
    return tuple(option for option in options if isinstance(option, str))
