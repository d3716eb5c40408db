"""A Snowflake that is none: fakesnow, and what it does not execute handed around it.

Belongs here: the kinds of statements that fakesnow 0.11 cannot run, each by name with the reason
and with what happens in its place. Does not belong here: any expectation; anything that the product
knows of.

fakesnow translates statements of Snowflake to DuckDB. What it cannot is done here on the DuckDB
beneath it, or, where DuckDB has nothing like it (rights, policies), kept for a test to read.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
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


def _answer(*columns: str) -> Callable[[Any, str, Around, Callable[..., Any]], Any]:
    """No row, of these columns."""
    selected = ", ".join(f'NULL AS "{each}"' for each in columns)

    def does(cursor: Any, statement: str, around: Around, plain: Callable[..., Any]) -> Any:
        return plain(cursor, f"SELECT {selected} WHERE FALSE")

    return does


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
    "what policies there are": Kind(r"SHOW MASKING POLICIES", "no policies", _answer("name")),
    "what roles there are": Kind(r"SHOW DATABASE ROLES", "no roles", _answer("name", "comment")),
    "what a role may do": Kind(
        r"SHOW GRANTS", "no rights", _answer("privilege", "granted_on", "name")
    ),
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

    around = Around(folder)
    commented = info_schema.insert_table_comment_sql
    plain = FakeSnowflakeCursor.execute

    def execute(cursor: Any, command: str, params: Any = None, *more: Any, **named: Any) -> Any:
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
