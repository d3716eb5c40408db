"""Checks that the models' YAML files ask for: a declaration is the only place where a rule stands.

Belongs here: from what a dbt model declares (columns and types, `meta.row_floor`,
`meta.unique_key`, `data_tests` of columns) to checks. Does not belong here: rules that are declared
nowhere (the module of their stage).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cdp.warehouse.model_catalogue import Catalogue, Model
from expectations.checks import (
    Check,
    Gate,
    Table,
    literal,
    missing_values,
    orphans,
    quoted,
    relation,
    rows_where,
    unique,
)

Changed = Callable[[Gate, str], str]
"""For a table of a stage, the condition that picks the rows which may have changed."""

_REFERENCE = re.compile(r"""^\s*ref\(\s*['"](\w+)['"]\s*\)\s*$""")

_TYPES = {
    "TEXT": "VARCHAR",
    "STRING": "VARCHAR",
    "INT": "INTEGER",
    "LONG": "BIGINT",
    "INT64": "BIGINT",
    "BOOL": "BOOLEAN",
    "FLOAT": "DOUBLE",
    "DATETIME": "TIMESTAMP",
    "NUMERIC": "DECIMAL(18,3)",
}
"""Other names of the warehouse's types."""


class UnknownTest(ValueError):
    """A data test that the gates do not know; names the model and what they know."""


def models_of(catalogue: Catalogue, stage: str) -> list[Model]:
    """The models that a stage builds, whatever their schema."""
    return [model for model in catalogue.values() if model.meta.get("stage") == stage]


def checks(
    gate: Gate, models: Iterable[Model], views: frozenset[Table], changed: Changed
) -> list[Check]:
    """All checks that the models of a stage declare.

    Args:
        gate: the gate of the stage.
        models: its models.
        views: which of the warehouse's relations are views.
        changed: gives the rows of a table that may have changed.

    Raises:
        UnknownTest: a model has a data test of a kind that is not known here.
    """
    known = list(models)
    schemas = {model.name: model.schema for model in known}
    schemas |= {name: schema for schema, name in gate.tables if name not in schemas}
    found = []
    for model in known:
        table = (model.schema, model.name)
        found.append(_columns(gate, model))
        found.append(_row_floor(model, is_view=table in views))
        if model.unique_key:
            found.append(unique(*table, model.unique_key, changed(gate, model.name)))
        found += _data_tests(model, schemas, changed(gate, model.name))
    return found


def _columns(gate: Gate, model: Model) -> Check:
    have = gate.columns(model.schema, model.name)
    wrong = [
        name
        for name, (kind, _) in model.columns.items()
        if name not in have or (kind and canonical_type(have[name]) not in _kept_as(kind, gate))
    ]
    # What nobody declared, nobody described, typed, or judged for personal data.
    wrong += [name for name in have if name not in model.columns]
    return Check(
        name="has the columns that it declares and no others, of the types that it declares",
        table=f"{model.schema}.{model.name}",
        value=str(len(wrong)),
        source="(SELECT 1)",
        unit="columns missing, undeclared or of another type",
        told={"columns": ", ".join(wrong)} if wrong else {},
        needs=((model.schema, model.name),),
        every_run=True,
    )


def _kept_as(kind: str, gate: Gate) -> frozenset[str]:
    """The types in which the engine keeps what is declared."""
    return gate.warehouse.kept_as(canonical_type(kind))


def _row_floor(model: Model, *, is_view: bool) -> Check:
    floor = int(model.meta.get("row_floor", 1))
    # To count a view is to run it; with a floor of 0 it is enough that it can be run.
    uncounted = is_view and floor == 0
    rows = relation(model.schema, model.name)
    return Check(
        name=f"has at least {floor} row{'' if floor == 1 else 's'}",
        table=f"{model.schema}.{model.name}",
        value="count(*)",
        source=f"(SELECT 1 FROM {rows} LIMIT 0) AS runnable" if uncounted else rows,
        unit="rows looked at" if uncounted else "rows",
        low=floor,
        high=None,
        needs=((model.schema, model.name),),
        every_run=not is_view,
    )


def _data_tests(model: Model, schemas: Mapping[str, str], condition: str) -> list[Check]:
    found: list[Check] = []
    required = []
    for column, tests in model.data_tests.items():
        for test in tests:
            kind, arguments = _test(test)
            if kind == "not_null":
                required.append(column)
            else:
                found.append(_data_test(model, column, kind, arguments, schemas, condition))
    if required:
        found.insert(0, missing_values(model.schema, model.name, required, condition))
    return found


def _test(test: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(test, str):
        return test, {}
    (kind, body), *_ = test.items()
    body = body or {}
    return kind, {**body, **(body.get("arguments") or {})}


def _data_test(
    model: Model,
    column: str,
    kind: str,
    arguments: Mapping[str, Any],
    schemas: Mapping[str, str],
    condition: str,
) -> Check:
    table = (model.schema, model.name)
    name = kind.rpartition(".")[2]
    if name == "unique":
        # As in dbt, rows without a value do not count as doubled.
        present = f"{quoted(column)} IS NOT NULL"
        both = present if condition == "true" else f"{present} AND {condition}"
        return unique(*table, (column,), both)
    if name == "relationships":
        parent = _REFERENCE.match(str(arguments.get("to")))
        if parent and parent[1] in schemas:
            return orphans(
                table,
                column,
                (schemas[parent[1]], parent[1]),
                str(arguments["field"]),
                condition,
            )
    if name == "accepted_values":
        return _accepted_values(table, column, arguments, condition)
    if name == "accepted_range":
        return _accepted_range(table, column, arguments, condition)
    raise UnknownTest(
        f"{model.schema}.{model.name}.{column}: the gates know no data test {kind} of this form; "
        "they know not_null, unique, accepted_values (values), accepted_range (min_value, "
        "max_value) and relationships (to: ref('model'), field)"
    )


def _accepted_values(
    table: Table, column: str, arguments: Mapping[str, Any], condition: str
) -> Check:
    values = [
        value if isinstance(value, int | float) else literal(str(value))
        for value in arguments["values"]
    ]
    return Check(
        name=f"has in {column} only values that are declared",
        table=".".join(table),
        value=f"count(*) FILTER ({quoted(column)} NOT IN ({', '.join(map(str, values))}))",
        source=rows_where(*table, condition),
        unit="rows",
        needs=(table,),
    )


def _accepted_range(
    table: Table, column: str, arguments: Mapping[str, Any], condition: str
) -> Check:
    outside = [
        f"{quoted(column)} {operator} {float(arguments[bound]):g}"
        for bound, operator in (("min_value", "<"), ("max_value", ">"))
        if arguments.get(bound) is not None
    ]
    told = " and ".join(
        f"{word} {arguments[bound]}"
        for bound, word in (("min_value", "at least"), ("max_value", "at most"))
        if arguments.get(bound) is not None
    )
    return Check(
        name=f"has in {column} only values of {told}",
        table=".".join(table),
        value=f"count(*) FILTER ({' OR '.join(outside) or 'false'})",
        source=rows_where(*table, condition),
        unit="rows",
        needs=(table,),
    )


def canonical_type(kind: str) -> str:
    """A type under the one name that the warehouse gives it."""
    plain = re.sub(r"\s+", "", kind).upper()
    return _TYPES.get(plain, re.sub(r"^(TEXT|STRING|VARCHAR|CHAR)\(\d+\)$", "VARCHAR", plain))
