"""Staging holds what the newest version of each row says, in whatever order versions land.

Belongs here: rows that move, leave, come back, are deleted or arrive late, up to staging. Does not
belong here: what later stages make of it (`test_rebuild_equals_increment`).
"""

from __future__ import annotations

import json
import random
import sqlite3
from datetime import datetime
from typing import Any

import pytest
import yaml

from cdp.config.sources import load_sources
from cdp.config.staged import staged_entities
from cdp.warehouse.runs import begin_run, finish_run
from cdp.warehouse.store import open_warehouse
from expectations.gates import validate
from tests.models.deployment import Deployment

pytestmark = pytest.mark.integration

END = datetime(2026, 6, 30, 12)

ABOUT = {
    "description": "A source of a test.",
    "owner": "tests@example.org",
    "purpose": "contract",
    "fresh_within": "1 day",
}

TILL = {
    **ABOUT,
    "kind": "files",
    "options": {
        "location": "{home}/landing/till",
        "settle": "0 seconds",
        "timezone": "Europe/Berlin",
    },
    "streams": {
        "receipts": {
            "files": "receipts-*.ndjson",
            "format": "ndjson",
            "key": ["no"],
            "version": "rev",
            "maps": [
                {
                    "entity": "orders",
                    "where": "kind = 'sale'",
                    "columns": {
                        "order_id": "no",
                        "total_amount": "total",
                        "ordered_at": {"sql": "REPLACE(at, '_', ' ')"},
                    },
                }
            ],
        },
        "lines": {
            "files": "lines-*.ndjson",
            "format": "ndjson",
            "key": ["id"],
            "version": "changed",
            "maps": [
                {
                    "entity": "order_lines",
                    "columns": {"order_id": "order", "line_number": "line", "quantity": "qty"},
                }
            ],
        },
        "lists": {
            "files": "lists-*.ndjson",
            "format": "ndjson",
            "key": ["id"],
            "version": "rev",
            "maps": [
                {
                    "entity": "memberships",
                    "where": "state = 'yes'",
                    "columns": {
                        "list_id": "list",
                        "subject_type": {"value": "email"},
                        "subject_id": "who",
                        "joined_at": "at",
                    },
                }
            ],
        },
    },
}

SHOP = {
    **ABOUT,
    "kind": "database",
    "options": {"url": "sqlite:///{home}/shop.sqlite"},
    "streams": {
        "rentals": {
            "table": "rentals",
            "key": ["id"],
            "version": "changed",
            "deletes": {"compare_every": "0 seconds"},
            "maps": [
                {
                    "entity": "events",
                    "columns": {
                        "event_type": {"value": "track"},
                        "event_name": {"value": "Film Rented"},
                        "user_id": "who",
                        "occurred_at": "rented",
                    },
                }
            ],
        },
        "stock": {
            "table": "stock",
            "key": ["sku"],
            "maps": [
                {
                    "entity": "products",
                    "columns": {"product_id": "sku", "price": "price", "updated_at": "changed"},
                }
            ],
        },
        "baskets": {
            "table": "baskets",
            "key": ["line"],
            "deletes": {"compare_every": "0 seconds"},
            "maps": [
                {"entity": "orders", "columns": {"order_id": "basket"}},
                {
                    "entity": "order_lines",
                    "columns": {"order_id": "basket", "product_id": "sku"},
                },
            ],
        },
        "people": {
            "table": "people",
            "key": ["no"],
            "deletes": {"column": "gone", "compare_every": "0 seconds"},
            "maps": [{"entity": "customers", "columns": {"contact_id": "no", "email": "email"}}],
        },
    },
}

FILES: list[dict[str, list[dict[str, Any]]]] = [
    {
        "receipts": [
            {"no": "left", "rev": 1, "kind": "sale", "total": 1},
            {"no": "never", "rev": 1, "kind": "quote", "total": 1},
            {"no": "late", "rev": 10, "kind": "quote", "total": 10},
            {"no": "back", "rev": 1, "kind": "sale", "total": 1},
            {"no": "older", "rev": 10, "kind": "sale", "total": 10, "at": "2026-06-01_10:00:00"},
        ],
        "lines": [
            {"id": "moves", "changed": "2026-06-01", "order": "A", "line": 1, "qty": 1},
            {"id": "follows", "changed": "2026-06-01", "order": "C", "line": 1, "qty": 2},
            {"id": "newer", "changed": "2026-06-02", "order": "D", "line": 1, "qty": 3},
            {"id": "older", "changed": "2026-06-01", "order": "D", "line": 1, "qty": 4},
        ],
    },
    {
        "receipts": [
            {"no": "left", "rev": 2, "kind": "quote", "total": 2},
            {"no": "late", "rev": 9, "kind": "sale", "total": 9},
            {"no": "back", "rev": 2, "kind": "quote", "total": 2},
            {"no": "older", "rev": 9, "kind": "sale", "total": 9},
        ],
        "lines": [
            {
                "id": "moves",
                "changed": "2026-06-10T10:00:00+02:00",
                "order": "B",
                "line": 7,
                "qty": 5,
            },
            {"id": "newer", "changed": "2026-06-03", "order": "E", "line": 1, "qty": 3},
        ],
    },
    {
        "receipts": [
            {"no": "back", "rev": 3, "kind": "sale", "total": 3, "at": "2026-06-01_10:00:00+05:00"}
        ],
        "lines": [
            {"id": "moves", "changed": "2026-06-10T07:00:00Z", "order": "A", "line": 9, "qty": 6},
            {"id": "follows", "changed": "2026-06-04", "order": "A", "line": 1, "qty": 7},
        ],
    },
]
"""What each delivery of files brings, by stream."""

TABLES = """
CREATE TABLE rentals (id TEXT, who TEXT, rented TEXT, returned TEXT, changed TEXT);
CREATE TABLE stock (sku TEXT, price TEXT, changed TEXT);
CREATE TABLE baskets (line TEXT, basket TEXT, sku TEXT);
CREATE TABLE people (no TEXT, email TEXT, gone TEXT);
INSERT INTO rentals VALUES ('r1', 'ada', '2026-06-01', NULL, '2026-06-01'),
    ('r2', 'bob', '2026-06-01', NULL, '2026-06-01');
INSERT INTO stock VALUES ('sku', '1', '2026-06-05');
INSERT INTO baskets VALUES ('1', 'whole', 'x'), ('2', 'whole', 'y'), ('3', 'gone', 'x'),
    ('4', 'split', 'x'), ('5', 'split', 'y');
INSERT INTO people VALUES ('1', 'ada@x.org', NULL), ('2', 'bob@x.org', NULL),
    ('3', 'eve@x.org', NULL);
"""

CHANGES = [
    """
    UPDATE rentals SET returned = '2026-06-02', changed = '2026-06-02' WHERE id = 'r1';
    DELETE FROM rentals WHERE id = 'r2';
    UPDATE stock SET price = '2', changed = '2026-06-01';
    DELETE FROM baskets WHERE line IN ('2', '3');
    UPDATE baskets SET basket = 'other' WHERE line = '5';
    UPDATE people SET gone = '2026-06-20' WHERE no IN ('1', '3');
    """,
    """
    UPDATE rentals SET changed = '2026-06-03', rented = '2026-06-11' WHERE id = 'r1';
    INSERT INTO baskets VALUES ('3', 'gone', 'x');
    DELETE FROM baskets WHERE line = '1';
    DELETE FROM people WHERE no = '3';
    """,
]


def random_lists(seed: int, deliveries: int) -> list[list[dict[str, Any]]]:
    """Rows that wander between lists and people, their versions landing in any order."""
    chance = random.Random(seed)
    versions = [
        {
            "id": str(row),
            "rev": str(rev),
            "list": chance.choice("ab"),
            "who": chance.choice("xyz"),
            "state": chance.choice(["yes", "yes", "no"]),
            "at": f"2026-06-{10 + rev} 12:00",
        }
        for row in range(12)
        for rev in range(8, 12)
    ]
    chance.shuffle(versions)
    return [versions[start::deliveries] for start in range(deliveries)]


def expected_lists(landed: list[dict[str, Any]]) -> dict[tuple[str, str], str | None]:
    """By list and person: since when, or None where nobody is on it any more."""
    newest: dict[str, dict[str, Any]] = {}
    for row in landed:
        if int(row["rev"]) > int(newest.get(row["id"], {"rev": 0})["rev"]):
            newest[row["id"]] = row
    found: dict[tuple[str, str], str | None] = {
        (row["list"], row["who"]): None for row in landed if row["state"] == "yes"
    }
    for row in sorted(newest.values(), key=lambda each: int(each["rev"])):
        if row["state"] == "yes":
            found[row["list"], row["who"]] = row["at"][:10]
    return found


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A deployment that has taken in every delivery, one run each."""
    home = tmp_path_factory.mktemp("versions")
    config = home / "config"
    config.mkdir()
    text = yaml.safe_dump({"sources": {"till": TILL, "shop": SHOP}}, sort_keys=False)
    (config / "sources.yml").write_text(text, encoding="utf-8")
    folder = home / "landing" / "till"
    folder.mkdir(parents=True)
    deployment = Deployment(home, config)
    lists = random_lists(7, len(FILES))
    seen: list[dict[str, Any]] = []
    for number, delivery in enumerate(FILES):
        for stream, rows in {**delivery, "lists": lists[number]}.items():
            told = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{stream}-{number}.ndjson").write_text(told, encoding="utf-8")
        with sqlite3.connect(home / "shop.sqlite") as database:
            database.executescript([TABLES, *CHANGES][number])
        deployment.run(END, stages=["staging"])
        seen += lists[number]
        assert lists_of(deployment) == expected_lists(seen), number
    return deployment


def lists_of(deployment: Deployment) -> dict[tuple[str, str], str | None]:
    return {
        (name, who): None if is_deleted else f"{at:%Y-%m-%d}"
        for name, who, at, is_deleted in deployment.rows(
            "SELECT list_id, subject_id, joined_at, is_deleted FROM staging.stg_till__memberships"
        )
    }


def orders(deployment: Deployment, source: str) -> dict[str, Any]:
    """By order: its total (or that it is there), None where it is gone."""
    return {
        order: None if is_deleted else total
        for order, total, is_deleted in deployment.rows(
            f"SELECT order_id, coalesce(total_amount, 0), is_deleted "
            f"FROM staging.stg_{source}__orders"
        )
    }


def test_a_row_that_is_no_such_entity_any_more_drops_it(played: Deployment) -> None:
    found = orders(played, "till")
    assert found["left"] is None
    assert "never" not in found
    assert found["back"] == 3


def test_an_older_version_that_lands_late_does_not_win(played: Deployment) -> None:
    found = orders(played, "till")
    assert found["older"] == 10
    assert found["late"] is None


def test_a_time_that_an_expression_makes_keeps_its_zone(played: Deployment) -> None:
    assert played.rows(
        "SELECT order_id, ordered_at FROM staging.stg_till__orders WHERE ordered_at IS NOT NULL "
        "ORDER BY 1"
    ) == [("back", datetime(2026, 6, 1, 5)), ("older", datetime(2026, 6, 1, 8))]


def test_what_a_row_was_before_it_moved_is_gone(played: Deployment) -> None:
    found = {
        (order, line): None if is_deleted else quantity
        for order, line, quantity, is_deleted in played.rows(
            "SELECT order_id, line_number, quantity, is_deleted FROM staging.stg_till__order_lines"
        )
    }
    assert found == {
        ("A", "1"): 7,
        ("A", "9"): None,
        ("B", "7"): 5,
        ("C", "1"): None,
        ("D", "1"): 4,
        ("E", "1"): 3,
    }


def test_an_event_is_one_whatever_becomes_of_its_row(played: Deployment) -> None:
    assert played.rows(
        "SELECT user_id, occurred_at::DATE::VARCHAR, is_deleted FROM staging.stg_shop__events "
        "ORDER BY 1"
    ) == [("ada", "2026-06-01", False), ("bob", "2026-06-01", False)]


def test_what_a_server_says_of_a_row_without_a_version_holds(played: Deployment) -> None:
    assert played.rows("SELECT price FROM staging.stg_shop__products") == [(2,)]


def test_an_order_lives_as_long_as_one_of_its_rows(played: Deployment) -> None:
    assert orders(played, "shop") == {"whole": None, "gone": 0, "split": 0, "other": 0}
    assert played.rows(
        "SELECT line_number, order_id FROM staging.stg_shop__order_lines WHERE NOT is_deleted "
        "ORDER BY 1"
    ) == [("3", "gone"), ("4", "split"), ("5", "other")]


def test_the_column_of_soft_deletes_deletes(played: Deployment) -> None:
    assert played.rows(
        "SELECT contact_id, is_deleted, deleted_at IS NULL FROM staging.stg_shop__customers "
        "ORDER BY 1"
    ) == [("1", True, False), ("2", False, True), ("3", True, False)]


def test_rows_that_change_what_they_are_have_their_versions_kept(played: Deployment) -> None:
    kept = {
        each.model: each.claims_model is not None
        for each in staged_entities(load_sources(played.settings()))
    }
    assert kept == {
        "stg_till__orders": True,
        "stg_till__order_lines": True,
        "stg_till__memberships": True,
        "stg_shop__events": False,
        "stg_shop__products": False,
        "stg_shop__orders": True,
        "stg_shop__order_lines": True,
        "stg_shop__customers": False,
    }


def test_the_gate_of_staging_lets_it_pass(played: Deployment) -> None:
    with open_warehouse(played.settings()) as warehouse:
        run = begin_run(warehouse, "gate", "test")
        verdict = validate("staging", warehouse, run)
        finish_run(warehouse, run, "failed")
    # The gate's run is one that has built nothing itself.
    assert {check.name for check in verdict.failed} <= {"is the run under way"}


def test_a_rebuild_finds_the_same(played: Deployment) -> None:
    """The last test: it builds everything anew."""
    before = contents(played)
    played.run(END, full_refresh=True, stages=["staging"])
    assert contents(played) == before


def contents(deployment: Deployment) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every table of staging."""
    found = staged_entities(load_sources(deployment.settings()))
    tables = [name for each in found for name in (each.model, each.claims_model) if name]
    return {name: deployment.rows(f"SELECT * FROM staging.{name} ORDER BY ALL") for name in tables}
