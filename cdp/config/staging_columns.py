"""SQL of the columns of staging models: each canonical column over the JSON of a landed row.

Belongs here: reading source columns from a parsed payload, and giving them the contract's types.
Does not belong here: whole models (`cdp.config.staging_sql`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from sqlglot import exp

from cdp.config.constants import constant_text
from cdp.config.contract import WAREHOUSE_TYPES, Column
from cdp.config.sources import Constant, Expression, parse_expression
from cdp.config.staged import GENERATED_KEYS, StagedEntity, column_names, json_path, output_columns
from cdp.warehouse.engines.quiet_expressions import spelled_quietly
from cdp.warehouse.settings import TARGETS

TEXT = "{{ dbt.type_string() }}"
"""The type of text, which alone has a name of its own on some engines."""


def type_named(kind: str) -> str:
    """A warehouse type as a model writes it."""
    return TEXT if kind == "varchar" else kind


def null_of(kind: str) -> str:
    """SQL of a null of a warehouse type."""
    return f"cast(null as {type_named(kind)})"


class MapSql:
    """SQL of the columns of one map, or of `only` some of them, over the JSON paths needed."""

    def __init__(
        self, staged: StagedEntity, only: Iterable[str] | None = None, *, of_row: bool = False
    ) -> None:
        """
        Args:
            only: the canonical columns that are asked for; all where not given.
            of_row: whether the key and the version of the row in its source are asked for too.
        """
        assert staged.map is not None, "asked for entities of maps alone"
        self._map, self._staged = staged.map, staged
        self._nests = staged.declared.nests
        found: list[str] = []
        for name in staged.entity.columns if only is None else only:
            value = self._map.columns.get(name)
            if isinstance(value, str):
                found.append(value)
            elif isinstance(value, Expression):
                found += column_names(value.sql)
            elif value is None and name in GENERATED_KEYS:
                of_row = True
        if self._map.where:
            found += column_names(self._map.where)
        if of_row:
            found += staged.row_key_columns
            found += [staged.declared.version] if staged.declared.version else []
        paths = (json_path(name, nests=self._nests) for name in found)
        self.paths = list(dict.fromkeys(paths)) or ["$"]

    def _source_column(self, name: str) -> str:
        return field_of(self.paths, json_path(name, nests=self._nests))

    @property
    def row_id(self) -> str:
        """SQL of the row's key in its source."""
        texts = [
            f"{{{{ as_type({_as_jinja_argument(self._source_column(name))}, 'varchar') }}}}"
            for name in self._staged.row_key_columns
        ]
        return " || chr(31) || ".join(texts)

    @property
    def version(self) -> str:
        """SQL of the text that orders the versions of a row."""
        if self._staged.declared.version is not None:
            text = _as_jinja_argument(self._source_column(self._staged.declared.version))
            return f"{{{{ as_type({text}, 'varchar') }}}}"
        if self._staged.order == "updated_at":
            updated = self.column("updated_at", self._staged.entity.columns["updated_at"])
            return f"cast({updated} as {TEXT})"
        return f"cast(null as {TEXT})"

    @property
    def is_marked(self) -> str:
        """SQL of whether a row marks its entity as deleted."""
        if "deleted_at" not in self._map.columns:
            return "false"
        column = self._staged.entity.columns["deleted_at"]
        return f"{self.column('deleted_at', column)} is not null"

    def condition(self) -> str | None:
        """Which rows of the stream the map takes; None where it takes all."""
        if self._map.where is None:
            return None
        where = _expression(self._map.where, self.paths, self._nests)
        return f"coalesce({{{{ or_null({where}, 'fields') }}}}, false)"

    def selects(self) -> list[str]:
        """Every canonical column of the entity, and what it has besides."""
        columns = self._staged.entity.columns
        found = [f"{self.column(name, column)} as {name}" for name, column in columns.items()]
        if "attributes" in output_columns(self._staged.entity):
            found.append("payload as attributes")
        return found

    def column(self, name: str, column: Column) -> str:
        """SQL of one canonical column; null of its type where the map leaves it out."""
        if column.type == "code":
            # Two spellings of a purpose would be two purposes, of which a refusal meets but one.
            plain = _as_jinja_argument(self.column(name, replace(column, type="text")))
            return f"nullif({{{{ lowered(trimmed({plain})) }}}}, '')"
        value = self._map.columns.get(name)
        if value is None:
            if name in GENERATED_KEYS and self._staged.row_key_columns:
                return self.row_id
            if name in GENERATED_KEYS:
                return "position" if name == "line_number" else "row_key"
            return null_of(WAREHOUSE_TYPES[column.type])
        if isinstance(value, Constant):
            told = constant_text(value.value, column.type)
            text = exp.Literal.string(told).sql(dialect="duckdb")
            if column.type == "timestamp":
                return typed(text, column, self._staged.zone)
            return f"cast({text} as {type_named(WAREHOUSE_TYPES[column.type])})"
        if isinstance(value, Expression):
            sql = _expression(value.sql, self.paths, self._nests)
            # Landing keeps out rows that it fails on; those of before it did must not stop a run.
            made = f"or_null({sql}, 'fields')"
            if column.type == "timestamp":
                # Its text keeps the zone that it names, which a cast to a time would drop.
                text = f"'cast(' ~ {made} ~ ' as ' ~ dbt.type_string() ~ ')'"
                return f"{{{{ as_utc({text}, '{self._staged.zone}') }}}}"
            if column.type == "identifier":
                text = f"'cast(' ~ {made} ~ ' as ' ~ dbt.type_string() ~ ')'"
                return f"{{{{ text_id({text}) }}}}"
            return f"{{{{ try_cast_to({made}, '{WAREHOUSE_TYPES[column.type]}') }}}}"
        if column.type == "identifier":
            return id_of(self.paths, json_path(value, nests=self._nests))
        return typed(self._source_column(value), column, self._staged.zone)


def _expression(sql: str, paths: list[str], nests: bool) -> str:
    """An expression as a Jinja argument: one text, or one an engine where they spell it apart."""
    # Engines are called the same by sqlglot, by dbt and by the setting.
    texts = {
        dialect: _as_jinja_argument(_spelled(sql, paths, nests, dialect)) for dialect in TARGETS
    }
    if len(spellings := set(texts.values())) == 1:
        return spellings.pop()
    each = ", ".join(f"'{dialect}': {text}" for dialect, text in texts.items())
    return f"by_engine({{{each}}})"


def _spelled(sql: str, paths: list[str], nests: bool, dialect: str) -> str:
    tree = parse_expression(sql)
    # From the leaves up, since what is replaced is not looked into.
    for node in reversed(list(tree.walk())):
        new: exp.Expr = node
        if isinstance(node, exp.Column):
            name = node.sql(dialect="duckdb").replace('"', "")
            new = exp.Var(this=field_of(paths, json_path(name, nests=nests)))
        elif type(node) is exp.Cast:
            # What is cast is text, which some engines want to know, and must not fail.
            new = exp.TryCast(**{**node.args, "safe": True, "requires_string": True})
        tree = new if node is tree else tree
        if node is not new and tree is not new:
            node.replace(new)
    return _lower(spelled_quietly(tree, dialect))


def _lower(sql: str) -> str:
    """Keywords and functions in the letters of the project; what stands in quotes stays."""
    quoted = re.split(r"""(\{\{.*?\}\}|'(?:[^']|'')*'|"[^"]*")""", sql)
    return "".join(part if number % 2 else part.lower() for number, part in enumerate(quoted))


def field_of(paths: list[str], path: str) -> str:
    return f"{{{{ json_field('fields', paths, {paths.index(path)}) }}}}"


def id_of(paths: list[str], path: str) -> str:
    return f"{{{{ json_id('payload', 'fields', paths, {paths.index(path)}) }}}}"


def name_of(paths: list[str], path: str) -> str:
    return f"{{{{ json_name('payload', 'fields', paths, {paths.index(path)}) }}}}"


def typed(text: str, column: Column, zone: str = "UTC") -> str:
    if column.type in ("json", "identifier"):
        return text
    quoted = _as_jinja_argument(text)
    if column.type == "timestamp":
        return f"{{{{ as_utc({quoted}, '{zone}') }}}}"
    return f"{{{{ as_type({quoted}, '{WAREHOUSE_TYPES[column.type]}') }}}}"


def _as_jinja_argument(text: str) -> str:
    """SQL with macro calls in it as one Jinja expression: texts and calls joined by `~`."""
    parts: list[str] = []
    rest = text
    while rest:
        before, found, after = rest.partition("{{ ")
        if before:
            parts.append(f"'{_jinja_text(before)}'")
        if not found:
            break
        call, _, rest = after.partition(" }}")
        parts.append(call)
    return " ~ ".join(parts)


def paths_header(paths: Iterable[str]) -> str:
    """The list of paths that `json_fields` parses and `json_field` takes from."""
    listed = ",\n".join(f"    '{_jinja_text(path)}'" for path in paths)
    return f"{{%- set paths = [\n{listed}\n] %}}\n\n"


def _jinja_text(path: str) -> str:
    return path.replace("\\", "\\\\").replace("'", "\\'")
