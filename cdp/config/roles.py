"""`config/roles.yml`: who reads published sets, and what each role finds there.

Belongs here: the shape of the file, and expanding its patterns over the tables that exist.
Does not belong here: which columns are personal (`cdp.config.personal_data`), writing any set.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cdp.config.personal_data import CLASSES
from cdp.config.shipped import config_path
from cdp.config.yaml_text import ConfigError, KeyPath, YamlText, parse_yaml, read_yaml
from cdp.warehouse.settings import Settings

FILE = "roles.yml"
SECTIONS = ("core", "facts")
"""The files of a role's set: what every run publishes anew, and what changes with a batch."""

_INNER = ("int_", "stg_")
_ROLE_NAME = "^[a-z][a-z0-9_]{0,30}$"


def _pattern(value: str) -> str:
    schema, dot, table = value.partition(".")
    if not dot or not schema or not table or "*" in schema:
        raise ValueError("expected schema.table, such as profiles.dim_profiles or segments.*")
    return value.lower()


TablePattern = Annotated[str, AfterValidator(_pattern)]


class Role(BaseModel):
    """One kind of reader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_ROLE_NAME)
    description: str
    shows: Literal["all"] | tuple[str, ...] = Field(
        description="Classes of personal data that the role sees; all others are null."
    )
    group: str | None = Field(
        None,
        description="Operating-system group that may enter the folder of the role, shut to others.",
    )
    core: tuple[TablePattern, ...] = Field(description="Tables published at every run.")
    facts: tuple[TablePattern, ...] = Field((), description="Tables that change with a batch.")

    def sees_class(self, kind: str | None) -> bool:
        """Whether the role sees columns of a class of personal data; None is not personal."""
        return kind is None or self.shows == "all" or kind in self.shows

    def patterns(self, section: str) -> tuple[str, ...]:
        """The patterns of one of the `SECTIONS`."""
        return self.core if section == "core" else self.facts


def expand(patterns: Iterable[str], tables: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The tables that patterns name, each once: by pattern, then by name.

    A pattern with `*` takes what people read, so it leaves out `int_` and `stg_` tables, which can
    be named in full.
    """
    known = sorted(tables)
    found: dict[tuple[str, str], None] = {}
    for pattern in patterns:
        for schema, table in known:
            if not fnmatchcase(f"{schema}.{table}".lower(), pattern):
                continue
            if "*" in pattern and table.lower().startswith(_INNER):
                continue
            found[schema, table] = None
    return list(found)


def load_roles(settings: Settings) -> dict[str, Role]:
    """Read and check `roles.yml`.

    Raises:
        ConfigError: with the file, the line and what is allowed there.
    """
    path = config_path(settings.config, FILE)
    return dict(_roles(path, read_yaml(path)))


@lru_cache(maxsize=8)
def _roles(path: Path, raw: bytes) -> dict[str, Role]:
    text = parse_yaml(raw, path)
    extra = set(text.data) - {"roles"}
    if extra:
        raise text.error((min(extra),), f"'{min(extra)}' is not known here", ["roles"])
    declared = text.data.get("roles")
    if not isinstance(declared, dict) or not declared:
        raise text.error(("roles",), "expected `roles:` with at least one role")
    return {name: _role(text, name, body) for name, body in declared.items()}


def _role(text: YamlText, name: str, body: Any) -> Role:
    if not isinstance(body, dict):
        raise text.error(("roles", name), "expected a mapping that declares the role")
    shows = body.get("shows")
    if isinstance(shows, list):
        for index, kind in enumerate(shows):
            if kind not in CLASSES:
                raise text.error(
                    ("roles", name, "shows", index),
                    f"no class of personal data is called '{kind}'",
                    CLASSES,
                )
    elif shows != "all":
        raise text.error(
            ("roles", name, "shows"),
            "`shows` is `all` or a list of classes of personal data; [] shows none",
        )
    try:
        return Role(**{"name": name, **body})
    except ValidationError as error:
        raise _at_its_line(text, ("roles", name), error) from error


def _at_its_line(text: YamlText, above: KeyPath, error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False, include_input=False)[0]
    keys: list[str | int] = list(above)
    for part in first["loc"]:
        if (*keys, part) in text.lines:
            keys.append(part)
    where = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
    message = first["msg"].removeprefix("Value error, ")
    return text.error(tuple(keys), f"{where}: {message}" if where else message)
