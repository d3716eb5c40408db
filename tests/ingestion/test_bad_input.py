"""Bad input: each row lands or is kept out with a reason, and its neighbours land.

All cases lie in one folder that is landed once; each test looks at its own rows. The cases are
those that collectors, SDKs and attackers are known to send.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ingestion.envelope import MAX_ROW_BYTES
from tests.ingestion.landing import Landing, event, events, lines

DEEP_50 = b'{"a":' * 48 + b"1" + b"}" * 48
HOSTILE_TEXTS = {
    "sql": "'; DROP TABLE raw.web; --",
    "jinja": "{{ config(materialized='view') }}{% raw %}{{ 1/0 }}",
    "html": "<script>alert(1)</script>",
    "formula": '=HYPERLINK("http://evil.example")',
    "path": "../../../../etc/passwd",
    "format": "%s %n {0} {home} ${HOME}",
    "right-to-left": "\u202egro.elpmaxe",
    "zero width": "ad\u200ba@example.org",
    "line separator": "one\u2028two\u2029three",
    "line ends": "one\r\ntwo",
    "emoji": "👩‍👩‍👧‍👦",
    "control": "\u0001\u001f\u007f",
    "quotes": "\"''\"\\",
}


def raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def told(number: int, **changes: Any) -> bytes:
    """An event with changes, as bytes."""
    return json.dumps(event(number, **changes)).encode()


def spliced(number: int, inner: str | bytes) -> bytes:
    """An event with a member written by hand at its end."""
    return told(number)[:-1] + b"," + raw(inner) + b"}"


REFUSED: dict[str, tuple[bytes, str]] = {
    "an escaped NUL in a value": (spliced(1, r'"x":"a\u0000b"'), "nul_byte"),
    "an escaped NUL in a key": (spliced(2, r'"a\u0000b":1'), "nul_byte"),
    "a bare NUL": (told(3)[:-1] + b',"x":"a\x00b"}', "nul_byte"),
    "a lone surrogate": (spliced(4, r'"x":"\ud800"'), "invalid_utf8"),
    "a low surrogate first": (spliced(5, r'"x":"\udc00\ud800"'), "invalid_utf8"),
    "bytes that are no UTF-8": (told(6)[:-1] + b',"x":"\xff\xfe"}', "invalid_utf8"),
    "an overlong encoding": (told(7)[:-1] + b',"x":"\xc0\xaf"}', "invalid_utf8"),
    "null": (b"null", "not_an_object"),
    "a bare text": (b'"hello"', "not_an_object"),
    "a bare number": (b"42", "not_an_object"),
    "a list at the top": (b"[" + told(8) + b"]", "not_an_object"),
    "an empty object": (b"{}", "unknown_type"),
    "a trailing comma": (told(9)[:-1] + b",}", "malformed_json"),
    "a trailing comma in a list": (spliced(10, '"x":[1,2,]'), "malformed_json"),
    "NaN": (spliced(11, '"x":NaN'), "malformed_json"),
    "Infinity": (spliced(12, '"x":-Infinity'), "malformed_json"),
    "a comment": (spliced(13, '/* no */ "x":1'), "malformed_json"),
    "single quotes": (b"{'type':'track'}", "malformed_json"),
    "half a row": (told(14)[:40], "malformed_json"),
    "two rows in one line": (told(15) + told(16), "malformed_json"),
    "text after the row": (told(17) + b" and more", "malformed_json"),
    "no JSON at all": (b"GET / HTTP/1.1", "malformed_json"),
    "a key that stands twice": (spliced(18, '"type":"identify"'), "duplicate_key_in_object"),
    "a trait that stands twice": (
        spliced(41, '"traits":{"email":"a@example.org","name":"A","email":"b@example.org"}'),
        "duplicate_key_in_object",
    ),
    "a trait of the context that stands twice": (
        spliced(42, '"context":{"traits":{"email":"a@example.org","email":"b@example.org"}}'),
        "duplicate_key_in_object",
    ),
    "a property that stands twice": (
        spliced(43, '"properties":{"revenue":1,"revenue":100}'),
        "duplicate_key_in_object",
    ),
    "an unknown type": (told(19, type="purchase"), "unknown_type"),
    "a type that is a number": (told(20, type=7), "unknown_type"),
    "no type": (told(21, type=None), "unknown_type"),
    "objects 5,000 deep": (spliced(22, b'"x":' + b'{"a":' * 5000 + b"1" + b"}" * 5000), "too_deep"),
    "lists 5,000 deep": (spliced(23, b'"x":' + b"[" * 5000 + b"]" * 5000), "too_deep"),
    "lists that never close": (spliced(24, b'"x":' + b"[" * 5000), "too_deep"),
    "a value of 20 MB": (spliced(25, b'"x":"' + b"a" * 20_000_000 + b'"'), "too_large"),
    "nobody's event": (told(26, anonymousId=None), "missing_identity"),
    "blank ids": (told(27, anonymousId="  ", userId=""), "missing_identity"),
    "a boolean id": (told(28, anonymousId=True), "missing_identity"),
    "an object as id": (told(29, anonymousId={"id": 1}), "missing_identity"),
    "a list as id": (told(30, anonymousId=["a"]), "missing_identity"),
    "a boolean message id": (told(31, messageId=False), "bad_message_id"),
    "an object as message id": (told(32, messageId={"a": 1}), "bad_message_id"),
    "a message id of 10,000 letters": (told(33, messageId="m" * 10_000), "bad_message_id"),
    "the year 1": (told(34, timestamp="0001-01-01T00:00:00Z"), "time_out_of_range"),
    "the year 99999": (told(35, timestamp="99999-01-01T00:00:00Z"), "time_out_of_range"),
    "a month ahead": (told(36, timestamp="2027-12-30T12:00:00Z"), "time_out_of_range"),
    "no time at all in the time": (told(37, timestamp="yesterday"), "unreadable_time"),
    "twelve digits that are no time": (told(39, timestamp=980000000000), "unreadable_time"),
    "the end of all time": (told(40, timestamp="infinity"), "unreadable_time"),
    "a day that is none": (told(38, timestamp="2026-02-30T00:00:00Z"), "unreadable_time"),
}

LANDS: dict[str, bytes] = {
    "objects 50 deep": spliced(101, b'"x":' + DEEP_50),
    "keys that differ by case": spliced(102, '"Type":"identify","TYPE":1'),
    "keys alike after normalisation": spliced(103, '"some_key":1,"someKey":2,"Some Key":3'),
    "a key that stands twice where nobody reads": spliced(120, '"x":{"a":1,"a":2}'),
    "the same keys in several objects": spliced(
        121, '"traits":{"email":"a@example.org"},"context":{"email":1,"traits":{"email":"b@c.de"}}'
    ),
    "an empty key": spliced(104, '"":1'),
    "a key of 5,000 letters": spliced(105, '"' + "k" * 5000 + '":1'),
    "emoji as keys": spliced(106, '"👍":{"🎉":1}'),
    "a list of mixed types": spliced(107, '"x":[1,"a",null,{"b":[]},2.5]'),
    "2^63": spliced(108, f'"x":{2**63}'),
    "10^30": spliced(109, f'"x":{10**30}'),
    "a number of 400 digits": spliced(110, f'"x":{"9" * 400}'),
    "the loader's own column": spliced(111, '"_dlt_id":"x","_dlt_load_id":"y"'),
    "__proto__": spliced(112, '"__proto__":{"admin":true},"constructor":1'),
    "an escaped backslash before u0000": spliced(113, r'"x":"a\\u0000b"'),
    "a pair of surrogates": spliced(114, r'"x":"\ud83d\ude00"'),
    "a text that looks like NaN": spliced(115, '"x":"[NaN, Infinity ,}"'),
    "properties that are a text": told(116, properties="no object"),
    "properties that are a list": told(117, properties=[1, 2]),
    "traits that are a number": told(118, type="identify", traits=7),
    "no message id": told(119, messageId=None),
    "a null message id": spliced(120, '"other":null').replace(b'"message-120"', b"null"),
    "a number as message id": told(121, messageId=121),
    "a number as id": told(122, anonymousId=4711),
    "a word that means nobody as id": told(123, userId="undefined"),
    "an alias to oneself": told(124, type="alias", userId="u", previousId="u"),
    "a time without zone": told(125, timestamp="2026-06-01 10:00:00"),
    "a time with an offset": told(126, timestamp="2026-06-01T10:00:00+02:00"),
    "a fraction behind a comma": told(150, timestamp="2026-06-01T10:00:00,250Z"),
    "a fraction and no separators": told(151, timestamp="20260601T100000.25Z"),
    "an epoch in milliseconds": told(127, timestamp=1780308000000),
    "an epoch in seconds": told(128, timestamp=1780308000),
    "an epoch as text": told(129, timestamp="1780308000000"),
    "a time of twelve digits": told(140, timestamp=202606011000),
    "a time of fourteen digits": told(141, timestamp="20260601100007"),
    "a collector at the end of all time": told(142, receivedAt="infinity"),
    "no time": told(130, timestamp=None),
    "ten years late": told(131, timestamp="2016-06-01T10:00:00Z"),
    "a day ahead": told(132, timestamp="2026-07-01T10:00:00Z"),
    "upper-case type": told(133, type="Track"),
    "only an e-mail": told(134, anonymousId=None, type="identify", traits={"email": "a@b.example"}),
    "blanks around the row": b"  \t" + told(135) + b" \t ",
    "escaped letters": told(136).replace(b"track", rb"tr\u0061ck"),
    "200,000 members": spliced(
        137, '"x":{' + ",".join(f'"k{n}":{n}' for n in range(200_000)) + "}"
    ),
    **{
        f"hostile text as value: {name}": told(200 + number, event=text, userId=text)
        for number, (name, text) in enumerate(HOSTILE_TEXTS.items())
    },
    **{
        f"hostile text as key: {name}": spliced(300 + number, json.dumps(text) + ":1")
        for number, (name, text) in enumerate(HOSTILE_TEXTS.items())
    },
    **{
        f"hostile text as message id: {name}": told(400 + number, messageId=f"{number}{text}")
        for number, (name, text) in enumerate(HOSTILE_TEXTS.items())
    },
}

TIMES = {
    "a time without zone": "2026-06-01 10:00:00",
    "a time with an offset": "2026-06-01 08:00:00",
    "a fraction behind a comma": "2026-06-01 10:00:00.250000",
    "a fraction and no separators": "2026-06-01 10:00:00.250000",
    "an epoch in milliseconds": "2026-06-01 10:00:00",
    "an epoch in seconds": "2026-06-01 10:00:00",
    "a time of twelve digits": "2026-06-01 10:00:00",
    "a time of fourteen digits": "2026-06-01 10:00:07",
    "an epoch as text": "2026-06-01 10:00:00",
}


def file_of(case: str, number: int) -> str:
    return f"{number:03} {case.replace('/', ' ')[:40]}.ndjson"


ALL = {**{case: row for case, (row, _) in REFUSED.items()}, **LANDS}
FILES = {case: file_of(case, number) for number, case in enumerate(ALL)}


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    """Every case in a file of its own between two good neighbours, landed once."""
    landing = Landing(tmp_path_factory.mktemp("bad") / "home")
    landing.declare_events()
    for number, (case, row) in enumerate(ALL.items()):
        neighbour = 10_000 + number * 2
        content = lines(event(neighbour)) + row + b"\n" + lines(event(neighbour + 1))
        landing.put(FILES[case], content)
    landing.land()
    return landing


@pytest.fixture(scope="module")
def fates(landed: Landing) -> dict[str, tuple[Any, ...]]:
    """By position: (None, payload) of what landed, (reason, raw bytes) of what was kept out."""
    rows = landed.rows(
        "SELECT position, NULL, encode(payload), occurred_at FROM raw.web UNION ALL "
        "SELECT position, reason, raw_bytes, NULL FROM raw.quarantine"
    )
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("case", REFUSED)
def test_kept_out_with_its_reason_and_its_bytes(
    fates: dict[str, tuple[Any, ...]], case: str
) -> None:
    row, reason = REFUSED[case]
    found, kept, *_ = fates[f"{FILES[case]}:2"]
    assert found == reason
    # Of a line that is longer than any row, what shows it may be all.
    assert kept == (row if len(row) <= MAX_ROW_BYTES else row[: max(MAX_ROW_BYTES + 1, len(kept))])


@pytest.mark.parametrize("case", LANDS)
def test_lands_as_it_came(fates: dict[str, tuple[Any, ...]], case: str) -> None:
    assert fates[f"{FILES[case]}:2"][:2] == (None, LANDS[case])


@pytest.mark.parametrize("case", TIMES)
def test_times_are_read_in_every_form(fates: dict[str, tuple[Any, ...]], case: str) -> None:
    assert str(fates[f"{FILES[case]}:2"][2]) == TIMES[case]


@pytest.mark.parametrize("case", ALL)
def test_the_neighbours_land(fates: dict[str, tuple[Any, ...]], case: str) -> None:
    for line in (1, 3):
        assert fates[f"{FILES[case]}:{line}"][0] is None


def test_the_next_run_reads_nothing_of_it_again_and_lands_what_is_new(landed: Landing) -> None:
    landed.put("zzz.ndjson", events(50_000, 50_003))
    report = landed.land()
    assert (report.rows_read, report.rows_landed) == (3, 3)


def test_no_reason_tells_a_value(landed: Landing) -> None:
    details = landed.rows("SELECT DISTINCT detail FROM raw.quarantine WHERE detail IS NOT NULL")
    assert all(len(detail) < 200 and "device-" not in detail for (detail,) in details)


@pytest.mark.parametrize(
    ("first", "second", "fate"),
    [
        (event(1), event(1), "duplicate"),
        (event(1), event(1, event="Other"), "key_conflict"),
        (event(1), event(2, event="Product Viewed", messageId="message-1x"), "landed"),
    ],
    ids=["same id, same content", "same id, other content", "other id"],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one load", "in two loads"])
def test_what_a_second_row_of_a_key_becomes(
    landing: Landing, first: Any, second: Any, fate: str, together: bool
) -> None:
    landing.put("a.ndjson", lines(first))
    if not together:
        landing.land()
    landing.put("b.ndjson", lines(second))
    report = landing.land()
    assert report.rows_duplicate == (fate == "duplicate")
    assert report.rows_quarantined == (fate == "key_conflict")
    assert landing.payloads()[0] == first


@pytest.mark.parametrize(
    "name", ["'; DROP TABLE raw.web; --.ndjson", "ä ö 👍.ndjson", "a%2e.ndjson"]
)
def test_hostile_file_names_are_names(landing: Landing, name: str) -> None:
    landing.put(name, events(0, 2))
    assert landing.land().rows_landed == 2
    assert landing.rows("SELECT path FROM raw.files") == [(name,)]


def test_a_link_that_leads_nowhere_costs_nobody_else(landing: Landing, tmp_path: Path) -> None:
    landing.put("a.ndjson", events(0, 1))
    link = landing.home / "landing" / "web" / "b.ndjson"
    link.symlink_to(tmp_path / "later.ndjson")
    assert landing.land().rows_landed == 1
    (tmp_path / "later.ndjson").write_bytes(events(1, 3))
    assert landing.land().rows_landed == 2


def test_a_bomb_of_compression_is_read_in_blocks(landing: Landing) -> None:
    """300 MB of one line out of a few hundred kB: kept out as too large, its neighbours land."""
    bomb = b'{"x":"' + b"a" * 300_000_000 + b'"}\n'
    landing.put("a.ndjson.gz", gzip.compress(events(0, 1) + bomb + events(1, 2), 1))
    landing.land()
    assert landing.reasons() == {"too_large": 1}
    assert landing.landed() == 2
