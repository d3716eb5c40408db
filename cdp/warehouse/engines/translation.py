"""Statements of the core in the dialect of the engine at hand.

Belongs here: turning a statement that is written for DuckDB, the default, into another engine's,
and putting its parameters in. Pure: text to text. Does not belong here: running anything; the
models, whose differences are macros of the dbt project.

Parameters become literals of the typed tree, quoted by the generator of the dialect, and never text
of a statement: not every engine binds them (Spark's parser under Delta does not).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

Parameters = Sequence[Any] | Mapping[str, Any] | None

_HINT = re.compile(r"\s+USING COMPRESSION \w+", re.IGNORECASE)
"""How DuckDB is to store a column; nothing that another engine knows."""


def translated(sql: str, dialect: str, parameters: Parameters = None) -> list[str]:
    """The statements of a text in a dialect, with their parameters in place.

    Args:
        sql: one statement, or several parted by semicolons, for DuckDB.
        parameters: of the one statement: in the order of its `?`, or by the names of its `$name`.

    Raises:
        sqlglot.errors.ParseError: the text is no SQL.
        LookupError: a parameter has no value.
    """
    names, given = _named(sql, parameters)
    statements = []
    for statement in _parsed(names):
        tree = _listed(_bound(statement.copy(), given))
        if dialect != "bigquery":
            tree = _flattened(tree)
        if dialect in ("snowflake", "bigquery"):
            tree = _aggregated(_extracted(tree))
        if dialect == "bigquery":
            tree = _joined_as_texts(tree)
        tree = _typed(tree, dialect)
        if dialect == "snowflake":
            tree = _of_snowflake(tree)
        statements.append(tree.sql(dialect=dialect))
    return statements


@lru_cache(maxsize=512)
def _parsed(sql: str) -> tuple[exp.Expr, ...]:
    statements = sqlglot.parse(_HINT.sub("", sql), dialect="duckdb")
    return tuple(each for each in statements if each is not None)


def _named(sql: str, parameters: Parameters) -> tuple[str, Mapping[str, Any]]:
    """The text with a name for each `?`: a tree does not tell in which order they stood."""
    if parameters is None:
        return sql, {}
    if isinstance(parameters, Mapping):
        return sql, parameters
    parts: list[str] = []
    names: list[str] = []
    last = 0
    for token in sqlglot.tokenize(sql, read="duckdb"):
        if token.token_type is TokenType.PLACEHOLDER:
            names.append(f"p{len(names)}")
            parts += [sql[last : token.start], f"${names[-1]}"]
            last = token.end + 1
    if len(names) != len(parameters):
        raise LookupError(f"{len(names)} parameters are asked for, {len(parameters)} are given")
    return "".join(parts) + sql[last:], dict(zip(names, parameters, strict=True))


def _flattened(tree: exp.Expr) -> exp.Expr:
    """`(a, b) IN (SELECT (c, d) …)`: DuckDB and BigQuery compare structs there, others columns."""
    for membership in tree.find_all(exp.In):
        query = membership.args.get("query")
        select = query.this if isinstance(query, exp.Subquery) else query
        if isinstance(membership.this, exp.Tuple) and isinstance(select, exp.Select):
            (only, *others) = select.expressions
            if isinstance(only, exp.Tuple) and not others:
                select.set("expressions", only.expressions)
    return tree


def _bound(tree: exp.Expr, parameters: Mapping[str, Any]) -> exp.Expr:
    """The tree with values in the place of `$name`."""
    for node in list(tree.find_all(exp.Parameter, exp.Placeholder)):
        if node.name not in parameters:
            raise LookupError(f"no value is given for ${node.name}")
        node.replace(literal(parameters[node.name]))
    return tree


def _listed(tree: exp.Expr) -> exp.Expr:
    """`x IN (SELECT unnest([…]))` as a list, which every engine takes; an empty one has nothing."""
    for membership in list(tree.find_all(exp.In)):
        query = membership.args.get("query")
        select = query.this if isinstance(query, exp.Subquery) else query
        if not isinstance(select, exp.Select) or select.args.get("from_"):
            continue
        array = select.find(exp.Array)
        if array is not None and len(select.expressions) == 1:
            values = array.expressions or [exp.null()]
            membership.replace(exp.In(this=membership.this, expressions=values))
    return tree


def _aggregated(tree: exp.Expr) -> exp.Expr:
    """`count(x) FILTER (WHERE …)` as the count of a case, and any value that is none of null as the
    greatest: what engines take that know neither."""
    for any_value in list(tree.find_all(exp.IgnoreNulls)):
        if isinstance(any_value.this, exp.AnyValue):
            any_value.replace(exp.Max(this=any_value.this.this))
    for filtered in list(tree.find_all(exp.Filter)):
        call = filtered.this
        counted = exp.Literal.number(1) if isinstance(call.this, exp.Star) else call.this
        condition = filtered.expression.this
        if isinstance(counted, exp.Distinct):
            (only,) = counted.expressions
            only.replace(exp.case().when(condition, only.copy()))
        else:
            call.set("this", exp.case().when(condition, counted.copy()))
        filtered.replace(call)
    return tree


def _extracted(tree: exp.Expr) -> exp.Expr:
    """`regexp_extract` gives an empty text where nothing is found; other engines give null there.
    Of null it stays null."""
    for found in _inner_first(tree, exp.RegexpExtract):
        here = exp.Is(this=found.this.copy(), expression=exp.null()).not_()
        plain = exp.Coalesce(this=found.copy(), expressions=[exp.Literal.string("")])
        found.replace(exp.case().when(here, plain))
    return tree


def _joined_as_texts(tree: exp.Expr) -> exp.Expr:
    """`a || 1` takes texts alone in BigQuery, where `CONCAT` takes numbers too; and the bytes of a
    text are a cast there."""
    for encoded in _inner_first(tree, exp.Encode):
        encoded.replace(exp.cast(encoded.this.copy(), exp.DataType.Type.BINARY))
    for joined in _inner_first(tree, exp.DPipe):
        if isinstance(joined.parent, exp.DPipe):
            continue
        joined.replace(exp.Concat(expressions=[each.copy() for each in joined.flatten()]))
    return tree


def _inner_first(tree: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    """Nodes of a kind, those within others before them."""
    return list(tree.find_all(kind))[::-1]


RESERVED_BY_SNOWFLAKE = frozenset(
    """
    ACCOUNT ALL ALTER AND ANY AS BETWEEN BY CASE CAST CHECK COLUMN CONNECT CONNECTION CONSTRAINT
    CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DATABASE DELETE
    DISTINCT DROP ELSE EXISTS FALSE FOLLOWING FOR FROM FULL GRANT GROUP GSCLUSTER HAVING ILIKE IN
    INCREMENT INNER INSERT INTERSECT INTO IS ISSUE JOIN LATERAL LEFT LIKE LOCALTIME LOCALTIMESTAMP
    MINUS NATURAL NOT NULL OF ON OR ORDER ORGANIZATION QUALIFY REGEXP REVOKE RIGHT RLIKE ROW ROWS
    SAMPLE SCHEMA SELECT SET SOME START TABLE TABLESAMPLE THEN TO TRIGGER TRUE TRY_CAST UNION UNIQUE
    UPDATE USING VALUES VIEW WHEN WHENEVER WHERE WITH
    """.split()  # noqa: SIM905
)
"""Names that it takes in quotation marks alone, by its reference of reserved keywords."""

_CODE = re.compile(r"\\x([0-9A-Fa-f]{2})")
"""A character by its number in a pattern."""


def _of_snowflake(tree: exp.Expr) -> exp.Expr:
    """What is Snowflake's alone: names in capitals, bytes of a text, patterns without flags."""
    for name in tree.find_all(exp.Identifier):
        # Whoever made it wrote it without quotes, which turns it up.
        if name.args.get("quoted") or name.this.upper() in RESERVED_BY_SNOWFLAKE:
            name.set("this", name.this.upper())
            name.set("quoted", True)
    for encoded in list(tree.find_all(exp.Encode)):
        encoded.replace(exp.func("TO_BINARY", encoded.this.copy(), exp.Literal.string("UTF-8")))
    for taken in tree.find_all(exp.RegexpExtract):
        pattern = taken.expression
        if isinstance(pattern, exp.Literal):
            plain = _CODE.sub(lambda code: chr(int(code[1], 16)), pattern.this)
            if plain.startswith("(?s)"):
                taken.set("parameters", exp.Literal.string("s"))
                plain = plain.removeprefix("(?s)")
            taken.set("expression", exp.Literal.string(plain))
    return tree


_TYPES = {
    # A moment without a zone is of UTC everywhere here, and so is every session's zone.
    "spark": {
        exp.DataType.Type.TIMESTAMP: "TIMESTAMPTZ",
        exp.DataType.Type.TIMESTAMPNTZ: "TIMESTAMPTZ",
        exp.DataType.Type.INT128: "DECIMAL(38, 0)",
    },
    "snowflake": {
        # By itself it is whatever the account takes it for.
        exp.DataType.Type.TIMESTAMP: "TIMESTAMPNTZ",
        exp.DataType.Type.INT128: "DECIMAL(38, 0)",
    },
    "bigquery": {
        # Without a zone it would be a DATETIME, which compares with no moment of a model.
        exp.DataType.Type.TIMESTAMP: "TIMESTAMPTZ",
        exp.DataType.Type.TIMESTAMPNTZ: "TIMESTAMPTZ",
        exp.DataType.Type.INT128: "BIGDECIMAL",
    },
}


def _typed(tree: exp.Expr, dialect: str) -> exp.Expr:
    """The tree with the dialect's types where the generator knows none or another than is meant."""
    for node in list(tree.find_all(exp.DataType)):
        if (other := _TYPES.get(dialect, {}).get(node.this)) is not None:
            node.replace(exp.DataType.build(other))
        elif dialect == "bigquery" and node.this == exp.DataType.Type.DECIMAL:
            places, behind = ([int(each.name) for each in node.expressions] + [0, 0])[:2]
            if places - behind > _WHOLE or behind > _BEHIND:
                node.set("this", exp.DataType.Type.BIGDECIMAL)
    return tree


_WHOLE, _BEHIND = 29, 9
"""Places that BigQuery's smaller decimal has before and behind its point."""


def type_of(name: str, dialect: str) -> str:
    """A type of DuckDB's as a dialect names it."""
    holder = exp.Cast(this=exp.null(), to=exp.DataType.build(name, dialect="duckdb"))
    return str(_typed(holder, dialect).args["to"].sql(dialect=dialect))


def literal_text(value: Any, dialect: str) -> str:
    """A value as a part of a statement, of the type that the dialect's tables keep it in."""
    return str(_typed(exp.select(literal(value)), dialect).sql(dialect)).removeprefix("SELECT ")


def literal(value: Any) -> exp.Expr:
    """A value as a node of a statement."""
    if value is None:
        return exp.null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int | float | Decimal):
        number = exp.Literal.number(abs(value))
        return exp.Neg(this=number) if value < 0 else number
    if isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), "timestamp")
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "date")
    if isinstance(value, str):
        return exp.Literal.string(value)
    if isinstance(value, list | tuple):
        return exp.Array(expressions=[literal(each) for each in value])
    raise TypeError(f"a parameter cannot be a {type(value).__name__}")
