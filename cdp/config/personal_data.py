"""`config/personal_data.yml`: the one map of the columns that can hold personal data.

Belongs here: reading the map, and answering for any column of any table which class of personal
data it holds, if any; finding columns that nobody has declared. Masking, erasure, export and the
leak tests ask here and nowhere else.
Does not belong here: what a role may see (`cdp.config.roles`), or doing anything to the data.

A column is looked up in this order; the first answer holds:

1. `tables:`, under its `schema.table` (`*` stands for any run of characters), the longest pattern
   first;
2. `everywhere:`, by its name;
3. `plain:`, by its name;
4. its type: a number, a boolean or a moment says nothing about a person by itself.

What is left, texts, dates and bytes mostly, is undeclared, and an undeclared column is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cdp.config.shipped import config_path
from cdp.config.yaml_text import YamlText, parse_yaml, read_yaml
from cdp.warehouse.settings import Settings

FILE = "personal_data.yml"

PLAIN = "plain"
"""What the map says of a column that holds no personal data."""

CLASSES: dict[str, str] = {
    "email": "An e-mail address.",
    "phone": "A phone number.",
    "name": "A person's name, or the company that stands for them.",
    "address": "Where a person lives, finer than a region.",
    "birth_date": "A date of birth.",
    "ip": "A network address.",
    "user_agent": "A client's user agent.",
    "web_address": "An address on the web, whose path or query can name a person.",
    "identifier": "An id that a system gave a person or a device, or a key made of one.",
    "payload": "A row or object as a source sent it, with whatever is inside.",
    "free_text": "Words that people typed.",
}
"""The classes of personal data."""

_PLAIN_TYPES = re.compile(
    r"^(boolean|u?(tiny|small|big|huge)int|u?integer|float|double|real|decimal.*|numeric.*"
    r"|timestamp.*|time|interval)$",
    re.IGNORECASE,
)


class Column(NamedTuple):
    """A column as a model declares it or the warehouse has it."""

    schema: str
    table: str
    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}.{self.name} ({self.type})"


class UndeclaredColumns(ValueError):
    """Columns that the map says nothing about; names them and what to write."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns = tuple(columns)
        named = ", ".join(str(column) for column in self.columns)
        super().__init__(
            f"config/{FILE} does not say whether these columns hold personal data: {named}; give "
            f"each a class, or `{PLAIN}`, under its table, or by its name for all tables"
        )


@dataclass(frozen=True)
class PersonalData:
    """The map, ready to be asked."""

    tables: Mapping[str, Mapping[str, str]]
    everywhere: Mapping[str, str]
    plain: frozenset[str]

    def class_of(self, column: Column) -> str | None:
        """The class of a column; None where it holds no personal data.

        Raises:
            UndeclaredColumns: the map does not say.
        """
        answer = self._answer(column)
        if answer is None:
            raise UndeclaredColumns([column])
        return None if answer == PLAIN else answer

    def undeclared(self, columns: Iterable[Column]) -> list[Column]:
        """The columns that the map says nothing about."""
        return [column for column in columns if self._answer(column) is None]

    def _answer(self, column: Column) -> str | None:
        name = column.name.lower()
        table = f"{column.schema}.{column.table}".lower()
        matching = sorted(
            (pattern for pattern in self.tables if fnmatchcase(table, pattern)), key=len
        )
        for pattern in reversed(matching):
            if name in self.tables[pattern]:
                return self.tables[pattern][name]
        if name in self.everywhere:
            return self.everywhere[name]
        if name in self.plain or _PLAIN_TYPES.match(column.type):
            return PLAIN
        return None


def load_personal_data(settings: Settings) -> PersonalData:
    """Read and check the map.

    Raises:
        ConfigError: with the file, the line and what is allowed there.
    """
    path = config_path(settings.config, FILE)
    return _personal_data(path, read_yaml(path))


@lru_cache(maxsize=8)
def _personal_data(path: Path, raw: bytes) -> PersonalData:
    """Publishing asks for every column; the map is checked once for each text of the file."""
    text = parse_yaml(raw, path)
    for key in text.data:
        if key not in ("everywhere", "plain", "tables"):
            raise text.error(
                (key,), f"'{key}' is not known here", ["everywhere", "plain", "tables"]
            )
    tables = text.data.get("tables") or {}
    if not isinstance(tables, dict):
        raise text.error(("tables",), "expected a mapping of schema.table to columns")
    for table in tables:
        if table.count(".") != 1:
            raise text.error(("tables", table), f"'{table}' is not of the form schema.table")
    plain = text.data.get("plain") or []
    if not isinstance(plain, list) or not all(isinstance(name, str) for name in plain):
        raise text.error(("plain",), "expected a list of column names")
    everywhere = _classes(text, ("everywhere",), text.data.get("everywhere") or {})
    for index, name in enumerate(plain):
        if name.lower() in everywhere:
            raise text.error(
                ("plain", index), f"the column '{name}' is personal by `everywhere` already"
            )
    return PersonalData(
        tables={
            table.lower(): _classes(text, ("tables", table), columns)
            for table, columns in tables.items()
        },
        everywhere=everywhere,
        plain=frozenset(name.lower() for name in plain),
    )


def _classes(text: YamlText, keys: tuple[str, ...], columns: Any) -> dict[str, str]:
    if not isinstance(columns, dict):
        raise text.error(keys, "expected a mapping of columns to classes of personal data")
    for column, kind in columns.items():
        if kind not in CLASSES and kind != PLAIN:
            raise text.error(
                (*keys, column),
                f"column '{column}' has no class of personal data that is known",
                [*CLASSES, PLAIN],
            )
    return {column.lower(): kind for column, kind in columns.items()}
