"""A Snowflake that is none: fakesnow, and what it does not execute handed around it.

Belongs here: the kinds of statements that fakesnow 0.11 cannot run, each by name with the reason
and with what happens in its place. Does not belong here: any expectation; anything that the product
knows of.

fakesnow translates statements of Snowflake to DuckDB. What it cannot is done here on the DuckDB
beneath it, or, where DuckDB has nothing like it (rights, policies), kept for a test to read.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cdp.warehouse.settings import Settings, load_settings

DATABASE = "CDP"


@dataclass
class Around:
    """What has been handed around fakesnow, by kind, in its order."""

    folder: Path
    statements: list[tuple[str, str]] = field(default_factory=list)
    staged: dict[str, Path] = field(default_factory=dict)
    instead: dict[str, str] = field(default_factory=dict)
    """Expressions of Snowflake's that fakesnow cannot execute, and DuckDB's functions for them."""

    def of(self, kind: str) -> list[str]:
        """The statements of a kind."""
        return [statement for name, statement in self.statements if name == kind]

    def kinds(self) -> set[str]:
        return {name for name, _ in self.statements}


@dataclass(frozen=True)
class Kind:
    """A kind of statement.

    Attributes:
        reason: why fakesnow does not run it, or what is the matter with it there.
        does: what happens in its place.
    """

    pattern: str
    reason: str
    does: Callable[[Any, str, Around, Callable[..., Any]], Any]


def _none(cursor: Any, statement: str, around: Around, plain: Callable[..., Any]) -> Any:
    """No row with a name."""
    return _rows(cursor, plain, ("name",), ())


def _roles(cursor: Any, statement: str, around: Around, plain: Callable[..., Any]) -> Any:
    """The roles that have been made."""
    found: dict[str, str] = {}
    for made in around.of("database roles"):
        told = re.match(r'CREATE .* IF NOT EXISTS "\w+"\."(\w+)" COMMENT = (.*)', made)
        assert told, f"something was taken away: {made}"
        found.setdefault(told[1], told[2])
    return _rows(cursor, plain, ("name", "comment"), [(f"'{n}'", c) for n, c in found.items()])


def _grants(cursor: Any, statement: str, around: Around, plain: Callable[..., Any]) -> Any:
    """What a role has been granted, less what has been dropped since."""
    role = statement.rpartition(".")[2]
    rows = []
    for granted in around.of("grants"):
        found = re.match(r"GRANT (\w+) ON (\w+) (\S+) TO DATABASE ROLE \S+\.(\S+)", granted)
        assert found, f"something was taken away: {granted}"
        if found[4] == role and _stands(cursor, found[2], found[3].replace('"', "")):
            rows.append((f"'{found[1]}'", f"'{found[2]}'", f"'{found[3]}'"))
    return _rows(cursor, plain, ("privilege", "granted_on", "name"), rows)


def _stands(cursor: Any, kind: str, path: str) -> bool:
    _, schema, name, *_ = [*path.split("."), "", ""]
    condition = f"table_schema = '{schema}'" + (f" AND table_name = '{name}'" if name else "")
    return kind == "DATABASE" or bool(
        cursor._duck_conn.execute(
            f"SELECT 1 FROM information_schema.tables WHERE {condition} LIMIT 1"
        ).fetchone()
    )


def _rows(
    cursor: Any, plain: Callable[..., Any], columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> Any:
    selected = [
        "SELECT "
        + ", ".join(f'{value} AS "{name}"' for name, value in zip(columns, row, strict=True))
        for row in rows
    ] or ["SELECT " + ", ".join(f'NULL AS "{name}"' for name in columns) + " WHERE FALSE"]
    return plain(cursor, " UNION ALL ".join(selected))


def _nothing(cursor: Any, statement: str, around: Around, plain: Callable[..., Any]) -> Any:
    return plain(cursor, "SELECT 'done' AS status")


def _session(cursor: Any, statement: str, around: Around, plain: Callable[..., Any]) -> Any:
    return plain(cursor, f"SELECT 'TRIBUTARY', 'TRIBUTARY_WH', '{DATABASE}'")


def _put(cursor: Any, statement: str, around: Around, plain: Callable[..., Any]) -> Any:
    found = re.match(r"PUT\s+'file://([^']+)'\s+'?@([^'\s]+)'?", statement)
    assert found, statement
    # What is staged stays as it was when it was put, whatever becomes of the file.
    kept = around.folder / f"{len(around.staged)}-{Path(found[1]).name}"
    shutil.copyfile(found[1], kept)
    around.staged[f"{found[2]}/{Path(found[1]).name}"] = kept
    around.staged[found[2]] = kept
    return _nothing(cursor, statement, around, plain)


def _copy(cursor: Any, statement: str, around: Around, plain: Callable[..., Any]) -> Any:
    found = re.match(r"COPY INTO\s+(\S+)\s+FROM\s+'?@([^'\s]+)'?", statement)
    assert found, statement
    file = around.staged[found[2]]
    cursor._duck_conn.execute(
        f"INSERT INTO {found[1]} BY NAME SELECT * FROM read_parquet('{file}')"
    )
    return _nothing(cursor, statement, around, plain)


def _lambdas(cursor: Any, statement: str, around: Around, plain: Callable[..., Any]) -> Any:
    for theirs, ours in around.instead.items():
        statement = statement.replace(theirs, ours)
    return plain(cursor, statement)


HANDED_AROUND: Mapping[str, Kind] = {
    "the session's role and warehouse": Kind(
        r"SELECT CURRENT_ROLE\(\), CURRENT_WAREHOUSE\(\)", "no such functions", _session
    ),
    "files put into a stage": Kind(r"PUT ", "no stages of tables, nor folders in a stage", _put),
    "rows copied from a stage": Kind(
        r"COPY INTO ", "no stages of tables, and no temporary table is copied into", _copy
    ),
    "staged files removed": Kind(r"REMOVE ", "does not parse it", _nothing),
    "a stage dropped": Kind(r"DROP STAGE ", "does not parse it", _nothing),
    "functions over arrays": Kind(
        r"(?s).*\btransform\(\s*filter\(", "no lambdas (FILTER and TRANSFORM)", _lambdas
    ),
    "masking policies": Kind(r"(CREATE|ALTER|DROP) MASKING POLICY ", "no policies", _nothing),
    "masks on columns": Kind(
        r"ALTER (TABLE|VIEW) .* (SET|UNSET) MASKING POLICY", "no policies", _nothing
    ),
    "database roles": Kind(r"(CREATE|DROP) DATABASE ROLE ", "no roles", _nothing),
    "grants": Kind(r"(GRANT|REVOKE) ", "no rights", _nothing),
    "what policies there are": Kind(r"SHOW MASKING POLICIES", "no policies", _none),
    "what roles there are": Kind(r"SHOW DATABASE ROLES", "no roles", _roles),
    "what a role may do": Kind(r"SHOW GRANTS", "no rights", _grants),
}
"""Kinds of statements that fakesnow does not execute."""


def _comment(
    plain: Callable[..., str], catalog: str, schema: str, table: str, comment: str | None
) -> str:
    """What fakesnow does with the comment on a table, with its quotation marks."""
    return plain(catalog, schema, table, (comment or "").replace("'", "''"))


@contextmanager
def patched(folder: Path) -> Iterator[Around]:
    """fakesnow in the place of Snowflake's client, until the end of the block.

    Args:
        folder: where staged files lie.
    """
    fakesnow = pytest.importorskip("fakesnow", reason="needs what `make engines` installs")
    from fakesnow import info_schema, transforms
    from fakesnow.cursor import FakeSnowflakeCursor
    from snowflake.connector.util_text import split_statements

    around = Around(folder)
    commented = info_schema.insert_table_comment_sql
    plain = FakeSnowflakeCursor.execute

    def execute(cursor: Any, command: str, params: Any = None, *more: Any, **named: Any) -> Any:
        if named.pop("num_statements", None) == 0:
            # It runs several and then knows not which was the last.
            for each, _ in list(split_statements(io.StringIO(command))):
                execute(cursor, each.rstrip(";"), params, *more, **named)
            return cursor
        statement = command.strip()
        for name, kind in HANDED_AROUND.items():
            if re.match(kind.pattern, statement, re.IGNORECASE):
                around.statements.append((name, statement))
                return kind.does(cursor, statement, around, plain)
        return plain(cursor, command, params, *more, **named)

    def fetch_arrow_all(cursor: Any, force_return_table: bool = False) -> pa.Table:
        return cursor._arrow_table

    # Whoever connects to a schema of Snowflake's that is not there does not make it.
    unmade = fakesnow.patch(create_schema_on_connect=False)
    with pytest.MonkeyPatch.context() as patch, unmade:
        patch.setattr(FakeSnowflakeCursor, "execute", execute)
        # It adds decimals up as floating point, lest one should add up texts.
        patch.setattr(transforms, "numeric_agg_implicit_cast", lambda expression: expression)
        patch.setattr(info_schema, "insert_table_comment_sql", partial(_comment, commented))
        # Snowflake's client answers with Arrow tables, and fakesnow's has them without saying so.
        patch.setattr(FakeSnowflakeCursor, "fetch_arrow_all", fetch_arrow_all, raising=False)
        import snowflake.connector

        with snowflake.connector.connect(database=DATABASE) as connection:
            connection.cursor().execute("CREATE SCHEMA PUBLIC")
            yield around


def connection_settings(home: Path, **more: Any) -> Settings:
    """The settings of a deployment on Snowflake, with a key that nobody has: it is read, and
    fakesnow asks for none."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    home.mkdir(parents=True, exist_ok=True)
    key = home / "tributary.p8"
    key.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return load_settings(
        home=home,
        target="snowflake",
        snowflake_account="myorg-account1",
        snowflake_user="tributary",
        snowflake_private_key_path=key,
        snowflake_role="TRIBUTARY",
        snowflake_warehouse="TRIBUTARY_WH",
        snowflake_database=DATABASE,
        memory_limit="2GB",
        **more,
    )


def give_functions_over_arrays(around: Around, settings: Settings, of_duckdb: Settings) -> None:
    """Let the one expression with lambdas be the one that DuckDB is given by its own macro."""
    import snowflake.connector

    from tests.engines.rendering import rendered

    call = {"identifiers": "external_identifiers('external_ids')"}
    theirs, ours = (rendered(each, call)["identifiers"] for each in (settings, of_duckdb))
    with snowflake.connector.connect(database=DATABASE, schema="PUBLIC") as connection:
        connection._duck_conn.execute(  # type: ignore[attr-defined]
            f"CREATE MACRO {DATABASE}.PUBLIC.given_identifiers(external_ids) AS {ours}"
        )
    around.instead[theirs] = f"{DATABASE}.PUBLIC.given_identifiers(external_ids)"
