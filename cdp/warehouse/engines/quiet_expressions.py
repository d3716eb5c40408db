"""How an engine spells an expression of a mapping so that it gives null where it would fail.

Belongs here: what an engine has in place of an operator or function that fails, where it has
nothing that tries an expression whole (what does is the macro `or_null`). Pure: a tree to text.
Does not belong here: what an expression reads, and of which type its column is
(`cdp.config.staging_columns`).
"""

from __future__ import annotations

import re

from sqlglot import exp

_TRIED: dict[str, dict[type[exp.Expr], str]] = {
    "spark": {
        exp.Add: "try_add",
        exp.Sub: "try_subtract",
        exp.Mul: "try_multiply",
        exp.Div: "try_divide",
    },
}
"""By engine, the functions that stand for operators which fail."""

_FUNCTIONS = {
    "spark": (re.compile(r"\b(to_timestamp|to_date)(?=\()", re.IGNORECASE), r"try_\1"),
}
"""By engine, how functions are named which do not fail, where the dialect writes those that do."""


def spelled_quietly(tree: exp.Expr, dialect: str) -> str:
    """The text of a tree in a dialect; the tree is changed."""
    tried = _TRIED.get(dialect, {})
    # From the leaves up, since what is replaced is not looked into.
    for node in reversed(list(tree.walk())):
        if (name := tried.get(type(node))) is None:
            continue
        new = exp.Anonymous(this=name, expressions=[node.this, node.expression])
        if node is tree:
            tree = new
        else:
            node.replace(new)
    written = tree.sql(dialect=dialect)
    if dialect in _FUNCTIONS:
        failing, quiet = _FUNCTIONS[dialect]
        written = failing.sub(quiet, written)
    return written
