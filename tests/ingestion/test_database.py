"""Tables of SQLite and of PostgreSQL: news, versions, deletions, and each value as it is.

Belongs here: the `database` kind against real databases. Does not belong here: what staging makes
of the rows.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from cdp.config.moments import NoMoment
from ingestion.failures import SourceFailed
from tests.ingestion.shop import Shop


def test_only_news_are_read_and_each_version_lands_once(shop: Shop) -> None:
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.put(2, "b@example.org", "2026-06-02 10:00:00+00")
    assert shop.land().rows_landed == 2
    shop.put(1, "a2@example.org", "2026-06-03 10:00:00+00")
    shop.put(3, "c@example.org", "2026-06-03 10:00:00+00")
    report = shop.land()
    # The row of the last moment is read again, since others may have joined it.
    assert (report.rows_read, report.rows_landed, report.rows_duplicate) == (3, 2, 1)
    assert sorted(shop.emails()) == [
        "a2@example.org",
        "a@example.org",
        "b@example.org",
        "c@example.org",
    ]
    assert shop.land().rows_landed == 0


def test_a_source_that_has_nothing_to_say_has_answered(shop: Shop) -> None:
    """How far a server is known goes by its last answer."""
    report = shop.land()
    assert report.load_id is not None
    assert shop.landing.rows("SELECT source, rows_read FROM raw.loads") == [("shop", 0)]


def test_a_row_that_joins_the_last_moment_is_not_missed(shop: Shop) -> None:
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.land()
    shop.put(2, "b@example.org", "2026-06-01 10:00:00+00")
    assert shop.land().rows_landed == 1


@pytest.mark.parametrize("kind", ["TIMESTAMPTZ", "TIMESTAMP"])
def test_a_row_that_was_committed_late_is_found_behind_the_cursor(
    postgres_database: str, tmp_path: Path, kind: str
) -> None:
    shop = Shop(postgres_database, tmp_path / "home")
    shop.declare(lag="10 minutes")
    shop.do(f"ALTER TABLE customers ALTER COLUMN changed TYPE {kind}")
    shop.put(1, "a@example.org", "2026-06-01 09:50:30+00")
    shop.put(2, "b@example.org", "2026-06-01 10:00:00+00")
    assert shop.land().rows_landed == 2
    shop.put(3, "c@example.org", "2026-06-01 09:50:01+00")
    shop.put(4, "d@example.org", "2026-06-01 09:49:59+00")
    report = shop.land()
    assert (report.rows_read, report.rows_landed, report.rows_duplicate) == (3, 1, 2)
    assert shop.land().rows_landed == 0


def test_a_column_of_days_lags_by_whole_days(postgres_database: str, tmp_path: Path) -> None:
    shop = Shop(postgres_database, tmp_path / "home")
    shop.do("CREATE TABLE visits (no INTEGER, day DATE)")
    shop.declare(
        table="visits",
        cursor="day",
        lag="30 hours",
        version=None,
        deletes={},
        maps=[{"entity": "customers", "columns": {"contact_id": "no"}}],
    )
    shop.do("INSERT INTO visits VALUES (1, '2026-06-04')")
    assert shop.land().rows_landed == 1
    shop.do("INSERT INTO visits VALUES (2, '2026-06-02'), (3, '2026-06-01')")
    assert shop.land().rows_landed == 1


def test_a_cursor_that_counts_lags_by_a_number(shop: Shop) -> None:
    shop.declare(cursor="no", version=None, lag=2)
    for number in (1, 3, 5):
        shop.put(number, "a@example.org", "2026-06-01 10:00:00+00")
    assert shop.land().rows_landed == 3
    shop.put(4, "a@example.org", "2026-06-01 10:00:00+00")
    shop.put(2, "a@example.org", "2026-06-01 10:00:00+00")
    assert shop.land().rows_landed == 1


def test_a_lag_of_another_kind_than_its_cursor_is_told(shop: Shop) -> None:
    shop.declare(cursor="no", version=None, lag="10 minutes")
    with pytest.raises(SourceFailed, match="column no of customers counts, so its lag is a number"):
        shop.land()
    shop.declare(cursor="changed", version=None, lag=10)
    told = "tells times, so its lag is a duration" if shop.is_postgres else "is text, from which"
    with pytest.raises(SourceFailed, match=f"column changed of customers {told}"):
        shop.land()


def test_a_row_without_a_time_of_change_lands_too(shop: Shop) -> None:
    shop.do("INSERT INTO customers VALUES (7, 'null@example.org', NULL, NULL)")
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    assert shop.land().rows_landed == 2
    assert shop.land().rows_landed == 0


def test_a_table_without_a_cursor_is_read_whole(shop: Shop) -> None:
    shop.declare(cursor=None, version=None)
    shop.put(1, "a@example.org", "2026-06-02 10:00:00+00")
    shop.put(2, "b@example.org", "2026-06-02 10:00:00+00")
    shop.land()
    shop.put(1, "a2@example.org", "2026-06-01 10:00:00+00")
    report = shop.land()
    assert (report.rows_read, report.rows_landed, report.rows_duplicate) == (2, 1, 1)


def test_a_hard_delete_lands_one_tombstone_and_a_return_lands_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.declare(deletes={"compare_every": "0 seconds"})
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.put(2, "b@example.org", "2026-06-02 10:00:00+00")
    shop.land()
    shop.do("DELETE FROM customers WHERE no = 1")
    assert shop.land().rows_landed == 1
    ((payload, is_deleted),) = shop.landing.rows(
        "SELECT payload, is_deleted FROM raw.shop ORDER BY landing_number DESC LIMIT 1"
    )
    # It says again what the row said last, so that whatever the row was part of is found.
    told = json.loads(payload)
    assert (told["no"], told["email"], is_deleted) == ("1", "a@example.org", True)
    assert shop.land().rows_landed == 0
    shop.put(1, "back@example.org", "2026-06-05 10:00:00+00")
    assert shop.land().rows_landed == 1
    shop.do("DELETE FROM customers WHERE no = 1")
    assert shop.land().rows_landed == 1


def test_a_row_without_a_version_that_goes_back_lands_again(shop: Shop) -> None:
    shop.declare(version=None, cursor=None, deletes={"compare_every": "0 seconds"})
    moment = "2026-06-01 10:00:00+00"
    for number, email in enumerate(["a@x.org", "b@x.org", "a@x.org", "a@x.org", "b@x.org"]):
        shop.put(1, email, moment)
        shop.put(2, "other@x.org", moment)
        assert shop.land().rows_landed == (2, 1, 1, 0, 1)[number]
    shop.do("DELETE FROM customers WHERE no = 1")
    assert shop.land().rows_landed == 1
    shop.put(1, "b@x.org", moment)
    assert shop.land().rows_landed == 1
    assert shop.land().rows_landed == 0
    assert [each for each in shop.emails() if each != "other@x.org"] == [
        "a@x.org",
        "b@x.org",
        "a@x.org",
        "b@x.org",
        "b@x.org",
        "b@x.org",
    ]


@pytest.mark.parametrize("email", ["a@example.org", "other@example.org"], ids=["same", "other"])
def test_a_row_that_was_gone_comes_back_under_its_old_version(shop: Shop, email: str) -> None:
    """Restored from a backup, say, or deleted and entered anew with the version counting from 1."""
    shop.declare(deletes={"compare_every": "0 seconds"})
    moment = "2026-06-01 10:00:00+00"
    shop.put(1, "a@example.org", moment)
    shop.put(2, "b@example.org", moment)
    assert shop.land().rows_landed == 2
    for _ in range(2):
        shop.do("DELETE FROM customers WHERE no = 1")
        assert shop.land().rows_landed == 1
        shop.put(1, email, moment)
        report = shop.land()
        assert (report.rows_read, report.rows_landed, report.rows_duplicate) == (2, 1, 1)
        assert shop.newest(1) == (email, False)
        report = shop.land()
        assert (report.rows_landed, report.rows_duplicate) == (0, 2)
    assert shop.landing.reasons() == {}


def test_an_older_version_that_is_read_again_does_not_return(shop: Shop) -> None:
    """Only what was gone comes back; else the version says which of two rows is newer."""
    shop.declare(deletes={"compare_every": "0 seconds"})
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.land()
    shop.put(1, "b@example.org", "2026-06-02 10:00:00+00")
    shop.put(2, "deleted@example.org", "2026-06-02 10:00:00+00")
    shop.land()
    shop.do("DELETE FROM customers WHERE no = 2")
    shop.land()
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    assert shop.land(since=datetime(2026, 6, 1)).rows_landed == 0


def test_what_a_load_says_last_of_a_row_is_what_holds(shop: Shop) -> None:
    """A table without a primary key of its own may tell one row twice."""
    shop.declare(table="seen", version=None, cursor=None, deletes={})
    shop.do("CREATE TABLE seen (no INTEGER, email TEXT)")
    for emails, landed in ((["a"], 1), (["b"], 1), (["a", "b"], 0), (["b", "c", "a"], 2)):
        shop.do("DELETE FROM seen")
        for email in emails:
            shop.do("INSERT INTO seen VALUES (1, :email)", email=email)
        assert shop.land().rows_landed == landed, emails
        assert shop.newest(1) == (emails[-1], False)


def test_keys_and_versions_do_not_run_into_each_other(shop: Shop) -> None:
    shop.do("CREATE TABLE parts (no TEXT, revision TEXT, email TEXT)")
    shop.declare(
        table="parts",
        version="revision",
        cursor=None,
        deletes={"compare_every": "0 seconds"},
        maps=[{"entity": "customers", "columns": {"contact_id": "no", "email": "email"}}],
    )
    for no, revision in (("a", "b:c"), ("a:b", "c"), ("a\nb", "1"), ("a\nc", "1")):
        shop.do("INSERT INTO parts VALUES (:no, :revision, 'x')", no=no, revision=revision)
    assert shop.land().rows_landed == 4
    shop.do("DELETE FROM parts WHERE no = :no", no="a\nb")
    assert shop.land().rows_landed == 1
    assert shop.land().rows_landed == 0


def test_a_table_that_was_emptied_leaves_a_tombstone_for_each_row(shop: Shop) -> None:
    shop.declare(deletes={"compare_every": "0 seconds"})
    for number in range(5):
        shop.put(number, f"{number}@example.org", "2026-06-01 10:00:00+00")
    shop.land()
    shop.do("DELETE FROM customers")
    assert shop.land().rows_landed == 5


def test_keys_are_compared_as_often_as_asked(shop: Shop) -> None:
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.land()
    shop.do("DELETE FROM customers")
    assert shop.land().rows_landed == 0


def test_a_soft_delete_is_a_version(shop: Shop) -> None:
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.land()
    shop.put(1, "a@example.org", "2026-06-02 10:00:00+00", gone="2026-06-02 10:00:00+00")
    assert shop.land().rows_landed == 1


def test_a_range_of_days_is_read_again_and_lands_what_was_missed(shop: Shop) -> None:
    shop.put(1, "a@example.org", "2026-06-10 10:00:00+00")
    shop.land()
    # Came in with a time of change that lies behind the cursor.
    shop.put(2, "late@example.org", "2026-06-05 10:00:00+00")
    assert shop.land().rows_landed == 0
    report = shop.land(since=datetime(2026, 6, 5), until=datetime(2026, 6, 6))
    assert (report.rows_read, report.rows_landed) == (1, 1)
    shop.put(3, "new@example.org", "2026-06-11 10:00:00+00")
    assert shop.land().rows_landed == 1


def test_everything_up_to_a_day_is_read_again(shop: Shop) -> None:
    shop.put(1, "a@example.org", "2026-06-10 10:00:00+00")
    shop.land()
    shop.put(2, "late@example.org", "2026-06-05 10:00:00+00")
    shop.put(3, "new@example.org", "2026-06-11 10:00:00+00")
    report = shop.land(until=datetime(2026, 6, 6))
    assert (report.rows_read, report.rows_landed) == (1, 1)
    # Where the news are known up to is not moved by it.
    assert shop.land().rows_landed == 1


def test_everything_from_a_day_on_is_read_again(shop: Shop) -> None:
    for number, day in enumerate(["2026-06-01", "2026-06-10", "2030-01-01"]):
        shop.put(number, "a@example.org", f"{day} 10:00:00+00")
    # Clocks of servers run ahead: what bears a time of the future is there too.
    assert shop.land(since=datetime(2026, 6, 9)).rows_landed == 2


def test_an_empty_range_is_refused(shop: Shop) -> None:
    with pytest.raises(NoMoment, match="range is empty"):
        shop.land(since=datetime(2026, 6, 6), until=datetime(2026, 6, 5))


def test_a_cursor_that_counts_is_no_clock(shop: Shop) -> None:
    """News are asked for by it; for a range of days all rows are read again."""
    shop.declare(cursor="no", version=None)
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.put(2, "b@example.org", "2026-06-02 10:00:00+00")
    assert shop.land().rows_landed == 2
    shop.put(3, "c@example.org", "2026-06-03 10:00:00+00")
    assert shop.land().rows_read == 2
    shop.put(1, "a2@example.org", "2026-06-04 10:00:00+00")
    report = shop.land(since=datetime(2026, 6, 4), until=datetime(2026, 6, 5))
    assert (report.rows_read, report.rows_landed) == (3, 1)


def test_a_column_of_days_is_asked_for_whole_days(shop: Shop) -> None:
    shop.do("CREATE TABLE visits (no INTEGER, day DATE)")
    shop.declare(
        table="visits",
        cursor="day",
        version=None,
        deletes={},
        maps=[{"entity": "customers", "columns": {"contact_id": "no"}}],
    )
    for number in range(1, 8):
        shop.do(f"INSERT INTO visits VALUES ({number}, '2026-06-0{number}')")
    assert shop.land().rows_landed == 7
    shop.do("INSERT INTO visits VALUES (8, '2026-06-07'), (9, '2026-06-04')")
    assert shop.land().rows_landed == 1
    late = shop.land(since=datetime(2026, 6, 4, 12), until=datetime(2026, 6, 4, 18))
    assert late.rows_landed == 1
    # Text may tell another zone's day, so a day more is read on each side.
    assert late.rows_read == (2 if shop.is_postgres else 4)


@pytest.mark.parametrize("kind", ["DATETIME", "TIMESTAMP", "DATE", "VARCHAR(30)", ""])
@pytest.mark.parametrize("form", ["{} 10:00:00", "{}T10:00:00Z", "{} 10:00:00.000000", "{}"])
def test_moments_of_sqlite_are_text_whatever_their_column_is_called(
    tmp_path: Path, kind: str, form: str
) -> None:
    shop = Shop(f"sqlite:///{tmp_path / 'shop.sqlite'}", tmp_path / "home")
    shop.do("DROP TABLE customers")
    shop.do(f"CREATE TABLE customers (no INTEGER PRIMARY KEY, email TEXT, changed {kind}, gone)")
    shop.declare()
    shop.put(1, "a@example.org", form.format("2026-06-10"))
    assert shop.land().rows_landed == 1
    shop.put(2, "same moment", form.format("2026-06-10"))
    shop.put(3, "late", form.format("2026-06-05"))
    assert shop.land().rows_landed == 1
    assert shop.land(since=datetime(2026, 6, 5), until=datetime(2026, 6, 6)).rows_landed == 1
    assert [row["changed"] for row in shop.landing.payloads("shop")] == [
        form.format(day) for day in ("2026-06-10", "2026-06-10", "2026-06-05")
    ]


def test_columns_may_come_and_go(shop: Shop) -> None:
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.land()
    shop.do("ALTER TABLE customers ADD COLUMN nickname TEXT")
    shop.do("INSERT INTO customers VALUES (2, 'b@x.org', '2026-06-02 10:00:00+00', NULL, 'Bee')")
    assert shop.land().rows_landed == 1
    assert shop.landing.payloads("shop")[-1]["nickname"] == "Bee"
    shop.do("ALTER TABLE customers DROP COLUMN nickname")
    shop.put(3, "c@example.org", "2026-06-03 10:00:00+00")
    assert shop.land().rows_landed == 1
    assert "nickname" not in shop.landing.payloads("shop")[-1]


def test_a_bad_row_costs_no_other(shop: Shop) -> None:
    shop.do("ALTER TABLE customers ADD COLUMN born TEXT")
    shop.declare(
        maps=[{"entity": "customers", "columns": {"contact_id": "no", "birth_date": "born"}}]
    )
    for number, born in enumerate(["1990-01-01", "long ago", "1991-02-29", None]):
        shop.do(
            "INSERT INTO customers VALUES (:no, 'x', '2026-06-01 10:00:00+00', NULL, :born)",
            no=number,
            born=born,
        )
    assert shop.land().rows_landed == 2
    assert shop.landing.reasons() == {"type_mismatch": 2}


def test_a_table_that_is_not_there_is_named(shop: Shop) -> None:
    shop.declare(table="clients")
    with pytest.raises(SourceFailed, match="no table or view called clients"):
        shop.land()
    shop.declare()
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    assert shop.land().rows_landed == 1


def test_a_cursor_that_is_no_column_is_told(shop: Shop) -> None:
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.declare(cursor="modified")
    with pytest.raises(SourceFailed, match="modified"):
        shop.land()


@pytest.mark.parametrize(
    "value",
    ["'; DROP TABLE customers; --", "{{ 1 }}", 'a,b"c\nd', "\u202e\u200b", "é" * 5000, "\\N", ""],
)
def test_text_of_any_kind_arrives_as_it_is(shop: Shop, value: str) -> None:
    shop.put(1, value, "2026-06-01 10:00:00+00")
    shop.land()
    assert shop.emails() == [value]


# --- PostgreSQL alone --------------------------------------------------------------------------


def test_values_of_every_type_arrive_exactly(postgres_database: str, tmp_path: Path) -> None:
    shop = Shop(postgres_database, tmp_path / "home")
    shop.do(
        "CREATE TABLE things (id BIGINT PRIMARY KEY, money NUMERIC(38, 10), real DOUBLE PRECISION, "
        "day DATE, moment TIMESTAMP, zoned TIMESTAMPTZ, flag BOOLEAN, doc JSONB, words TEXT[], "
        "guid UUID, bytes BYTEA, span INTERVAL, huge NUMERIC)"
    )
    shop.do(
        "INSERT INTO things VALUES (9223372036854775807, 1234567890123456789012345678.0123456789, "
        "0.1, '2026-02-28', '2026-03-29 02:30:00.123456', '2026-03-29 02:30:00+05:30', true, "
        """'{"a": [1, {"b": null}]}', '{x,"y z"}', """
        "'6f9619ff-8b86-d011-b42d-00cf4fc964ff', '\\x00ff', '1 day 02:00', 1e100)"
    )
    columns = {"contact_id": "id", "attributes": "doc"}
    shop.landing.declare(
        "shop",
        "database",
        {"url": shop.url},
        things={
            "table": "things",
            "key": ["id"],
            "maps": [{"entity": "contacts", "columns": {"contact_id": columns["contact_id"]}}],
        },
    )
    shop.land()
    (row,) = shop.landing.payloads("shop")
    assert row == {
        "id": "9223372036854775807",
        "money": "1234567890123456789012345678.0123456789",
        "real": "0.1",
        "day": "2026-02-28",
        "moment": "2026-03-29 02:30:00.123456",
        "zoned": "2026-03-28 21:00:00+00",
        "flag": "true",
        "doc": '{"a": [1, {"b": null}]}',
        "words": '{x,"y z"}',
        "guid": "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "bytes": "\\x00ff",
        "span": "1 day 02:00:00",
        "huge": "1" + "0" * 100,
    }


def test_many_rows_come_in_batches_and_all_are_counted(
    postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion import database

    monkeypatch.setattr(database, "CHUNK", 1_000)
    shop = Shop(postgres_database, tmp_path / "home")
    shop.declare()
    shop.do(
        "INSERT INTO customers SELECT n, n || '@example.org', "
        "TIMESTAMPTZ '2026-06-01' + n * INTERVAL '1 second', NULL FROM generate_series(1, 4500) n"
    )
    assert shop.land().rows_landed == 4500
    assert shop.land().rows_read == 1


def test_a_server_in_another_zone_tells_the_same_moments(
    postgres_database: str, tmp_path: Path
) -> None:
    shop = Shop(postgres_database, tmp_path / "home")
    shop.declare()
    name = postgres_database.rpartition("/")[2]
    shop.do(f"ALTER DATABASE \"{name}\" SET timezone TO 'Asia/Kolkata'")
    shop.engine.dispose()
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.land()
    assert shop.landing.rows("SELECT occurred_at FROM raw.shop") == [(datetime(2026, 6, 1, 10),)]
    report = shop.land(since=datetime(2026, 6, 1, 9, 30), until=datetime(2026, 6, 1, 10, 30))
    assert report.rows_read == 1


def test_a_range_of_days_is_meant_on_the_clocks_of_the_source(
    postgres_database: str, tmp_path: Path
) -> None:
    """Times without a zone are Berlin's here: 10:00 UTC is noon there in June."""
    shop = Shop(postgres_database, tmp_path / "home")
    shop.declare()
    shop.landing.sources["shop"]["options"]["timezone"] = "Europe/Berlin"
    shop.do("ALTER TABLE customers ALTER COLUMN changed TYPE TIMESTAMP")
    shop.put(1, "a@example.org", "2026-06-01 12:00:00")
    shop.land()
    hour = {"since": datetime(2026, 6, 1, 9, 30), "until": datetime(2026, 6, 1, 10, 30)}
    assert shop.land(**hour).rows_read == 1
    late = {"since": datetime(2026, 6, 1, 11, 30), "until": datetime(2026, 6, 1, 12, 30)}
    assert shop.land(**late).rows_read == 0


def test_a_role_that_may_only_read_is_enough(postgres_database: str, tmp_path: Path) -> None:
    shop = Shop(postgres_database, tmp_path / "home")
    shop.declare()
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    shop.do("DROP ROLE IF EXISTS reader")
    shop.do("CREATE ROLE reader LOGIN PASSWORD 'reads'")
    shop.do("GRANT SELECT ON customers TO reader")
    url = shop.engine.url.set(username="reader", password="reads")
    shop.landing.sources["shop"]["options"]["url"] = url.render_as_string(hide_password=False)
    assert shop.land().rows_landed == 1
    shop.do("DROP OWNED BY reader")
    shop.do("DROP ROLE reader")


@pytest.mark.parametrize("wrong", ["password", "port", "database"])
def test_a_server_that_refuses_or_is_away_is_told_without_the_password(
    postgres_database: str, tmp_path: Path, wrong: str
) -> None:
    shop = Shop(postgres_database, tmp_path / "home")
    shop.declare()
    right = shop.engine.url
    url = {
        "password": right.set(password="canary-wrong"),
        "port": right.set(port=1),
        "database": right.set(database="nowhere"),
    }[wrong]
    shop.landing.sources["shop"]["options"]["url"] = url.render_as_string(hide_password=False)
    with pytest.raises(SourceFailed, match="could not be reached, or refused") as caught:
        shop.land()
    assert str(url.password) not in repr(caught.value)
    shop.declare()
    shop.put(1, "a@example.org", "2026-06-01 10:00:00+00")
    assert shop.land().rows_landed == 1
