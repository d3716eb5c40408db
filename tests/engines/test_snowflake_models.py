"""The project's models on Snowflake, as far as fakesnow executes them, against DuckDB's rows.

Belongs here: every model of the demo's project, built by dbt-snowflake on a small shop's raw rows,
in a full build and in an increment. Does not belong here: policies and grants
(`test_protection_snowflake`), whether DuckDB's rows are right.

fakesnow translates statements of Snowflake to DuckDB. A model that it cannot execute is named in
`NOT_EXECUTED`, and those after it are given DuckDB's rows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from cdp.config.label_rows import COLUMNS
from cdp.generation import generate
from cdp.warehouse.modelling import Models
from cdp.warehouse.runs import STAGES
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import open_warehouse
from tests.engines import two_runs
from tests.engines.copying import difference
from tests.engines.rendering import rendered
from tests.engines.test_macros_alike import CASES, by_duckdb

fakesnow = pytest.importorskip("fakesnow", reason="needs what `make engines` installs")

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NOT_EXECUTED = {
    "int_identifier_tuples": "fakesnow 0.11 has no lambdas (FILTER and TRANSFORM over an array)",
}
"""Models that fakesnow cannot execute, with the reason."""

PEOPLE = 40
OF_THE_RUNS = (
    "governance.runs",
    "governance.stage_builds",
    "governance.refit_requests",
    "governance.identity_labels",
)
TYPES: Mapping[str, str] = {
    "binary": "BINARY",
    "bool": "BOOLEAN",
    "date32[day]": "DATE",
    "double": "DOUBLE",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "string": "VARCHAR",
    "timestamp[us]": "TIMESTAMP_NTZ",
}


class Shop:
    """A shop on the embedded engine, and the same raw rows on a Snowflake that is none."""

    def __init__(self, home: Path, key: Path, connection: Any) -> None:
        self.home, self.connection = home, connection
        self.settings = _settings(home.parent / "snowflake", key)
        self.models = Models(self.settings, generate(self.settings))
        self.tables: dict[str, pa.Table] = {}
        self.outcomes: dict[str, str] = {}
        two_runs.land_the_shop(home, PEOPLE)
        for schema in ("raw", *STAGES[1:], "governance"):
            connection.cursor().execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")

    def build(self, number: int) -> None:
        """Build a run on both, and keep what became of each model on Snowflake."""
        two_runs.build(self.home, number)
        with open_warehouse(two_runs.settings_of(self.home, number - 1)) as warehouse:
            self.tables = {
                f"{schema}.{name}": warehouse.arrow(f"SELECT * FROM {schema}.{name}")
                for schema, name in warehouse.relations()
                if schema not in ("later", "serving")
            }
        for name, rows in self.tables.items():
            plain = name.partition(".")[2]
            if name.startswith("raw.") or name in OF_THE_RUNS or plain in NOT_EXECUTED:
                self._copy(name, rows)
        if number == 1:
            self.models.seed()
        self._run("--exclude", *NOT_EXECUTED)

    def try_those_that_are_not_executed(self) -> None:
        self._run("--select", *NOT_EXECUTED)

    def lay_out(self, values: Sequence[str | None]) -> None:
        """A table of values for expressions over `v`."""
        self.connection.cursor().execute(
            "CREATE OR REPLACE TABLE public.given (i BIGINT, v VARCHAR)"
        )
        self._duckdb.executemany(
            "INSERT INTO CDP.PUBLIC.given VALUES (?, ?)", list(enumerate(values))
        )

    def asked(self, expression: str) -> list[Any]:
        """What an expression comes to for each of them, as text."""
        query = f"SELECT CAST({expression} AS VARCHAR) FROM public.given ORDER BY i"
        return [row[0] for row in self.connection.cursor().execute(query).fetchall()]

    def differences(self) -> dict[str, str]:
        """How tables that were built differ from the embedded engine's."""
        found = {}
        for name in (name for name, status in self.outcomes.items() if status == "success"):
            theirs = self._rows(name)
            if told := difference(self.tables[name], theirs):
                found[name] = told
        return found

    def statement_of(self, model: str) -> str:
        """What dbt last said to make or change the table of a model."""
        node = next(node for node in self.models.manifest().nodes.values() if node.name == model)
        (path,) = (self.settings.dbt_dir).rglob(f"run/tributary/{node.original_file_path}")
        return " ".join(path.read_text(encoding="utf-8").split())

    def _run(self, *selection: str) -> None:
        outcome = self.models._invoke(["run", *selection], manifest=self.models.manifest())
        self.outcomes = {
            f"{each.node.schema}.{each.node.name}": str(each.status)
            for each in outcome.result.results
        }

    def _rows(self, name: str) -> pa.Table:
        rows = self._duckdb.execute(f"SELECT * FROM CDP.{name}").to_arrow_table()
        return rows.rename_columns([column.lower() for column in rows.column_names])

    def _copy(self, name: str, rows: pa.Table) -> None:
        columns = ", ".join(f"{field.name} {_type_of(field.type)}" for field in rows.schema)
        self.connection.cursor().execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
        self._duckdb.register("given", rows)
        self._duckdb.execute(f"INSERT INTO CDP.{name} SELECT * FROM given")
        self._duckdb.unregister("given")

    @property
    def _duckdb(self) -> Any:
        """What fakesnow works with; rows go in and out without a translation."""
        return self.connection._duck_conn


def _type_of(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    return TYPES[str(kind)]


def _settings(home: Path, key: Path) -> Settings:
    return load_settings(
        home=home,
        target="snowflake",
        snowflake_account="myorg-account1",
        snowflake_user="tributary",
        snowflake_private_key_path=key,
        snowflake_role="TRIBUTARY",
        snowflake_warehouse="TRIBUTARY_WH",
        snowflake_database="CDP",
    )


@pytest.fixture(scope="module")
def private_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key that nobody has: dbt reads it, and fakesnow asks for none."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    path = tmp_path_factory.mktemp("key") / "tributary.p8"
    path.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, private_key: Path) -> Iterator[Shop]:
    """The shop after a full build on both engines."""
    import snowflake.connector
    from fakesnow.cursor import FakeSnowflakeCursor

    def fetch_arrow_all(cursor: Any, force_return_table: bool = False) -> pa.Table:
        return cursor._arrow_table

    with pytest.MonkeyPatch.context() as patched, fakesnow.patch():
        # Snowflake's client answers with Arrow tables, and fakesnow's has them without saying so.
        patched.setattr(FakeSnowflakeCursor, "fetch_arrow_all", fetch_arrow_all, raising=False)
        connection = snowflake.connector.connect(database="CDP", schema="PUBLIC")
        made = Shop(tmp_path_factory.mktemp("shop") / "home", private_key, connection)
        made.build(1)
        yield made


def test_a_seed_is_a_table_also_where_it_has_no_row(shop: Shop) -> None:
    seeds = [
        node.name
        for node in shop.models.manifest().nodes.values()
        if str(node.resource_type) == "seed"
    ]
    rows = {name: shop._rows(f"staging.{name}") for name in seeds}
    empty = {name for name, found in rows.items() if not found.num_rows}
    assert empty == {"identity_labels", "identity_scopes"}
    assert rows["identity_labels"].column_names == list(COLUMNS)


def test_every_model_that_runs_has_the_rows_of_the_embedded_engine(shop: Shop) -> None:
    failed = {name for name, status in shop.outcomes.items() if status != "success"}
    assert failed == set()
    built = {name.partition(".")[2] for name in shop.outcomes} | set(NOT_EXECUTED)
    models = {
        node.name
        for node in shop.models.manifest().nodes.values()
        if str(node.resource_type) == "model"
    }
    assert models - built == set()
    assert shop.differences() == {}


def test_large_tables_are_clustered_by_what_a_refresh_looks_for(shop: Shop) -> None:
    said = {
        name: shop.statement_of(name) for name in ("fct_events", "fct_sessions", "dim_profiles")
    }
    assert "cluster by (visitor_birth, profile_id)" in said["fct_events"]
    assert "cluster by (visitor_birth)" in said["fct_sessions"]
    assert "cluster by (profile_id)" in said["dim_profiles"]


@pytest.mark.engines
def test_every_model_that_runs_has_them_after_late_rows_and_rows_told_again(shop: Shop) -> None:
    two_runs.publish(shop.home, 1)
    shop.build(2)
    assert {name for name, status in shop.outcomes.items() if status != "success"} == set()
    assert shop.differences() == {}


def test_models_that_are_said_not_to_run_do_not(shop: Shop) -> None:
    shop.try_those_that_are_not_executed()
    ran = {name for name, status in shop.outcomes.items() if status == "success"}
    assert ran == set(), "take them out of NOT_EXECUTED"
    assert len(shop.outcomes) == len(NOT_EXECUTED)


MACROS_NOT_EXECUTED = {
    "external identifiers: identifiers": "fakesnow 0.11 has no lambdas",
    'JSON: at $."it\'s"': "fakesnow 0.11 puts no quotation mark of a path in quotes",
    "JSON: at $": "fakesnow 0.11 leaves the text of a whole document as it was written",
    "amounts: a share": "fakesnow 0.11 divides decimals as floating point",
}
"""Macros that fakesnow does not execute as Snowflake does, with the reason."""

OTHERWISE = {
    "infinity": "no other engine has it",
    "-infinity": "no other engine has it",
    "2026-06-01 12:00:00 EST": "a zone by its name: the engine tries to read none",
    "2026-06-01 12:00:00 CET": "the same",
    "2026-06-01 12:00:00 EST5EDT": "the same",
    "2026-06-01 12:00:00 Europe/Berlin": "the same",
    "2026-06-01 12:00:00 Etc/GMT+5": "the same",
}
"""Values that are read otherwise, as null, with the reason."""


def differing(shop: Shop, wanted: Callable[[str], bool], home: Path) -> dict[str, list[str]]:
    """What the wanted macros give otherwise than on DuckDB, or why they give nothing, by name."""
    from snowflake.connector.errors import Error

    calls = {
        f"{case}: {name}": call
        for case, (_, named) in CASES.items()
        for name, call in named.items()
        if wanted(f"{case}: {name}")
    }
    theirs = rendered(shop.settings, calls)
    ours = rendered(load_settings(home=home), calls)
    found: dict[str, list[str]] = {}
    for case, (values, named) in CASES.items():
        keys = [f"{case}: {name}" for name in named if f"{case}: {name}" in calls]
        if not keys:
            continue
        shop.lay_out(values)
        here = by_duckdb(values, {key: ours[key] for key in keys})
        for number, key in enumerate(keys):
            try:
                there = shop.asked(theirs[key])
            except (Error, duckdb.Error, NotImplementedError) as error:
                found[key] = [f"{key}: {type(error).__name__}"]
                continue
            found[key] = [
                f"{key} of {value!r}: {row[number]!r} on DuckDB, {other!r} on Snowflake"
                for value, row, other in zip(values, here, there, strict=True)
                if row[number] != other and not (value in OTHERWISE and other is None)
            ]
    return found


def test_a_macro_gives_what_the_embedded_engine_gives(shop: Shop, tmp_path: Path) -> None:
    found = differing(shop, lambda name: name not in MACROS_NOT_EXECUTED, tmp_path)
    assert len(found) > 30
    assert "\n".join(each for told in found.values() for each in told) == ""


def test_macros_that_are_said_not_to_be_executed_are_not(shop: Shop, tmp_path: Path) -> None:
    found = differing(shop, lambda name: name in MACROS_NOT_EXECUTED, tmp_path)
    assert set(found) == set(MACROS_NOT_EXECUTED)
    executed = [name for name, told in found.items() if not told]
    assert executed == [], "take them out of MACROS_NOT_EXECUTED"


def test_no_secret_is_in_the_profile(tmp_path: Path, private_key: Path) -> None:
    settings = _settings(tmp_path, private_key).model_copy(
        update={"snowflake_private_key_passphrase": _secret("not to be told")}
    )
    Models(settings, generate(settings))
    text = (settings.dbt_dir / "profiles.yml").read_text(encoding="utf-8")
    assert "not to be told" not in text
    output = yaml.safe_load(text)["tributary"]["outputs"]["snowflake"]
    asked = "{{ env_var('CDP_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE') }}"
    assert output["private_key_passphrase"] == asked
    assert output["private_key_path"] == str(private_key)


def test_a_session_of_dbt_is_of_utc() -> None:
    from dbt.adapters.snowflake.connections import SnowflakeCredentials

    from cdp.warehouse.engines.dbt_warehouses import run_on_snowflake

    run_on_snowflake()
    signed_in: Any = SnowflakeCredentials(account="a", user="u", database="CDP", schema="public")
    assert signed_in.auth_args()["timezone"] == "UTC"


def _secret(value: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(value)
