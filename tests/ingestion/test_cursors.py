"""News of databases: what the last value of a cursor may be, and how a cursor's value is told.

Belongs here: cursors of the `database` kind. Does not belong here: deletions and types of values
(`test_database`).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, oracle

from ingestion.database_ranges import within
from tests.ingestion.shop import Shop

FAR = "9999-12-31 00:00:00+00"


@pytest.mark.parametrize("is_refused", [False, True], ids=["lands", "refused"])
def test_a_row_far_in_the_future_hides_no_news(shop: Shop, is_refused: bool) -> None:
    if is_refused:
        shop.do("ALTER TABLE customers ADD COLUMN born TEXT")
        columns = {"contact_id": "no", "birth_date": "born"}
        shop.declare(maps=[{"entity": "customers", "columns": columns}])
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00") if not is_refused else shop.do(
        "INSERT INTO customers VALUES (1, 'a', '2026-06-01 10:00:00+00', NULL, '1990-01-01')"
    )
    shop.do(
        f"INSERT INTO customers VALUES (2, 'far', '{FAR}', NULL{', :born' if is_refused else ''})",
        **({"born": "soon"} if is_refused else {}),
    )
    report = shop.land()
    assert (report.rows_landed, report.rows_quarantined) == ((1, 1) if is_refused else (2, 0))
    shop.do(
        "INSERT INTO customers VALUES (3, 'b', '2026-06-02 10:00:00+00', NULL"
        f"{', NULL' if is_refused else ''})"
    )
    report = shop.land()
    # The row of the last moment and the odd one are read again.
    assert (report.rows_read, report.rows_landed) == (3, 1)


def test_text_that_tells_no_time_hides_no_news_among_such_as_does(shop: Shop) -> None:
    if shop.is_postgres:
        shop.do("ALTER TABLE customers ALTER COLUMN changed TYPE TEXT")
    maps = [{"entity": "customers", "columns": {"contact_id": "no", "email": "email"}}]
    shop.declare(version=None, maps=maps)
    shop.put(1, "odd@example.org", "zzz")
    shop.put(2, "a@example.org", "2026-06-01 10:00:00")
    assert shop.land().rows_landed == 2
    shop.put(3, "odder@example.org", "zzzz")
    assert shop.land().rows_landed == 1
    shop.put(4, "b@example.org", "2026-06-02 10:00:00")
    assert shop.land().rows_landed == 1


def test_a_cursor_of_text_that_is_no_time_goes_on_from_its_last_value(shop: Shop) -> None:
    shop.do("CREATE TABLE parts (no TEXT)")
    maps = [{"entity": "customers", "columns": {"contact_id": "no"}}]
    shop.declare(table="parts", cursor="no", version=None, maps=maps)
    # One of them looks like a time, which makes the others none.
    for no in ("A1", "A2", "A3", "2024-01-01"):
        shop.do("INSERT INTO parts VALUES (:no)", no=no)
    assert shop.land().rows_landed == 4
    shop.do("INSERT INTO parts VALUES ('A4'), ('2025-01-01')")
    assert shop.land().rows_read == 2
    shop.do("INSERT INTO parts VALUES ('A5')")
    assert shop.land().rows_read == 2


@pytest.mark.parametrize(("kind", "far"), [("DATE", "9999-12-31"), ("TIMESTAMP", "infinity")])
def test_a_day_or_a_moment_without_end_hides_no_news(
    postgres_database: str, tmp_path: Path, kind: str, far: str
) -> None:
    shop = Shop(postgres_database, tmp_path / "home")
    maps = [{"entity": "customers", "columns": {"contact_id": "no", "email": "email"}}]
    shop.declare(version=None, maps=maps)
    shop.do(f"ALTER TABLE customers ALTER COLUMN changed TYPE {kind}")
    shop.put(1, "a@example.org", "2026-06-01")
    shop.put(2, "far@example.org", far)
    assert shop.land().rows_landed == 2
    shop.put(3, "b@example.org", "2026-06-02")
    assert shop.land().rows_landed == 1
    assert shop.landing.payloads("shop")[1]["changed"] == far


def test_a_last_value_that_was_kept_far_in_the_future_is_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was kept before values that lie ahead were left out."""
    from ingestion import database

    shop.put(1, "far@example.org", FAR)
    with monkeypatch.context() as before:
        before.setattr(database, "within", lambda column, *_: column)
        assert shop.land().rows_landed == 1
    shop.put(2, "a@example.org", "2026-06-01 10:00:00+00")
    assert shop.land().rows_landed == 1


@pytest.mark.parametrize("kind", ["NUMERIC", "NUMERIC(10,2)"])
def test_a_key_that_is_the_cursor_too_is_told_in_one_way(
    postgres_database: str, tmp_path: Path, kind: str
) -> None:
    shop = Shop(postgres_database, tmp_path / "home")
    shop.do(f"CREATE TABLE parts (no {kind})")
    shop.do("INSERT INTO parts VALUES (1), (2.5)")
    maps = [{"entity": "customers", "columns": {"contact_id": "no"}}]
    deletes = {"compare_every": "0 seconds"}
    shop.declare(table="parts", cursor="no", version=None, maps=maps, deletes=deletes)
    assert shop.land().rows_landed == 2
    assert shop.land().rows_landed == 0
    told = ["1", "2.5"] if kind == "NUMERIC" else ["1.00", "2.50"]
    assert [row["no"] for row in shop.landing.payloads("shop")] == told


@pytest.mark.parametrize("engine", [mssql, oracle], ids=["mssql", "oracle"])
def test_a_cursor_of_text_is_compared_without_a_cast(engine: Any) -> None:
    """What a cast to text gives there cannot be compared."""
    table = sa.Table("parts", sa.MetaData(), sa.Column("changed", sa.String(30)))
    asked = within(table.c.changed, "text", datetime(2026, 6, 1), "UTC", None)
    assert "CAST" not in str(asked.compile(dialect=engine.dialect()))
