"""Which column comes from which, read out of the SQL of the models.

Belongs here: parsing compiled SQL into lineage, and keeping the answer as a file for as long as the
project does not change, since it costs seconds. Does not belong here: dagster.

The answer is a help for people who look at the graph, so SQL that the parser cannot follow (an
engine's own function) has no lineage rather than failing a run. Python models declare theirs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

Table = tuple[str, str]
"""Schema and name."""

Lineage = Mapping[str, frozenset[tuple[Table, str]]]
"""For each column of a table, the columns of other tables that its value is taken from."""


@dataclass(frozen=True)
class Query:
    """The compiled SQL that fills a table."""

    table: Table
    sql: str


def lineage_of(sql: str, columns: Mapping[Table, Mapping[str, str]], dialect: str) -> Lineage:
    """Trace every column of a query to the tables it reads.

    Args:
        sql: one SELECT.
        columns: the columns (with types) of every table that may be read.
        dialect: sqlglot's name of the engine.
    """
    nested: dict[str, object] = {}
    for (schema, name), types in columns.items():
        tables = nested.setdefault(schema, {})
        assert isinstance(tables, dict)
        tables[name] = dict(types)
    try:
        tree = sqlglot.parse_one(sql, read=dialect)
        for table in tree.find_all(exp.Table):
            table.set("catalog", None)
        qualified = qualify(
            tree, dialect=dialect, schema=nested, validate_qualify_columns=False, identify=False
        )
        scope = build_scope(qualified)
    except (SqlglotError, RecursionError):
        return {}
    if scope is None:
        return {}
    tracer = _Tracer()
    return {name: tracer.sources(scope, name) for name in _names(scope) if name != "*"}


class _Tracer:
    """Follows columns through subqueries and common table expressions, each only once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], frozenset[tuple[Table, str]]] = {}

    def sources(self, scope: Scope, column: str) -> frozenset[tuple[Table, str]]:
        key = (id(scope), column)
        if key not in self._known:
            # A recursive expression meets itself: whatever it adds is found on the way already.
            self._known[key] = frozenset()
            self._known[key] = frozenset(self._trace(scope, column))
        return self._known[key]

    def _trace(self, scope: Scope, column: str) -> set[tuple[Table, str]]:
        found: set[tuple[Table, str]] = set()
        if scope.union_scopes:
            # The branches of a union meet by position, whatever their columns are called.
            names = _names(scope)
            position = names.index(column) if column in names else None
            for branch in scope.union_scopes:
                inner = _names(branch)
                if position is not None and position < len(inner):
                    found |= self.sources(branch, inner[position])
            return found
        selected = next((each for each in _selects(scope) if each.alias_or_name == column), None)
        if selected is None:
            return found
        for used in selected.find_all(exp.Column):
            source = scope.sources.get(used.table)
            if isinstance(source, exp.Table):
                found.add(((source.db, source.name), used.name))
            elif isinstance(source, Scope):
                found |= self.sources(source, used.name)
        return found


def _selects(scope: Scope) -> list[exp.Expr]:
    """What a scope selects; nothing where it is no query, such as a list of values."""
    query = scope.expression
    return list(query.selects) if isinstance(query, exp.Query) else []


def _names(scope: Scope) -> list[str]:
    return [each.alias_or_name for each in _selects(scope)]


class KeptLineage:
    """Lineage of a project's tables, kept in a file of one fingerprint."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._path = folder / f"{fingerprint}.json"
        self._known: dict[Table, Lineage] | None = None

    def of(
        self, queries: Iterable[Query], columns: Mapping[Table, Mapping[str, str]], dialect: str
    ) -> dict[Table, Lineage]:
        """The lineage of the given tables; only what is not known yet is worked out."""
        known = self._read()
        wanted = list(queries)
        missing = [query for query in wanted if query.table not in known]
        for query in missing:
            known[query.table] = lineage_of(query.sql, columns, dialect)
        if missing:
            self._write(known)
        return {query.table: known[query.table] for query in wanted}

    def known(self) -> Mapping[Table, Lineage]:
        """What has been worked out before."""
        return self._read()

    def _read(self) -> dict[Table, Lineage]:
        if self._known is None:
            self._known = {}
            if self._path.exists():
                for name, kept in json.loads(self._path.read_bytes()).items():
                    schema, table = name.split(".", 1)
                    self._known[schema, table] = {
                        column: frozenset(((s, t), c) for s, t, c in sources)
                        for column, sources in kept.items()
                    }
        return self._known

    def _write(self, known: Mapping[Table, Lineage]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(
            {
                f"{schema}.{name}": {
                    column: sorted([s, t, c] for (s, t), c in sources)
                    for column, sources in lineage.items()
                }
                for (schema, name), lineage in sorted(known.items())
            }
        )
        written = self._path.with_suffix(".new")
        written.write_text(text, encoding="utf-8")
        os.replace(written, self._path)
        for other in self._path.parent.glob("*.json"):
            if other != self._path:
                other.unlink(missing_ok=True)
