"""What a candidate set of schemas must hold before readers are pointed at it.

Belongs here: the checks of the roles' schemas against the warehouse, the run and the declarations.
Does not belong here: sets of files (`expectations.serving`), making any set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cdp.config.personal_data import Column, PersonalData, load_personal_data
from cdp.config.roles import SECTIONS, Role, expand
from cdp.warehouse.runs import Run
from cdp.warehouse.store import Table, Warehouse
from expectations.checks import Check, literal, quoted, relation


def checks_of_schemas(
    place: str, warehouse: Warehouse, run: Run, roles: Mapping[str, Role], models: Iterable[Table]
) -> list[Check]:
    """The checks of a candidate.

    Args:
        place: the schema that those of its roles begin with.
        models: what the project has, and so may be served.
    """
    built = warehouse.relations()
    # What the project no longer has may still stand in the warehouse, and goes into no set.
    offered = set(built) & set(models)
    personal_data = load_personal_data(warehouse.settings)
    checks = []
    for role in roles.values():
        schema = f"{place}_{role.name}"
        where = f"serving.{role.name}"
        checks.append(_of_run(run, schema, where))
        served = _offered(role, offered)
        checks.append(_has_any(served, where))
        for table in served:
            checks.append(_row_count(table, schema, where))
            checks += _hidden(table, schema, where, role, personal_data, built[table])
    return checks


def _offered(role: Role, tables: Iterable[Table]) -> list[Table]:
    found = [table for part in SECTIONS for table in expand(role.patterns(part), tables)]
    return list(dict.fromkeys(found))


def _has_any(served: Sequence[Table], where: str) -> Check:
    """A set of which nothing would be looked at passes no gate."""
    return Check(
        name="offers the role a table at all",
        table=where,
        value=str(len(served)),
        source="(SELECT 1 AS one) AS nothing",
        unit="tables",
        low=1,
        high=None,
    )


def _of_run(run: Run, schema: str, where: str) -> Check:
    moment = f"TIMESTAMP '{run.as_of.isoformat(sep=' ')}'"
    return Check(
        name="says which run it is of, and its as_of",
        table=where,
        value=f"abs(count(*) - 1) + count(*) FILTER (WHERE as_of <> {moment} "
        f"OR run_id <> {literal(run.run_id)})",
        source=relation(schema, "about_publication"),
        unit="mistakes",
    )


def _row_count(table: Table, schema: str, where: str) -> Check:
    """The set has all rows; one that lacks the table cannot be counted, which fails too."""
    return Check(
        name=f"has as many rows of {'.'.join(table)} as the warehouse",
        table=where,
        value="any_value(abs(served - built))",
        source=f"(SELECT (SELECT count(*) FROM {relation(schema, table[1])}) AS served, "
        f"(SELECT count(*) FROM {relation(*table)}) AS built) AS counted",
        unit="rows too many or too few",
        facts={"rows": "any_value(served)", "in the warehouse": "any_value(built)"},
    )


def _hidden(
    table: Table,
    schema: str,
    where: str,
    role: Role,
    personal_data: PersonalData,
    columns: Mapping[str, str],
) -> list[Check]:
    """What the role may not see is not there, in any row."""
    counts = {
        column: f"count({quoted(column)})"
        for column, kind in columns.items()
        if not role.sees_class(personal_data.class_of(Column(*table, column, kind)))
    }
    if not counts:
        return []
    return [
        Check(
            name=f"holds no personal value in {'.'.join(table)}",
            table=where,
            value=" + ".join(counts.values()),
            source=relation(schema, table[1]),
            unit="values",
            facts=counts,
        )
    ]
