"""Whatever bytes come: each row is accounted for once, as a plain-Python oracle says."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingestion.events import event_verdicts
from ingestion.judging import RawRows, judge
from tests.ingestion.landing import AS_OF, Landing, event, events
from tests.ingestion.oracle import fate

SOME_FILES = max(10, getattr(settings.default, "max_examples", 0) // 100)
"""Landing a file costs a hundred times what judging its rows does."""

LATEST = AS_OF + timedelta(days=2)

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
TIMES = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.datetimes().map(lambda moment: moment.isoformat(" ")),
    st.integers(0, 2_000_000_000),
    st.integers(0, 2_000_000_000_000),
    st.sampled_from(
        [
            "",
            "yesterday",
            "2026-06-01",
            "2026-06-01T10:00:00+02:00",
            "2026-06-01T10:00Z",
            "2026-06-01t10:00:00.5z",
            "2026-06-01T10:00+02:00",
            "20260601T100000Z",
            "NaN",
            "Z",
        ]
    ),
    st.none(),
)
IDS = st.one_of(
    st.text(max_size=6),
    st.integers(),
    st.sampled_from(
        ["null", "{", "{}", "{6F9619FF-8B86}", "[]", "true", " ", "undefined", "\u200b"]
    ),
    st.none(),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["track", "Page", "SCREEN", "alias", "buy", "", None, 3]),
        "messageId": IDS,
        "message_id": IDS,
        "userId": IDS,
        "user_id": IDS,
        "anonymousId": IDS,
        "anonymous_id": IDS,
        "traits": st.one_of(st.fixed_dictionaries({}, optional={"email": IDS}), JSON_VALUES),
        "context": st.one_of(
            st.fixed_dictionaries({"traits": st.fixed_dictionaries({"email": IDS})}), JSON_VALUES
        ),
        "timestamp": TIMES,
        "originalTimestamp": TIMES,
        "sentAt": TIMES,
        "receivedAt": TIMES,
        "properties": JSON_VALUES,
    },
)


def damaged(row: bytes, at: int, inserted: bytes) -> bytes:
    place = at % (len(row) + 1)
    return row[:place] + inserted + row[place:]


ROWS = st.one_of(
    st.binary(max_size=40),
    JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    MESSAGES.map(lambda value: json.dumps(value).encode()),
    MESSAGES.map(
        lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    ),
    st.builds(
        damaged,
        MESSAGES.map(lambda value: json.dumps({**event(1), **value}).encode()),
        st.integers(0, 400),
        st.sampled_from([b",", b"}", b"\x00", b"\\u0000", b"\\ud800", b"NaN", b"\xff", b'"']),
    ),
).map(lambda row: row.replace(b"\n", b"").replace(b"\r", b""))


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ROWS.filter(bool), min_size=1, max_size=40))
@example([b"Infinity", b" nAn", b"-inf", b"null", b" ", b"[1]"])
@example([b'{"type":"track","userId":"u","x":1,}', b"\xef\xbb\xbf{}", b"{}", b"[]", b'"\\ud800"'])
def test_each_row_becomes_what_the_oracle_says(rows: list[bytes]) -> None:
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        found = judge(
            RawRows(
                pa.array(rows, pa.binary()),
                pa.array([f"f:{number}" for number in range(len(rows))]),
            ),
            pa.array(range(len(rows)), pa.int64()),
            engine,
            event_verdicts(AS_OF, AS_OF),
        ).to_pylist()
    assert [row["ordinal"] for row in found] == list(range(len(rows)))
    for row, judged in zip(rows, found, strict=True):
        assert judged["reason"] == fate(row, LATEST), row
        if judged["reason"] is None:
            assert judged["payload"].encode() == row
            assert judged["row_key"]
            assert judged["occurred_at"]
        else:
            assert judged["raw_bytes"] == row
            assert judged["payload"] is None


@settings(
    max_examples=SOME_FILES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=st.lists(ROWS, max_size=30))
def test_any_file_lands_between_its_neighbours_and_only_once(
    tmp_path: Path, rows: list[bytes]
) -> None:
    name = f"{len(list(tmp_path.iterdir()))}"
    landing = Landing(tmp_path / name)
    landing.declare_events()
    landing.put("a.ndjson", events(0, 1) + b"".join(row + b"\n" for row in rows) + events(1, 2))
    report = landing.land()
    assert report.rows_read == sum(1 for row in rows if row) + 2
    assert {"message-0", "message-1"} <= {row.get("messageId") for row in landing.payloads()}
    oracle = Counter(reason for row in rows if row and (reason := fate(row, LATEST)))
    kept_out = Counter(landing.reasons())
    kept_out.pop("key_conflict", None)
    assert kept_out == oracle
    assert landing.land().rows_read == 0
