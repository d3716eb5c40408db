"""Views that stay views in a published set.

Belongs here: telling from a view's query what it reads, and pointing it at the set. Pure: text to
text. Does not belong here: reading any catalogue, writing any set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlglot
from sqlglot import exp

from cdp.warehouse.shelf import ServedTable
from cdp.warehouse.store import Table


def staying(names: Iterable[Table], views: Mapping[Table, str], dialect: str) -> dict[Table, str]:
    """The queries of those views all of whose tables are served too, without a catalogue's name.

    Args:
        names: what is served.
        views: the query of each view of the warehouse, or the statement that made it.
    """
    names = list(names)
    stay: dict[Table, str] = {}
    while True:
        here = {name for name in names if name not in views} | set(stay)
        more = {
            name: sql
            for name in names
            if name in views and name not in stay and (sql := _portable(views[name], here, dialect))
        }
        if not more:
            return stay
        stay |= more


def _portable(text: str, here: set[Table], dialect: str) -> str | None:
    """The query of a view without its catalogue; None if it reads what is not `here`.

    None also where the parser does not know the SQL: a copy of the rows is as right as the view.
    """
    try:
        tree = sqlglot.parse_one(text, dialect=dialect)
    except sqlglot.errors.SqlglotError:
        return None
    query = tree.expression if isinstance(tree, exp.Create) else tree
    for table in _tables(query):
        if (table.db, table.name) not in here:
            return None
        table.set("catalog", None)
    return str(query.sql(dialect=dialect))


def moved(query: str, places: Mapping[Table, str], dialect: str) -> str:
    """The query over relations that stand elsewhere.

    Args:
        places: `schema.name` by the warehouse's own.
    """
    tree = sqlglot.parse_one(query, dialect=dialect)
    for table in _tables(tree):
        schema, _, name = places[table.db, table.name].partition(".")
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
        table.set("db", exp.to_identifier(schema))
        table.set("this", exp.to_identifier(name))
    return str(tree.sql(dialect=dialect))


def views_last(tables: Sequence[ServedTable], dialect: str) -> list[ServedTable]:
    """Tables, then views, each after the views that it reads."""
    ordered = [table for table in tables if table.view_sql is None]
    waiting = [table for table in tables if table.view_sql is not None]
    while waiting:
        pending = {table.path for table in waiting}
        ready = [each for each in waiting if not _reads(each, dialect) & (pending - {each.path})]
        ordered += ready
        waiting = [table for table in waiting if table not in ready]
    return ordered


def _reads(table: ServedTable, dialect: str) -> set[str]:
    query = sqlglot.parse_one(table.view_sql or "", dialect=dialect)
    return {f"{each.db}.{each.name}" for each in query.find_all(exp.Table)}


def _tables(query: exp.Expr) -> list[exp.Table]:
    """What a query reads, without the names that it gives to parts of itself."""
    named = {cte.alias for cte in query.find_all(exp.CTE)}
    return [each for each in query.find_all(exp.Table) if each.db or each.name not in named]
