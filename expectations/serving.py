"""What a candidate set must hold before readers are pointed at it.

Belongs here: the checks of a candidate's files against the warehouse, the run and the roles. Does
not belong here: writing the files (`cdp.warehouse.set_files`), swapping the pointer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from cdp.config.personal_data import Column, load_personal_data
from cdp.config.roles import SECTIONS, Role, load_roles
from cdp.generation import project_dir
from cdp.warehouse.engines.embedded import CATALOG
from cdp.warehouse.manifest import DamagedSet, Manifest, read_manifest
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.runs import Run
from cdp.warehouse.shelf import Place
from cdp.warehouse.store import Warehouse
from expectations.checks import (
    Check,
    CheckResult,
    GateVerdict,
    Table,
    literal,
    quoted,
    relation,
)
from expectations.gates import decide, record
from expectations.judging import judge
from expectations.measuring import measure
from expectations.serving_schemas import checks_of_schemas

STAGE = "serving"

Columns = Mapping[str, Mapping[Table, Mapping[str, str]]]
"""By attached file: its tables, with their columns and types."""


def validate_set(
    candidate: Place, warehouse: Warehouse, run: Run, *, project: Path | None = None
) -> GateVerdict:
    """Check a candidate set and record the verdict.

    Args:
        candidate: where the set stands: a folder with a file for each role and section and its
            manifest, or the schema that those of its roles begin with.
        warehouse: the store that it was written from.
        run: the run that is about to publish it.
        project: the dbt project whose models it serves; the deployment's own by default.

    Raises:
        ConfigError: `roles.yml` or `personal_data.yml` is wrong.
    """
    started = time.monotonic()
    roles = load_roles(warehouse.settings)
    if isinstance(candidate, Path):
        verdict = _of_folder(candidate, warehouse, run, roles)
    else:
        served = load_catalogue(project or project_dir(warehouse.settings))
        checks = checks_of_schemas(candidate, warehouse, run, roles, served)
        verdict = decide(warehouse, run, STAGE, checks, {}, "full")
    record(warehouse, run, verdict, {}, started)
    return verdict


def _of_folder(
    candidate: Path, warehouse: Warehouse, run: Run, roles: Mapping[str, Role]
) -> GateVerdict:
    try:
        manifest = read_manifest(candidate)
        missing = [
            f"{role}/{section}"
            for role in roles
            for section in SECTIONS
            if not (candidate / role / f"{section}.duckdb").is_file()
        ]
    except DamagedSet:
        manifest, missing = None, ["manifest"]
    if manifest is None or missing:
        return _incomplete(missing)
    return _verdict(candidate, warehouse, run, roles, manifest)


def _incomplete(missing: list[str]) -> GateVerdict:
    result = CheckResult(
        "has a readable manifest and a file for each role and section",
        "serving.set",
        False,
        {"files missing": len(missing), "missing": ", ".join(missing)},
    )
    return GateVerdict(STAGE, False, (result,))


def _verdict(
    candidate: Path,
    warehouse: Warehouse,
    run: Run,
    roles: Mapping[str, Role],
    manifest: Manifest,
) -> GateVerdict:
    started = time.monotonic()
    with warehouse.desk() as cursor, _attached(cursor, candidate, roles) as files:
        columns = _columns(cursor, [CATALOG, *files])
        checks = _of_set(run, manifest, roles)
        for alias, (role, section) in files.items():
            checks += _of_file(warehouse, run, manifest, role, section, alias, columns)
        results = tuple(judge(warehouse, STAGE, measure(warehouse, checks, {})))
    passed = all(result.passed for result in results)
    return GateVerdict(STAGE, passed, results, "full", time.monotonic() - started)


@contextmanager
def _attached(
    cursor: duckdb.DuckDBPyConnection, candidate: Path, roles: Mapping[str, Role]
) -> Iterator[dict[str, tuple[Role, str]]]:
    """The candidate's files, attached for reading: role and section by name of the catalogue."""
    files = {
        f"candidate_{role.name}_{section}": (role, section)
        for role in roles.values()
        for section in SECTIONS
    }
    with ExitStack() as attached:
        for alias, (role, section) in files.items():
            path = candidate / role.name / f"{section}.duckdb"
            cursor.execute(f"ATTACH {literal(str(path))} AS {quoted(alias)} (READ_ONLY)")
            attached.callback(cursor.execute, f"DETACH {quoted(alias)}")
        yield files


def _columns(cursor: duckdb.DuckDBPyConnection, catalogs: list[str]) -> Columns:
    found: dict[str, dict[Table, dict[str, str]]] = {name: {} for name in catalogs}
    listed = ", ".join(map(literal, catalogs))
    for catalog, schema, table, column, kind in cursor.execute(
        "SELECT database_name, schema_name, table_name, column_name, data_type "
        f"FROM duckdb_columns() WHERE database_name IN ({listed}) AND NOT internal"
    ).fetchall():
        found[catalog].setdefault((schema, table), {})[column] = kind
    return found


def _of_set(run: Run, manifest: Manifest, roles: Mapping[str, Role]) -> list[Check]:
    mine = manifest.run_id == run.run_id and manifest.as_of == run.as_of
    return [
        _literal_check("is of the run under way", "serving.set", 0 if mine else 1, "mistakes"),
        _literal_check(
            "is for the declared roles",
            "serving.set",
            len(set(manifest.roles) ^ set(roles)),
            "roles too many or too few",
        ),
    ]


def _of_file(
    warehouse: Warehouse,
    run: Run,
    manifest: Manifest,
    role: Role,
    section: str,
    alias: str,
    columns: Columns,
) -> list[Check]:
    content = manifest.roles.get(role.name, {}).get(f"{section}.duckdb")
    told: dict[Table, int] = {}
    for path, each in (content.tables if content else {}).items():
        schema, _, name = path.partition(".")
        told[schema, name] = each.rows
    own = {table: kinds for table, kinds in columns[alias].items() if table[0] != "about"}
    where = f"serving.{role.name}.{section}"
    checks = [
        _literal_check(
            "has the tables that its manifest names",
            where,
            len(set(own) ^ set(told)),
            "tables too many or too few",
        ),
    ]
    # A file of facts that nothing has changed in is the one of an earlier run, and says so itself.
    fresh = content is not None and content.written_by == run.run_id
    if section == "core" or fresh:
        checks.append(_as_of(run, alias, where, columns))
    for table in sorted(set(own) & set(columns[CATALOG])):
        checks.append(_row_count(table, alias, where, told.get(table, 0)))
        if fresh:
            checks += _hidden(warehouse, role, table, alias, where, own[table])
    strange = set(own) - set(columns[CATALOG])
    checks.append(
        _literal_check(
            "has no table that the warehouse does not have", where, len(strange), "tables"
        )
    )
    return checks


def _as_of(run: Run, alias: str, where: str, columns: Columns) -> Check:
    if ("about", "publication") not in columns[alias]:
        return _literal_check("says which run it is of, and its as_of", where, 1, "mistakes")
    moment = f"TIMESTAMP '{run.as_of.isoformat(sep=' ')}'"
    return Check(
        name="says which run it is of, and its as_of",
        table=where,
        value=f"abs(count(*) - 1) + count(*) FILTER (as_of <> {moment} "
        f"OR run_id <> {literal(run.run_id)})",
        source=f"{quoted(alias)}.about.publication",
        unit="mistakes",
    )


def _row_count(table: Table, alias: str, where: str, told: int) -> Check:
    served = f"{quoted(alias)}.{relation(*table)}"
    return Check(
        name=f"has as many rows of {'.'.join(table)} as the warehouse and the manifest",
        table=where,
        value=f"any_value(abs(served - built) + abs(served - {told}))",
        source=f"(SELECT (SELECT count(*) FROM {served}) AS served, "
        f"(SELECT count(*) FROM {CATALOG}.{relation(*table)}) AS built)",
        unit="rows too many or too few",
        facts={"rows": "any_value(served)", "in the warehouse": "any_value(built)"},
    )


def _hidden(
    warehouse: Warehouse,
    role: Role,
    table: Table,
    alias: str,
    where: str,
    columns: Mapping[str, str],
) -> list[Check]:
    """What the role may not see is not there, in any row."""
    personal_data = load_personal_data(warehouse.settings)
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
            source=f"{quoted(alias)}.{relation(*table)}",
            unit="values",
            facts=counts,
        )
    ]


def _literal_check(name: str, where: str, value: int, unit: str) -> Check:
    return Check(name=name, table=where, value=str(value), source="(SELECT 1)", unit=unit)
