"""Files that arrive, grow, change and break off: each row lands once, and all are accounted for."""

from __future__ import annotations

import gzip
import io
import json
import os
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from ingestion.files import ledger
from tests.ingestion.landing import AS_OF, Landing, event, events, lines


def states(landing: Landing) -> list[tuple[str, str]]:
    return [
        (str(path), str(state))
        for path, state in landing.rows("SELECT path, state FROM raw.files ORDER BY noticed_at")
    ]


def test_landing_again_lands_nothing_twice(landing: Landing) -> None:
    landing.put("a.ndjson", events(0, 5))
    assert landing.has_news()
    assert landing.land().rows_landed == 5
    assert not landing.has_news()
    again = landing.land()
    assert (again.rows_read, again.rows_landed) == (0, 0)
    assert landing.landed() == 5


def test_the_same_rows_under_another_name_are_duplicates(landing: Landing) -> None:
    landing.put("a.ndjson", events(0, 5))
    landing.land()
    landing.put("copy/of/a.ndjson.gz", gzip.compress(events(0, 6)))
    report = landing.land()
    assert (report.rows_read, report.rows_landed, report.rows_duplicate) == (6, 1, 5)


def test_of_a_file_that_grew_only_the_new_lines_are_read(landing: Landing) -> None:
    landing.put("a.ndjson", events(0, 5))
    landing.land()
    landing.append("a.ndjson", events(5, 8))
    report = landing.land()
    assert (report.rows_read, report.rows_landed) == (3, 3)
    assert states(landing) == [("a.ndjson", "taken"), ("a.ndjson", "appended")]


def test_a_last_line_without_its_end_is_a_row_and_is_read_again_when_it_grew(
    landing: Landing,
) -> None:
    landing.put("a.ndjson", events(0, 2) + json.dumps(event(2)).encode())
    assert landing.land().rows_landed == 3
    landing.append("a.ndjson", b"\n" + events(3, 4))
    report = landing.land()
    assert (report.rows_landed, report.rows_duplicate) == (1, 1)
    assert landing.landed() == 4


def test_half_a_line_that_is_finished_later_lands_whole(landing: Landing) -> None:
    whole = json.dumps(event(2)).encode()
    landing.put("a.ndjson", events(0, 2) + whole[:20])
    first = landing.land()
    assert (first.rows_landed, first.rows_quarantined) == (2, 1)
    landing.append("a.ndjson", whole[20:] + b"\n")
    landing.land()
    assert landing.landed() == 3


def test_a_file_that_was_rewritten_is_noticed_and_read_whole(landing: Landing) -> None:
    landing.put("a.ndjson", events(0, 3))
    landing.land()
    landing.put("a.ndjson", events(10, 14))
    assert landing.land().rows_landed == 4
    assert states(landing)[-1] == ("a.ndjson", "rewritten")
    assert landing.landed() == 7


def test_a_file_that_was_truncated_is_noticed_and_loses_nothing(landing: Landing) -> None:
    landing.put("a.ndjson", events(0, 5))
    landing.land()
    landing.put("a.ndjson", events(0, 2))
    report = landing.land()
    assert (report.rows_read, report.rows_duplicate) == (2, 2)
    assert states(landing)[-1] == ("a.ndjson", "truncated")
    assert landing.landed() == 5


def test_a_file_that_a_pattern_finds_in_two_ways_is_read_once(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.put("a/b/c/one.ndjson", events(0, 5))
    found = list(ledger._in_folder(str(landing.settings.landing_dir / "web"), "**/*/**/*.ndjson"))
    assert len(found) > 1
    monkeypatch.setattr(ledger, "_in_folder", lambda *_: iter(found))
    report = landing.land()
    assert (report.rows_read, report.rows_landed, report.rows_duplicate) == (5, 5, 0)


def test_a_file_that_was_only_touched_is_not_read(landing: Landing) -> None:
    path = landing.put("a.ndjson", events(0, 2))
    landing.land()
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 100))
    assert not landing.has_news()
    assert landing.land().rows_read == 0


def test_a_file_that_was_touched_is_looked_through_once(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = landing.put("a.ndjson", events(0, 2))
    landing.land()
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert not landing.has_news()
    looks: list[object] = []
    monkeypatch.setattr(ledger, "fingerprint", lambda *asked: looks.append(asked))
    assert not landing.has_news()
    assert looks == []


@pytest.mark.parametrize(
    "name", ["a.ndjson.tmp", "a.part", ".a.ndjson", "_a.ndjson", "_temporary/a.ndjson"]
)
def test_what_is_still_being_written_is_left_alone(landing: Landing, name: str) -> None:
    landing.put(name, events(0, 2))
    assert not landing.has_news()
    assert landing.land().rows_read == 0


def test_a_file_is_taken_only_when_it_has_been_left_alone_for_a_while(landing: Landing) -> None:
    landing.declare_events(settle="10 minutes")
    path = landing.put("a.ndjson", events(0, 2))
    assert not landing.has_news()
    old = datetime.now(UTC) - timedelta(minutes=11)
    os.utime(path, (old.timestamp(), old.timestamp()))
    assert landing.land().rows_landed == 2


def test_compression_that_breaks_off_is_told_and_read_again_when_it_is_whole(
    landing: Landing,
) -> None:
    whole = gzip.compress(events(0, 4000))
    landing.put("a.ndjson.gz", whole[: len(whole) // 2])
    first = landing.land()
    assert 0 < first.rows_landed < 4000
    assert landing.reasons() == {"truncated_file": 1}
    assert states(landing) == [("a.ndjson.gz", "incomplete")]
    landing.put("a.ndjson.gz", whole)
    landing.land()
    assert landing.landed() == 4000


def test_a_file_of_several_gzip_members_is_read_to_its_end(landing: Landing) -> None:
    landing.put("a.ndjson.gz", gzip.compress(events(0, 2)) + gzip.compress(events(2, 5)))
    assert landing.land().rows_landed == 5


@pytest.mark.parametrize(
    ("form", "encoded"),
    [
        ("byte-order mark", b"\xef\xbb\xbf" + events(0, 3)),
        ("UTF-16 little", events(0, 3).decode().encode("utf-16")),
        ("UTF-16 big", b"\xfe\xff" + events(0, 3).decode().encode("utf-16-be")),
        ("Windows line ends", events(0, 3).replace(b"\n", b"\r\n")),
        ("blank lines", b"\n\n" + events(0, 3).replace(b"\n", b"\n\n") + b"\n"),
    ],
)
def test_the_forms_of_a_text_file_do_not_matter(
    landing: Landing, form: str, encoded: bytes
) -> None:
    landing.put("a.ndjson", encoded)
    report = landing.land()
    assert (report.rows_landed, report.rows_quarantined) == (3, 0), form


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n\n", b"\xef\xbb\xbf", gzip.compress(b"")],
    ids=["no bytes", "blank lines", "a mark of its encoding", "compressed nothing"],
)
def test_an_empty_file_is_recorded_and_done_with(landing: Landing, content: bytes) -> None:
    landing.put("a.ndjson", content)
    assert landing.land().rows_read == 0
    assert states(landing) == [("a.ndjson", "taken")]
    assert not landing.has_news()


def test_the_envelope_says_where_a_row_stood_and_when(landing: Landing) -> None:
    landing.put("day/a.ndjson", b"\n" + lines(event(0, receivedAt="2026-06-29T12:00:05.250Z")))
    before = datetime.now(UTC).replace(tzinfo=None)
    landing.land()
    (row,) = landing.rows(
        "SELECT stream, row_key, position, occurred_at, received_at, landed_at, is_deleted, "
        "load_id = (SELECT load_id FROM raw.loads), landing_number, "
        "payload_hash = md5(payload) FROM raw.web"
    )
    assert row[:3] == ("events", "m:message-0", "day/a.ndjson:2")
    assert row[3:5] == (AS_OF - timedelta(days=1), datetime(2026, 6, 29, 12, 0, 5, 250_000))
    assert row[5] >= before
    assert row[6:] == (False, True, 1, True)


def test_a_device_whose_clock_is_wrong_is_set_right(landing: Landing) -> None:
    """timestamp = receivedAt - (sentAt - originalTimestamp), as the spec has it."""
    skewed = event(
        0,
        timestamp=None,
        originalTimestamp="2031-01-01T00:00:00Z",
        sentAt="2031-01-01T00:00:10Z",
        receivedAt="2026-06-29T10:00:10Z",
    )
    landing.put("a.ndjson", lines(skewed))
    landing.land()
    assert landing.rows("SELECT occurred_at FROM raw.web") == [(datetime(2026, 6, 29, 10),)]


@pytest.mark.parametrize("call", ["identify", "track", "page", "screen", "group", "alias", "TRACK"])
def test_all_six_calls_land_whatever_their_letters(landing: Landing, call: str) -> None:
    landing.put("a.ndjson", lines(event(0, type=call)))
    assert landing.land().rows_landed == 1


def test_names_with_underscores_are_understood(landing: Landing) -> None:
    message = {"type": "track", "message_id": "m", "anonymous_id": "d", "event": "x"}
    landing.put("a.ndjson", lines(message, {**message, "message_id": "n", "user_id": 17}))
    assert landing.land().rows_landed == 2
    assert landing.rows("SELECT row_key FROM raw.web ORDER BY 1") == [("m:m",), ("m:n",)]


def test_parquet_of_messages_lands_as_the_same_messages(landing: Landing) -> None:
    frame = pd.DataFrame(
        [
            {
                "messageId": f"p-{number}",
                "type": "track",
                "event": "Product Viewed",
                "anonymousId": "device",
                "timestamp": "2026-06-29T10:00:00Z",
                "properties": {"price": 1.5, "tags": ["a", "b"]},
            }
            for number in range(3)
        ]
    )
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    landing.put("a.parquet", buffer.getvalue())
    assert landing.land().rows_landed == 3
    first = landing.payloads()[0]
    assert first["properties"] == {"price": 1.5, "tags": ["a", "b"]}
    assert first["messageId"] == "p-0"


CONTACTS = [
    {"Id": "1", "Mail": "ada@example.org", "Name": "Ada, Countess", "Changed": "2026-06-01 10:00"},
    {"Id": "2", "Mail": "bob@example.org", "Name": 'Bob "B"', "Changed": "2026-06-02 10:00"},
]


def declare_contacts(landing: Landing, form: str, **options: object) -> None:
    landing.declare(
        "crm",
        "files",
        {"location": "{home}/landing/crm", "settle": "0 seconds", **options},
        contacts={
            "files": "*",
            "format": form,
            "key": ["Id"],
            "version": "Changed",
            "maps": [
                {
                    "entity": "contacts",
                    "columns": {
                        "contact_id": "Id",
                        "email": "Mail",
                        "first_name": "Name",
                        "updated_at": "Changed",
                    },
                }
            ],
        },
    )


def as_file(form: str) -> bytes:
    frame = pd.DataFrame(CONTACTS)
    if form == "csv":
        return frame.to_csv(index=False).encode()
    if form == "json":
        return json.dumps(CONTACTS, indent=1).encode()
    if form == "ndjson":
        return lines(*CONTACTS)
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "parquet"])
def test_rows_of_every_format_land_with_their_values_as_they_were(
    landing: Landing, form: str
) -> None:
    declare_contacts(landing, form)
    landing.put(f"contacts.{form}", as_file(form), "crm")
    assert landing.land("crm").rows_landed == 2
    assert landing.payloads("crm") == CONTACTS
    assert landing.land("crm").rows_read == 0


def test_a_new_version_of_a_row_lands_beside_the_old_one(landing: Landing) -> None:
    declare_contacts(landing, "csv")
    landing.put("one.csv", as_file("csv"), "crm")
    landing.land("crm")
    changed = pd.DataFrame([{**CONTACTS[0], "Mail": "ada@new.example", "Changed": "2026-06-03"}])
    landing.put("two.csv", changed.to_csv(index=False).encode(), "crm")
    assert landing.land("crm").rows_landed == 1
    assert landing.landed("crm") == 3


def test_the_same_version_with_other_content_is_a_conflict_and_the_first_stays(
    landing: Landing,
) -> None:
    declare_contacts(landing, "ndjson")
    landing.put("one.ndjson", lines(CONTACTS[0]), "crm")
    landing.land("crm")
    landing.put("two.ndjson", lines({**CONTACTS[0], "Mail": "other@example.org"}), "crm")
    landing.land("crm")
    assert landing.reasons() == {"key_conflict": 1}
    assert landing.payloads("crm") == [CONTACTS[0]]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"Mail": "x@example.org", "Changed": "2026-06-01"}, "missing_key"),
        ({"Id": "  ", "Changed": "2026-06-01"}, "missing_key"),
        ({"Id": "3", "Changed": "the day before"}, "type_mismatch"),
    ],
)
def test_rows_that_break_the_contract_are_kept_out_with_a_reason(
    landing: Landing, row: dict[str, str], reason: str
) -> None:
    declare_contacts(landing, "ndjson")
    landing.put("one.ndjson", lines(CONTACTS[0], row, CONTACTS[1]), "crm")
    assert landing.land("crm").rows_landed == 2
    assert landing.reasons() == {reason: 1}


def test_lines_of_csv_that_do_not_fit_its_header_cost_nobody_else(landing: Landing) -> None:
    declare_contacts(landing, "csv")
    good = as_file("csv").decode().splitlines()
    text = "\n".join([good[0], good[1], "3,only two", "4,a,b,c,d,e,f", good[2]]) + "\n"
    landing.put("contacts.csv", text.encode(), "crm")
    assert landing.land("crm").rows_landed == 2
    assert landing.reasons() == {"malformed_row": 2}


def test_text_in_quotes_may_run_over_lines(landing: Landing) -> None:
    declare_contacts(landing, "csv", delimiter=";")
    text = 'Id;Mail;Name;Changed\n1;a@example.org;"Ada\nof ""Kent"";";2026-06-01\n'
    landing.put("contacts.csv", text.encode(), "crm")
    assert landing.land("crm").rows_landed == 1
    assert landing.payloads("crm")[0]["Name"] == 'Ada\nof "Kent";'


@pytest.mark.parametrize(
    ("form", "content"),
    [("parquet", b"PAR1 and no more"), ("json", b'[{"Id": "1"}, {"Id"'), ("parquet", b"")],
)
def test_a_file_of_another_format_is_kept_out_and_the_next_run_is_fine(
    landing: Landing, form: str, content: bytes
) -> None:
    declare_contacts(landing, form)
    landing.put(f"bad.{form}", content, "crm")
    landing.land("crm")
    assert set(landing.reasons()) <= {"unreadable_file", "truncated_file", "malformed_json"}
    assert content == b"" or landing.reasons()
    landing.put(f"good.{form}", as_file(form), "crm")
    landing.land("crm")
    assert landing.landed("crm") >= 2


def test_days_can_be_read_again_and_land_nothing_twice(landing: Landing) -> None:
    landing.put("2026-06-01.ndjson", events(0, 3))
    landing.put("2026-06-02.ndjson", events(3, 5))
    landing.land()
    report = landing.land(since=datetime(2026, 6, 2), until=datetime(2026, 6, 3))
    assert (report.rows_read, report.rows_duplicate) == (2, 2)


def test_rows_that_are_read_and_refused_again_stay_in_quarantine_once(landing: Landing) -> None:
    changed = event(0, event="Other") | {"properties": {"product_id": "other"}}
    refused = b"{broken\n" + b"{broken\n" + json.dumps(changed).encode() + b"\n"
    landing.put("2026-06-01.ndjson", events(0, 1) + refused)
    landing.land()
    kept = landing.rows("SELECT * FROM raw.quarantine ORDER BY ALL")
    assert landing.reasons() == {"malformed_json": 2, "key_conflict": 1}
    report = landing.land(since=datetime(2026, 6, 1))
    assert (report.rows_duplicate, report.rows_quarantined) == (4, 0)
    # Written anew with another row in the second place: only that one is new.
    landing.put("2026-06-01.ndjson", events(0, 1) + refused.replace(b"{broken", b"[broken", 1))
    report = landing.land()
    assert (report.rows_duplicate, report.rows_quarantined) == (3, 1)
    assert set(kept) < set(landing.rows("SELECT * FROM raw.quarantine"))
    # A copy under another name is another delivery.
    landing.put("2026-06-02.ndjson", refused)
    assert landing.land().rows_quarantined == 3


def test_another_damaged_file_in_the_place_of_one_is_kept_out_too(landing: Landing) -> None:
    """What could not be read of either has no bytes by which they could be told apart."""
    for number in (1, 2):
        landing.put("2026-06-01.parquet", b"no parquet " * number)
        report = landing.land()
        assert (report.rows_duplicate, report.rows_quarantined) == (0, 1)
        report = landing.land(since=datetime(2026, 6, 1))
        assert (report.rows_duplicate, report.rows_quarantined) == (1, 0)
    assert landing.reasons() == {"unreadable_file": 2}


@pytest.mark.parametrize(
    ("path", "zone", "is_meant"),
    [
        ("2026-06-02.ndjson", "UTC", True),
        ("2026-06-01.ndjson", "UTC", False),
        ("2026-06-03.ndjson", "UTC", False),
        ("2026/06/02/part-0.ndjson", "UTC", True),
        ("year=2026/month=06/day=02/part-0.ndjson", "UTC", True),
        ("june-2026-06-01-to-2026-06-30.ndjson", "UTC", True),
        ("20260602T101500.ndjson", "UTC", True),
        # The first of June ends in New York four hours after it ends in UTC.
        ("2026-06-01.ndjson", "America/New_York", True),
        ("2026-06-03.ndjson", "Asia/Tokyo", True),
        ("2026-06-03.ndjson", "America/New_York", False),
    ],
)
def test_a_range_takes_the_files_whose_days_it_touches(
    landing: Landing, path: str, zone: str, is_meant: bool
) -> None:
    landing.declare_events(timezone=zone)
    landing.put(path, events(0, 3))
    report = landing.land(since=datetime(2026, 6, 2), until=datetime(2026, 6, 3))
    assert report.rows_read == (3 if is_meant else 0)


def test_many_small_files_land_in_one_load(landing: Landing) -> None:
    for number in range(60):
        landing.put(f"{number:03}.ndjson", events(number, number + 1))
    assert landing.land().rows_landed == 60
    assert landing.rows("SELECT count(*) FROM raw.loads") == [(1,)]
