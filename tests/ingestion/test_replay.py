"""Quarantined rows, tried again: what has been mended lands once, the rest stays as it was."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

from tests.ingestion.killed_landing import replay_and_kill
from tests.ingestion.landing import AS_OF, Landing, event, lines
from tests.ingestion.shop import Shop

IN_TWO_YEARS = "2028-06-30T12:00:00Z"
TWO_YEARS = timedelta(days=731)


def declare_orders(landing: Landing, total: Any) -> None:
    landing.declare(
        "till",
        "files",
        {"location": "{home}/landing/till", "settle": "0 seconds"},
        orders={
            "files": "*.csv",
            "format": "csv",
            "key": ["No"],
            "maps": [
                {
                    "entity": "orders",
                    "columns": {
                        "order_id": "No",
                        "email": "Mail",
                        "ordered_at": "Day",
                        "total_amount": total,
                    },
                }
            ],
        },
    )


ORDERS = b"""No,Mail,Day,Total
1,a@example.org,2026-06-01,12.50
2,b@example.org,2026-06-02,"13,50"
3,c@example.org,2026-06-03,"14,50"
4,d@example.org,soon,15.50
"""


def waiting(landing: Landing) -> list[tuple[Any, ...]]:
    return landing.rows(
        "SELECT reason, position FROM raw.quarantine WHERE replayed_load_id IS NULL ORDER BY ALL"
    )


def test_rows_whose_mapping_has_been_mended_land_and_the_others_stay(landing: Landing) -> None:
    declare_orders(landing, "Total")
    landing.put("june.csv", ORDERS, "till")
    assert landing.land("till").rows_quarantined == 3
    declare_orders(landing, {"sql": "replace(Total, ',', '.')"})
    report = landing.replay("till")
    assert (report.rows_read, report.rows_landed, report.rows_quarantined) == (2, 2, 0)
    assert [row["No"] for row in landing.payloads("till")] == ["1", "2", "3"]
    assert [reason for reason, _ in waiting(landing)] == ["type_mismatch"]
    answered = landing.rows(
        "SELECT count(*), count(DISTINCT replayed_load_id) FROM raw.quarantine "
        "INNER JOIN raw.loads ON replayed_load_id = loads.load_id AND rows_landed = 2"
    )
    assert answered == [(2, 1)]


def test_what_has_been_replayed_is_not_tried_again(landing: Landing) -> None:
    declare_orders(landing, "Total")
    landing.put("june.csv", ORDERS, "till")
    landing.land("till")
    declare_orders(landing, {"sql": "replace(Total, ',', '.')"})
    landing.replay("till")
    before = landing.rows("SELECT * FROM raw.quarantine ORDER BY ALL")
    again = landing.replay("till")
    assert (again.rows_read, again.rows_landed, again.rows_quarantined) == (0, 0, 0)
    assert landing.rows("SELECT * FROM raw.quarantine ORDER BY ALL") == before
    assert landing.land("till").rows_read == 0


def test_a_replayed_row_tells_where_it_came_from(landing: Landing) -> None:
    declare_orders(landing, "Total")
    landing.put("june.csv", ORDERS, "till")
    landing.land("till")
    quarantined = landing.rows(
        "SELECT position FROM raw.quarantine WHERE reason = 'type_mismatch' ORDER BY 1"
    )
    declare_orders(landing, {"sql": "replace(Total, ',', '.')"})
    landing.replay("till")
    landed = landing.rows("SELECT position FROM raw.till ORDER BY landing_number")
    assert landed[1:] == quarantined[:2]


def test_rows_of_a_stream_that_was_renamed_keep_no_other_from_landing(landing: Landing) -> None:
    declare_orders(landing, "Total")
    orders = landing.sources["till"]["streams"]["orders"]
    landing.sources["till"]["streams"]["old"] = {**deepcopy(orders), "files": "old/*.csv"}
    landing.put("june.csv", ORDERS, "till")
    landing.put("old/may.csv", ORDERS, "till")
    assert landing.land("till").rows_quarantined == 6
    declare_orders(landing, {"sql": "replace(Total, ',', '.')"})
    assert landing.replay("till").rows_landed == 2
    kept = landing.rows(
        "SELECT stream, count(*) FROM raw.quarantine WHERE replayed_load_id IS NULL GROUP BY ALL "
        "ORDER BY ALL"
    )
    assert kept == [("old", 3), ("orders", 1)]


def test_an_event_of_the_future_lands_when_its_time_has_come(landing: Landing) -> None:
    early, late = event(1, timestamp=IN_TWO_YEARS), event(2)
    landing.put("one.ndjson", lines(early, late))
    landing.land()
    assert landing.reasons() == {"time_out_of_range": 1}
    assert landing.replay().rows_read == 0
    landing.as_of = AS_OF + TWO_YEARS
    assert landing.replay().rows_landed == 1
    assert landing.payloads() == [late, early]
    assert waiting(landing) == []


def test_a_row_that_was_sent_again_mended_is_known_when_it_is_replayed(landing: Landing) -> None:
    early = event(1, timestamp=IN_TWO_YEARS)
    landing.put("one.ndjson", lines(early))
    landing.land()
    landing.as_of = AS_OF + TWO_YEARS
    landing.put("two.ndjson", lines(early))
    assert landing.land().rows_landed == 1
    report = landing.replay()
    assert (report.rows_read, report.rows_landed, report.rows_duplicate) == (1, 0, 1)
    assert waiting(landing) == []
    assert landing.landed() == 1


def test_a_row_of_which_something_newer_is_known_stays_out(landing: Landing) -> None:
    """Rows without a version are what their newest landing says."""
    declare_orders(landing, "Total")
    landing.put("june.csv", ORDERS, "till")
    landing.land("till")
    landing.put("july.csv", b"No,Mail,Day,Total\n2,b@example.org,2026-06-02,20.00\n", "till")
    landing.land("till")
    declare_orders(landing, {"sql": "replace(Total, ',', '.')"})
    assert landing.replay("till").rows_landed == 1
    assert [(row["No"], row["Total"]) for row in landing.payloads("till")] == [
        ("1", "12.50"),
        ("2", "20.00"),
        ("3", "14,50"),
    ]
    assert ("type_mismatch", "june.csv:3") in waiting(landing)
    assert landing.replay("till").rows_read == 0


def test_a_row_mended_elsewhere_does_not_replace_what_has_landed_first(landing: Landing) -> None:
    landing.put("one.ndjson", lines(event(1, timestamp=IN_TWO_YEARS)))
    landing.land()
    landing.put("two.ndjson", lines(event(1)))
    landing.land()
    landing.as_of = AS_OF + TWO_YEARS
    landing.replay()
    assert landing.payloads() == [event(1)]
    assert landing.reasons() == {"time_out_of_range": 1, "key_conflict": 1}


def test_broken_lines_wait_for_ever_and_cost_nothing(landing: Landing) -> None:
    landing.put("one.ndjson", lines(event(1), b"{", b'{"type": "track"}', b"\xff\xfe"))
    landing.land()
    kept = landing.rows("SELECT * FROM raw.quarantine ORDER BY ALL")
    assert len(kept) == 3
    report = landing.replay()
    assert (report.rows_read, report.rows_landed) == (0, 0)
    assert landing.rows("SELECT * FROM raw.quarantine ORDER BY ALL") == kept


def declare_born(shop: Shop, born: Any) -> None:
    columns = {"contact_id": "no", "email": "email", "birth_date": born}
    maps = [{"entity": "customers", "columns": columns}]
    shop.declare(cursor=None, version=None, deletes={}, maps=maps)


MENDED = {"sql": "replace(gone, '.', '-')"}


def test_a_row_of_a_server_is_kept_out_once_however_often_it_is_read(shop: Shop) -> None:
    if shop.is_postgres:
        shop.do("ALTER TABLE customers ALTER COLUMN gone TYPE TEXT")
    declare_born(shop, "gone")
    shop.put(1, "a@example.org", "2026-06-01", "1990.02.01")
    assert shop.land().rows_quarantined == 1
    # Another row before it, so that it has another place in the next reading.
    shop.put(0, "b@example.org", "2026-06-01", "1990-02-01")
    shop.put(2, "c@example.org", "2026-06-01", "1991.02.01")
    report = shop.land()
    assert (report.rows_landed, report.rows_duplicate, report.rows_quarantined) == (1, 1, 1)
    report = shop.land()
    assert (report.rows_read, report.rows_duplicate, report.rows_quarantined) == (3, 3, 0)
    declare_born(shop, MENDED)
    assert shop.landing.replay("shop").rows_landed == 2
    assert waiting(shop.landing) == []
    assert shop.land().rows_duplicate == 3
    # Rules that refuse again what has landed keep it out again.
    declare_born(shop, "gone")
    assert shop.land().rows_quarantined == 2


def test_what_a_server_says_again_is_no_older_than_what_landed_meanwhile(shop: Shop) -> None:
    if shop.is_postgres:
        shop.do("ALTER TABLE customers ALTER COLUMN gone TYPE TEXT")
    declare_born(shop, "gone")
    shop.put(1, "a@example.org", "2026-06-01", "1990.02.01")
    assert shop.land().rows_quarantined == 1
    shop.put(1, "b@example.org", "2026-06-01", "1990-02-01")
    assert shop.land().rows_landed == 1
    shop.put(1, "a@example.org", "2026-06-01", "1990.02.01")
    assert shop.land().rows_duplicate == 1
    declare_born(shop, MENDED)
    assert shop.landing.replay("shop").rows_landed == 1
    assert shop.newest(1) == ("a@example.org", False)


def test_a_replay_that_is_killed_has_landed_each_row_once_when_it_is_repeated(
    landing: Landing,
) -> None:
    for point in ("landing.after_extract", "landing.after_inbox", "landing.in_promote"):
        number = len(waiting(landing)) + landing.landed() if landing.loads else 0
        landing.as_of = AS_OF
        rows = [event(number + each, timestamp=IN_TWO_YEARS) for each in range(5)]
        landing.put(f"{number}.ndjson", lines(*rows))
        assert landing.land().rows_quarantined == 5
        landing.as_of = AS_OF + TWO_YEARS
        replay_and_kill(landing, "web", point)
        landing.replay()
        assert landing.landed() == number + 5, point
        assert waiting(landing) == []
