"""Rows of tables: what tells them apart, and what of them may land.

Belongs here: keys, times and types of rows, by the declaration of their stream. Does not belong
here: any format of files, or any server.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.ingestion.landing import Landing, lines

CLICK: dict[str, Any] = {
    "entity": "events",
    "columns": {"event_type": {"value": "track"}, "user_id": "who", "occurred_at": "at"},
}


def declare(landing: Landing, *maps: dict[str, Any], zone: str = "UTC", **stream: Any) -> None:
    landing.declare(
        "till",
        "files",
        {"location": "{home}/landing/till", "settle": "0 seconds", "timezone": zone},
        rows={"files": "*.ndjson", "format": "ndjson", "maps": list(maps), **stream},
    )


def landed(landing: Landing, *rows: dict[str, Any]) -> list[str]:
    """The names of the rows that land of those given."""
    landing.put("rows.ndjson", lines(*rows), "till")
    landing.land("till")
    return [row["name"] for row in landing.payloads("till")]


def test_an_event_out_of_all_time_is_kept_out(landing: Landing) -> None:
    """One such event would keep everybody from publishing."""
    declare(landing, CLICK)
    times = {
        "now": "2026-06-29T10:00:00Z",
        "none": "",
        "a day ahead": "2026-07-01T10:00:00Z",
        "year one": "0001-01-01T00:00:00Z",
        "no clock": "1970-01-01T00:00:00Z",
        "far ahead": "2999-01-01T00:00:00Z",
    }
    rows = [{"name": name, "who": "ada", "at": at} for name, at in times.items()]
    assert landed(landing, *rows) == ["now", "none", "a day ahead"]
    assert landing.reasons() == {"time_out_of_range": 3}


def test_a_time_that_an_expression_makes_is_bounded_too(landing: Landing) -> None:
    columns = {**CLICK["columns"], "occurred_at": {"sql": "day || ' ' || hour"}}
    declare(landing, {**CLICK, "columns": columns})
    rows = [
        {"name": "now", "who": "ada", "day": "2026-06-29", "hour": "10:00"},
        {"name": "far ahead", "who": "ada", "day": "2999-06-29", "hour": "10:00"},
    ]
    assert landed(landing, *rows) == ["now"]


def test_a_time_without_a_zone_is_read_on_the_clocks_of_the_source(landing: Landing) -> None:
    declare(landing, CLICK, zone="Europe/Berlin")
    landed(
        landing,
        {"name": "local", "who": "ada", "at": "2026-06-01 12:00:00"},
        {"name": "zoned", "who": "ada", "at": "2026-06-01T12:00:00+05:00"},
        {"name": "utc", "who": "ada", "at": "2026-06-01T12:00:00Z"},
    )
    assert landing.rows("SELECT occurred_at FROM raw.till ORDER BY landing_number") == [
        (datetime(2026, 6, 1, hour),) for hour in (10, 7, 12)
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("value", ["at", {"sql": "at || ''"}], ids=["column", "expression"])
def test_what_staging_could_not_read_as_a_time_is_kept_out(
    landing: Landing, zone: str, value: Any
) -> None:
    """Each is a time to the engine; the first two are beyond what it can show on some clocks."""
    order = {"entity": "orders", "columns": {"order_id": "name", "ordered_at": value}}
    declare(landing, order, zone=zone, key=["name"])
    times = {
        "first": "290309-12-22 (BC) 00:00:00",
        "last": "294247-01-10 04:00:54",
        "endless": "infinity",
        "endless before": "-infinity",
        "local": "2026-06-01 12:00:00",
        "short name": "2026-06-01 12:00:00 EST",
    }
    names = landed(landing, *({"name": name, "at": at} for name, at in times.items()))
    beyond = {"UTC": set[str](), "Europe/Berlin": {"first"}, "America/New_York": {"first", "last"}}
    refused = {"endless", "endless before"} | beyond[zone]
    assert set(names) == set(times) - refused
    assert landing.reasons() == {"type_mismatch": len(refused)}


def test_what_never_ends_lands(landing: Landing) -> None:
    """Databases write it as infinity, and a withdrawal must not be kept out for its end."""
    consent = {
        "entity": "consents",
        "columns": {
            "subject_type": {"value": "email"},
            "subject_id": "who",
            "purpose": {"value": "ads"},
            "state": "name",
            "decided_at": "at",
            "valid_until": "until",
        },
    }
    declare(landing, consent, key=["name"])
    at = "2026-06-01 12:00:00"
    names = landed(
        landing,
        {"name": "withdrawn", "who": "a@example.org", "at": at, "until": "infinity"},
        {"name": "granted", "who": "a@example.org", "at": at, "until": "-infinity"},
    )
    assert names == ["withdrawn"]
    assert landing.reasons() == {"type_mismatch": 1}


ORDER = {"entity": "orders", "columns": {"order_id": "order"}}
PRODUCT = {"entity": "products", "columns": {"product_id": "sku"}}


def test_a_row_without_the_key_of_its_entity_is_kept_out(landing: Landing) -> None:
    declare(landing, ORDER)
    rows = [{"name": "whole", "order": "1"}, {"name": "blank", "order": " "}, {"name": "bare"}]
    assert landed(landing, *rows) == ["whole"]
    assert landing.reasons() == {"missing_key": 2}


@pytest.mark.parametrize(
    "key", [["name"], ["name", "order"]], ids=["of the entity", "of the stream"]
)
def test_the_column_that_a_row_is_kept_out_for_is_told(landing: Landing, key: list[str]) -> None:
    declare(landing, ORDER, key=key)
    landed(landing, {"name": "no order"}, {"order": "7"}, {"name": "whole", "order": "8"})
    told = landing.rows("SELECT detail FROM raw.quarantine ORDER BY position")
    assert told == [("column order",), ("column name",)]


def test_an_object_is_no_key_of_an_entity(landing: Landing) -> None:
    """In staging it is null, where every such row would be the same entity."""
    declare(
        landing,
        {"entity": "products", "columns": {"product_id": "id", "name": "name"}},
        key=["id"],
    )
    braces = "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}"
    ids: list[Any] = ["a", {}, [], {"x": 1}, 7, braces]
    rows = [{"name": str(value), "id": value} for value in ids]
    assert landed(landing, *rows) == ["a", "7", braces]
    assert landing.reasons() == {"missing_key": 3}


def test_a_row_that_is_one_entity_need_not_be_all(landing: Landing) -> None:
    declare(landing, ORDER, {**PRODUCT, "where": "kind = 'goods'"})
    rows = [
        {"name": "both", "order": "1", "sku": "a", "kind": "goods"},
        {"name": "order", "order": "2", "kind": "goods"},
        {"name": "product", "sku": "b", "kind": "goods"},
        {"name": "none", "sku": "b", "kind": "service"},
    ]
    assert landed(landing, *rows) == ["both", "order", "product"]


def test_a_row_that_no_map_takes_is_not_missed(landing: Landing) -> None:
    declare(landing, {**ORDER, "where": "kind = 'sale'"})
    rows = [{"name": "sale", "order": "1", "kind": "sale"}, {"name": "quote", "kind": "quote"}]
    assert landed(landing, *rows) == ["sale", "quote"]
