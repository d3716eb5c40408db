"""Whatever rows come in a table or from an API: each lands or is kept out; the next run is fine.

Belongs here: generated rows of sources other than events, landed for real. Does not belong here:
events, which an oracle judges one by one (`test_any_input`).
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.ingestion.landing import Landing
from tests.ingestion.test_any_input import JSON_VALUES
from tests.ingestion.test_odd_files import declare as declare_files
from tests.ingestion.test_rest_api import contact, declare
from tests.services.contacts_api import TOKEN, ContactsApi, Fault

FEW = settings(
    # Landing costs far more than its rows, so an example is many rows.
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

CELLS = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"", b"1", b"a@example.org", b"\x00", b"\xff", b",", b"{{ 1/0 }}", b"=1+1"]),
)
LINES = st.lists(CELLS, min_size=1, max_size=4).map(b",".join)
JUNK = LINES.map(lambda line: line.translate(None, b'"\r\n')).filter(bool)
"""Lines of CSV that take no neighbour with them: a quote that is not closed takes its record."""

OBJECTS = st.one_of(
    JSON_VALUES,
    st.dictionaries(st.sampled_from(["id", "updated_at", "properties", "x"]), JSON_VALUES),
).map(lambda value: json.dumps(value).encode())
TEXTS = st.one_of(
    OBJECTS,
    OBJECTS,
    st.integers(1, 3_000).map(lambda deep: b'{"id": 1, "x": ' + b"[" * deep + b"]" * deep + b"}"),
    st.sampled_from([b'{"id": 1, "id": 2}', b'{"id": NaN}', b'{"id": "\xff"}', b'{"id": "\x01"}']),
    st.sampled_from([b'{"id": "\\ud800"}', b'{"id": "\\u0000"}', b'{"id": 1e999}', b"9" * 5_000]),
)


@FEW
@given(st.lists(st.lists(JUNK, max_size=6), min_size=8, max_size=8), st.lists(LINES, max_size=20))
def test_any_line_of_a_table_lands_or_is_kept_out(
    tmp_path: Path, files: list[list[bytes]], last: list[bytes]
) -> None:
    landing = Landing(tmp_path / secrets.token_hex(4))
    declare_files(landing, "csv")
    for number, junk in enumerate(files):
        good = (b"good-%d-%d,x@example.org" % (number, end) for end in range(2))
        rows = [b"Id,Mail", next(good), *junk, next(good)]
        landing.put(f"{number}.csv", b"\n".join(rows) + b"\n", "crm")
    landing.put("z.csv", b"Id,Mail\n" + b"\n".join(last), "crm")
    report = landing.land("crm")
    assert report.rows_read >= 2 * len(files) + sum(map(len, files))
    landed = {row["Id"] for row in landing.payloads("crm")}
    assert {f"good-{number}-{end}" for number in range(len(files)) for end in range(2)} <= landed
    assert landing.land("crm").rows_read == 0


@FEW
@given(st.lists(TEXTS, min_size=30, max_size=60))
def test_any_row_of_an_api_lands_or_is_kept_out(
    tmp_path: Path, contacts_api: ContactsApi, rows: list[bytes]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRM_TOKEN", TOKEN)
        landing = Landing(tmp_path / secrets.token_hex(4))
        declare(landing, contacts_api.url)
        good: list[Any] = [contact(number) for number in range(-2, 0)]
        page = [json.dumps(good[0]).encode(), *rows, json.dumps(good[1]).encode()]
        contacts_api.contacts = []
        contacts_api.fail(Fault(body=b'{"results": [' + b",".join(page) + b"]}"))
        assert landing.land("crm").rows_read == len(page)
        found = landing.payloads("crm")
        assert all(each in found for each in good)
        contacts_api.contacts = good
        assert landing.land("crm").rows_landed == 0
