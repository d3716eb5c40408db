"""A shop in a relational database, and the home that reads it.

Belongs here: filling the database, declaring it, landing it. Does not belong here: what should be
true of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.ingestion.landing import Landing


class Shop:
    """A database with customers and orders, and the home that reads it."""

    def __init__(self, url: str, home: Path) -> None:
        self.engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        self.landing = Landing(home)
        self.is_postgres = url.startswith("postgresql")
        timestamps = "TIMESTAMPTZ" if self.is_postgres else "TEXT"
        self.do(
            f"CREATE TABLE customers (no INTEGER PRIMARY KEY, email TEXT, changed {timestamps}, "
            f"gone {timestamps})"
        )

    def do(self, sql: str, **values: Any) -> None:
        with self.engine.connect() as connection:
            connection.execute(sa.text(sql), values)

    def put(self, number: int, email: str, changed: str, gone: str | None = None) -> None:
        self.do("DELETE FROM customers WHERE no = :no", no=number)
        self.do(
            "INSERT INTO customers VALUES (:no, :email, :changed, :gone)",
            no=number,
            email=email,
            changed=changed,
            gone=gone,
        )

    def declare(self, **changes: Any) -> None:
        stream = {
            "table": "customers",
            "key": ["no"],
            "version": "changed",
            "cursor": "changed",
            "deletes": {"column": "gone", "compare_every": "1 day"},
            "maps": [
                {
                    "entity": "customers",
                    "columns": {"contact_id": "no", "email": "email", "updated_at": "changed"},
                }
            ],
            **changes,
        }
        stream = {key: value for key, value in stream.items() if value is not None}
        self.landing.declare("shop", "database", {"url": self.url}, customers=stream)

    @property
    def url(self) -> str:
        return self.engine.url.render_as_string(hide_password=False)

    def land(self, **how: Any) -> Any:
        return self.landing.land("shop", **how)

    def newest(self, number: int) -> tuple[str, bool]:
        """What landed last of a customer: the address, and whether it says that the row is gone."""
        ((email, is_deleted),) = self.landing.rows(
            "SELECT json_extract_string(payload, '$.email'), is_deleted FROM raw.shop "
            "WHERE json_extract_string(payload, '$.no') = ? ORDER BY landing_number DESC LIMIT 1",
            [str(number)],
        )
        return email, is_deleted

    def emails(self) -> list[str]:
        return [row["email"] for row in self.landing.payloads("shop") if "email" in row]
