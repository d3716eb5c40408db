"""Keys of a table beside those that have landed: what is gone, what was missed.

Belongs here: comparisons of the `database` kind. Does not belong here: tombstones and returns that
the cursor sees (`test_database`).
"""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from cdp.config.yaml_text import ConfigError
from ingestion import database
from ingestion.failures import SourceFailed
from tests.ingestion.shop import Shop

COMPARED = {"compare_every": "0 seconds"}


def test_a_row_that_is_back_behind_the_cursor_is_found_by_its_key(shop: Shop) -> None:
    shop.declare(deletes=COMPARED)
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.put(2, "b@example.org", "2026-06-02 10:00:00+00")
    shop.land()
    shop.do("DELETE FROM customers WHERE no = 1")
    assert shop.land().rows_landed == 1
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    assert shop.land().rows_landed == 1
    assert shop.newest(1) == ("a@example.org", False)
    assert shop.landing.rows(
        "SELECT position LIKE 'customers:found by its key:%' FROM raw.shop "
        "ORDER BY landing_number DESC LIMIT 1"
    ) == [(True,)]
    assert shop.land().rows_read == 1


def test_rows_that_were_committed_late_are_found_by_their_keys(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "KEYS_ASKED_AT_ONCE", 2)
    shop.declare(deletes=COMPARED)
    shop.put(9, "a@example.org", "2026-06-09 10:00:00+00")
    shop.land()
    for number in range(5):
        shop.put(number, f"{number}@example.org", "2026-06-01 10:00:00+00")
    assert shop.land().rows_landed == 5
    assert shop.land().rows_landed == 0


def test_many_keys_are_compared_with_many(shop: Shop) -> None:
    """The engine joins large tables otherwise than small ones."""
    shop.declare(deletes=COMPARED)
    shop.do(
        "WITH RECURSIVE numbers(n) AS "
        "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9000) "
        "INSERT INTO customers SELECT n, n || '@example.org', '2026-06-01 10:00:00+00', NULL "
        "FROM numbers"
    )
    assert shop.land().rows_landed == 9_000
    shop.do("DELETE FROM customers WHERE no <= 30")
    shop.do("UPDATE customers SET changed = '2026-06-02 10:00:00+00' WHERE no > 8900")
    assert shop.land().rows_landed == 30 + 100
    assert shop.land().rows_landed == 0


@pytest.mark.parametrize("kind", ["TEXT", "UUID", "NUMERIC(10,2)", "INTEGER, other"])
def test_a_key_of_any_type_finds_its_row(postgres_database: str, tmp_path: Path, kind: str) -> None:
    shop = Shop(postgres_database, tmp_path / "home")
    many = kind.endswith("other")
    shop.do(f"CREATE TABLE parts (no {kind}{' TEXT' if many else ''}, changed TIMESTAMP)")
    maps = [{"entity": "customers", "columns": {"contact_id": "no"}}]
    key = ["no", "other"] if many else ["no"]
    shop.declare(table="parts", key=key, version=None, maps=maps, deletes=COMPARED)

    def put(number: int, day: int) -> None:
        no = str(uuid.UUID(int=number)) if kind == "UUID" else str(number)
        other = "'x', " if many else ""
        shop.do(f"INSERT INTO parts VALUES ('{no}', {other}'2026-06-{day:02}')")

    put(1, 9)
    shop.land()
    put(2, 1)
    put(3, 2)
    assert shop.land().rows_landed == 2
    assert shop.land().rows_landed == 0


def test_what_is_kept_out_is_not_asked_for_at_every_comparison(shop: Shop) -> None:
    shop.do("ALTER TABLE customers ADD COLUMN born TEXT")
    columns = {"contact_id": "no", "birth_date": "born"}
    shop.declare(deletes=COMPARED, maps=[{"entity": "customers", "columns": columns}])
    for number, born in ((1, "'soon'"), (2, "NULL")):
        shop.do(f"INSERT INTO customers VALUES ({number}, 'a', '2026-06-0{number}', NULL, {born})")
    assert shop.land().rows_quarantined == 1
    assert shop.land().rows_read == 1


def many(shop: Shop, count: int = 120) -> None:
    rows = ", ".join(
        f"({number}, '{number}@example.org', '2026-06-01 10:00:00+00', NULL)"
        for number in range(count)
    )
    shop.do(f"INSERT INTO customers VALUES {rows}")


@pytest.mark.parametrize("left", [0, 59])
def test_most_of_a_table_is_not_taken_for_deleted_on_one_look(shop: Shop, left: int) -> None:
    shop.declare(deletes=COMPARED)
    many(shop)
    assert shop.land().rows_landed == 120
    shop.do("DELETE FROM customers WHERE no >= :left", left=left)
    with pytest.raises(SourceFailed, match=f"{120 - left} of the 120 live rows of customers.*most"):
        shop.land()
    assert shop.landing.landed("shop") == 120
    shop.declare(deletes={**COMPARED, "may_lose_most": True})
    assert shop.land().rows_landed == 120 - left


def test_half_of_a_table_may_go(shop: Shop) -> None:
    shop.declare(deletes=COMPARED)
    many(shop)
    shop.land()
    shop.do("DELETE FROM customers WHERE no >= 60")
    assert shop.land().rows_landed == 60


def test_to_lose_most_without_a_comparison_means_nothing(shop: Shop) -> None:
    shop.declare(deletes={"may_lose_most": True})
    with pytest.raises(ConfigError, match="compare_every"):
        shop.land()
