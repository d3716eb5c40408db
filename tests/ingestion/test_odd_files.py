"""Files that are damaged or merely odd cost nobody a row that can be read."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.warehouse.settings import PROJECT_ROOT
from ingestion.envelope import MAX_ROW_BYTES
from ingestion.files import lines, tables
from ingestion.files.csv_rows import read_csv
from tests.ingestion.landing import Landing, event

GOOD = b"Id,Mail\n90,good@example.org\n"


@pytest.fixture
def crm(landing: Landing) -> Landing:
    declare(landing, "csv")
    return landing


def declare(landing: Landing, form: str, **columns: Any) -> None:
    mapped = {"contact_id": "Id", "email": "Mail", **columns}
    landing.declare(
        "crm",
        "files",
        {"location": "{home}/landing/crm", "settle": "0 seconds"},
        contacts={
            "files": "*",
            "format": form,
            "key": ["Id"],
            "maps": [{"entity": "contacts", "columns": mapped}],
        },
    )


ROWS = b"Id,Mail\n" + b"".join(b"%d,a@example.org\n" % number for number in range(60))


@pytest.mark.parametrize(
    ("content", "landed", "reason"),
    [
        (gzip.compress(ROWS[:-9])[:-7], 59, "truncated_file"),
        (gzip.compress(ROWS)[:-4] + b"\x00\x00\x00\x07", 60, "truncated_file"),
        (gzip.compress(ROWS)[:20], 0, "truncated_file"),
        (b"\x00\x01\x02\x03" * 50, 0, "unreadable_file"),
        (b"Id,M\xfcller\n1,a@example.org\n", 0, "unreadable_file"),
    ],
    ids=["broken off", "of another length", "no beginning", "no text", "another coding"],
)
def test_a_damaged_file_costs_what_is_damaged(
    crm: Landing, content: bytes, landed: int, reason: str
) -> None:
    crm.put("bad.csv", content, "crm")
    crm.put("good.csv", GOOD, "crm")
    crm.land("crm")
    ids = [str(number) for number in range(landed)]
    assert [row["Id"] for row in crm.payloads("crm")] == [*ids, "90"]
    assert crm.reasons() == {reason: 1}
    assert crm.land("crm").rows_read == 0


def test_what_parquet_lets_be_read_whole_only_has_a_limit(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "LARGEST_PIECE", 1_000)
    declare(landing, "parquet")
    for name, ids in {"large": ["a" * 2_000], "good": ["1"]}.items():
        buffer = io.BytesIO()
        pq.write_table(pa.table({"Id": ids, "Mail": ["x@example.org"]}), buffer)
        landing.put(f"{name}.parquet", buffer.getvalue(), "crm")
    landing.land("crm")
    assert (landing.landed("crm"), landing.reasons()) == (1, {"too_large_unpacked": 1})


@pytest.mark.parametrize("messages", [True, False], ids=["messages", "rows"])
def test_rows_of_parquet_are_told_in_pieces_of_a_bounded_size(
    monkeypatch: pytest.MonkeyPatch, messages: bool
) -> None:
    """As one column of text they would be larger than one may be."""
    monkeypatch.setattr(tables, "BATCH_BYTES", 100_000)
    monkeypatch.setattr(tables, "READ_AT_ONCE", 64)
    texts = pa.array([f"{number:03}" + "a" * 2_000 for number in range(300)])
    found = []
    for column in (texts, texts.dictionary_encode(), pa.array(["b"] * 300)):
        buffer = io.BytesIO()
        pq.write_table(pa.table({"message": column}), buffer, row_group_size=70)
        buffer.seek(0)
        read = tables.read_parquet(buffer, "x", duckdb.connect(), messages=messages)
        batches = [batch.rows for batch in read]
        assert sum(len(rows.texts) for rows in batches) == 300
        assert [at for rows in batches for at in rows.positions.to_pylist()] == [
            f"x:{number}" for number in range(1, 301)
        ]
        assert all(rows.texts.nbytes < 120_000 for rows in batches)
        found.append(len(batches))
    assert min(found[:2]) > 5
    assert found[2] == 1


def test_a_damaged_page_of_parquet_is_refused_and_its_neighbours_land(landing: Landing) -> None:
    declare(landing, "parquet")
    buffer = io.BytesIO()
    table = pa.table({"Id": [f"id-{n}" for n in range(5000)], "Mail": ["x@example.org"] * 5000})
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
    damaged = bytearray(buffer.getvalue())
    damaged[60:4000] = b"\xff" * 3940
    landing.put("bad.parquet", bytes(damaged), "crm")
    good = io.BytesIO()
    pq.write_table(table.slice(0, 1), good)
    landing.put("good.parquet", good.getvalue(), "crm")
    landing.land("crm")
    assert landing.landed("crm") == 1
    assert landing.reasons() == {"unreadable_file": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"Id,Mail,\n1,a@example.org,x\n",
        b"sep=,\nId,Mail\n1,a@example.org\n",
        b"\n\r\nId,Mail\n1,a@example.org\n",
    ],
    ids=["header without a name", "named delimiter", "blank lines first"],
)
def test_an_odd_beginning_costs_nothing(crm: Landing, content: bytes) -> None:
    crm.put("odd.csv", content, "crm")
    crm.land("crm")
    ((position,),) = crm.rows("SELECT position FROM raw.crm")
    assert (crm.payloads("crm")[0]["Mail"], crm.reasons()) == ("a@example.org", {})
    assert position == f"odd.csv:{content.count(bytes([10]))}"


def test_a_quote_that_nothing_closes_costs_its_own_line(crm: Landing) -> None:
    content = b'Id,Mail\n1,a@example.org\n2,"b@example.org\n3,c@x.org\n4,d@x.org\n'
    crm.put("open.csv", content, "crm")
    crm.land("crm")
    assert [row["Id"] for row in crm.payloads("crm")] == ["1", "3", "4"]
    assert crm.rows("SELECT reason, position, raw_bytes FROM raw.quarantine") == [
        ("malformed_row", "open.csv:3", b'2,"b@example.org')
    ]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=["no end", "line feed", "both"])
def test_a_quote_in_the_midst_of_the_last_value_is_a_letter(crm: Landing, end: bytes) -> None:
    crm.put("pipes.csv", b'Id,Mail\n1,a@example.org\n2,5" pipe' + end, "crm")
    crm.land("crm")
    assert [row["Mail"] for row in crm.payloads("crm")] == ["a@example.org", '5" pipe']
    assert crm.reasons() == {}


BROKEN_UTF16 = {
    "half a character": lambda text: text.replace(b"?\x00", b"\x00\xd8"),
    "the other half": lambda text: text.replace(b"?\x00", b"\x00\xdc"),
    "half a unit at the end": lambda text: text[: text.rindex(b"\n")] + b"\n",
}


@pytest.mark.parametrize("form", ["csv", "ndjson"])
@pytest.mark.parametrize("broken", BROKEN_UTF16.values(), ids=BROKEN_UTF16)
def test_half_characters_of_utf16_are_no_text(landing: Landing, form: str, broken: Any) -> None:
    """Put in their place, U+FFFD would land as what somebody wrote."""
    declare(landing, form)
    row = "1,a?@example.org\n" if form == "csv" else '{"Id":"1","Mail":"a?"}\n'
    head = "Id,Mail\n" if form == "csv" else ""
    good = row.replace("?", "").replace("1", "0", 1)
    landing.put(f"bad.{form}", broken((head + good + row).encode("utf-16")), "crm")
    landing.land("crm")
    assert [each["Id"] for each in landing.payloads("crm")] == ["0"]
    assert landing.reasons() == {"invalid_utf8": 1}


def test_quotes_that_close_may_hold_lines_and_delimiters(crm: Landing) -> None:
    crm.put("quoted.csv", b'Id,Mail\n1,"a\nb, ""c"""\n2,x\n', "crm")
    crm.land("crm")
    assert [row["Mail"] for row in crm.payloads("crm")] == ['a\nb, "c"', "x"]


def test_a_ragged_row_that_is_no_text_costs_itself(crm: Landing) -> None:
    crm.put("latin.csv", b"Id,Mail\n1,a@x.org\n2,M\xfcller,x\n3,M\xfcller\n4,d@x.org\n", "crm")
    crm.land("crm")
    assert [row["Id"] for row in crm.payloads("crm")] == ["1", "4"]
    assert crm.reasons() == {"invalid_utf8": 2}
    assert (b"2,M\xfcller,x",) in crm.rows("SELECT raw_bytes FROM raw.quarantine")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_whose_names_differ_in_case_alone_are_two(landing: Landing, form: str) -> None:
    declare(landing, form)
    content = b"Id,Mail,mail\n1,work@x.org,home@x.org\n"
    if form == "parquet":
        buffer = io.BytesIO()
        pq.write_table(
            pa.table({"Id": ["1"], "Mail": ["work@x.org"], "mail": ["home@x.org"]}), buffer
        )
        content = buffer.getvalue()
    landing.put(f"two.{form}", content, "crm")
    landing.land("crm")
    assert landing.payloads("crm") == [{"Id": "1", "Mail": "work@x.org", "mail": "home@x.org"}]


def test_a_dot_in_a_columns_name_is_a_dot(landing: Landing) -> None:
    declare(landing, "csv", email="Contact.Email", birth_date="Birth.Date")
    landing.put(
        "dots.csv",
        b"Id,Contact.Email,Birth.Date\n1,a@x.org,2001-02-03\n2,b@x.org,garbage\n",
        "crm",
    )
    landing.land("crm")
    assert landing.reasons() == {"type_mismatch": 1}
    assert landing.landed("crm") == 1


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()])
@pytest.mark.parametrize("coded", [False, True])
def test_messages_land_from_any_column_of_text(
    landing: Landing, kind: pa.DataType, coded: bool
) -> None:
    column = pa.array([json.dumps(event(1)), json.dumps(event(2))]).cast(kind)
    buffer = io.BytesIO()
    pq.write_table(pa.table({"payload": column.dictionary_encode() if coded else column}), buffer)
    landing.put("messages.parquet", buffer.getvalue())
    landing.land()
    assert landing.payloads() == [event(1), event(2)]


def test_text_that_parquet_calls_bytes_is_text(landing: Landing) -> None:
    declare(landing, "parquet")
    buffer = io.BytesIO()
    mails = pa.array(["Müller@x.org".encode()], pa.binary())
    pq.write_table(pa.table({"Id": ["1"], "Mail": mails}), buffer)
    landing.put("bytes.parquet", buffer.getvalue(), "crm")
    landing.land("crm")
    assert landing.payloads("crm") == [{"Id": "1", "Mail": "Müller@x.org"}]


def test_numbers_of_a_json_file_keep_their_digits_and_a_key_stands_once(landing: Landing) -> None:
    declare(landing, "json")
    content = b'[{"Id": 12345678901234567890}, {"Id": 2, "Id": 3}, {"Id": 4, "x": 0.10}]'
    landing.put("numbers.json", content, "crm")
    landing.land("crm")
    payloads = landing.rows("SELECT payload FROM raw.crm ORDER BY landing_number")
    assert payloads == [('{"Id": 12345678901234567890}',), ('{"Id": 4, "x": 0.10}',)]
    assert landing.reasons() == {"duplicate_key_in_object": 1}


ODD_ITEMS: dict[str, tuple[bytes, str]] = {
    "deep": (b'{"Id": 2, "x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "too_deep"),
    "no text": (b'{"Id": 2, "Mail": "\xff"}', "invalid_utf8"),
    "a bracket too many": (b'{"Id": 2}}', "malformed_json"),
    "a bare word": (b"nothing", "malformed_json"),
    "a trailing comma": (b'{"Id": 2,}', "malformed_json"),
    "nothing": (b"", "malformed_json"),
    "a list": (b"[1, 2]", "not_an_object"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_an_odd_item_of_a_json_list_costs_no_other(landing: Landing, packed: bool) -> None:
    declare(landing, "json")
    items = [b'{"Id": 1}']
    for item, _ in ODD_ITEMS.values():
        items += [item, b'{"Id": %d}' % (len(items) + 2)]
    content = b"[\n" + b",\n".join(items) + b"\n]\n"
    landing.put("odd.json", gzip.compress(content) if packed else content, "crm")
    assert landing.land("crm").rows_read == len(items)
    assert [row["Id"] for row in landing.payloads("crm")] == list(range(1, len(items) + 1, 2))
    kept_out = landing.rows(
        "SELECT reason, raw_bytes FROM raw.quarantine ORDER BY length(position), position"
    )
    assert kept_out == [(reason, item) for item, reason in ODD_ITEMS.values()]
    assert landing.land("crm").rows_read == 0


JSON_FILES: dict[str, tuple[bytes, list[int], list[str]]] = {
    "cut off": (b'[{"Id": 10}, {"Id": 11}, {"Id"', [10, 11], ["truncated_file"]),
    "packed and cut off": (
        gzip.compress(b'[{"Id": 20}, {"Id": 21}]')[:-6],
        [20, 21],
        ["truncated_file"],
    ),
    "more behind the list": (b'[{"Id": 30}] {"Id": 31}', [30], ["unreadable_file"]),
    "another format": (b"Id,Mail\n1,a@example.org\n", [], ["unreadable_file"]),
    "blank": (b"  \n", [], ["unreadable_file"]),
    "one object": (b'{"Id": 40}', [40], []),
    "an empty list": (b"[]", [], []),
}


def test_what_a_json_file_holds_lands_and_the_rest_is_told(landing: Landing) -> None:
    declare(landing, "json")
    for name, (content, _, _) in JSON_FILES.items():
        landing.put(f"{name}.json", content, "crm")
    landing.land("crm")
    for name, (_, landed, reasons) in JSON_FILES.items():
        file = f"{name}.json:"
        found = landing.rows(
            "SELECT json_extract(payload, '$.Id') FROM raw.crm WHERE starts_with(position, ?) "
            "ORDER BY landing_number",
            [file],
        )
        assert [int(number) for (number,) in found] == landed
        assert landing.rows(
            "SELECT reason FROM raw.quarantine WHERE starts_with(position, ?)", [file]
        ) == [(reason,) for reason in reasons]


def test_a_value_that_an_expression_fails_on_is_kept_out_alone(landing: Landing) -> None:
    landing.declare(
        "till",
        "files",
        {"location": "{home}/landing/till", "settle": "0 seconds"},
        orders={
            "files": "*",
            "format": "csv",
            "key": ["No"],
            "maps": [
                {
                    "entity": "orders",
                    "where": "CAST(Qty AS INTEGER) > 0",
                    "columns": {
                        "order_id": "No",
                        "total_amount": {
                            "sql": "CAST(Net AS DECIMAL(18,4)) + CAST(Tax AS DECIMAL(18,4))"
                        },
                    },
                }
            ],
        },
    )
    landing.put(
        "june.csv",
        b"No,Qty,Net,Tax\n1,1,10,2\n2,1,ada@example.org,1\n3,n/a,10,2\n4,0,never looked at,1\n"
        b"5,2,,\n",
        "till",
    )
    landing.land("till")
    assert [row["No"] for row in landing.payloads("till")] == ["1", "4", "5"]
    assert landing.rows("SELECT reason, detail FROM raw.quarantine ORDER BY position") == [
        ("type_mismatch", "column total_amount"),
        ("type_mismatch", "column where"),
    ]


LARGEST = b"a" * MAX_ROW_BYTES


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=["line feed", "both", "no end"])
@pytest.mark.parametrize("more", [b"", b"a", b"aa", b"a\r", b"\ra", LARGEST], ids=len)
def test_of_a_line_that_does_not_end_in_a_block_only_what_refuses_it_is_kept(
    monkeypatch: pytest.MonkeyPatch, more: bytes, end: bytes
) -> None:
    monkeypatch.setattr(lines, "BLOCK", 1 << 20)
    ending = lines.Ending()
    content = b"1\n" + LARGEST + more + end + (b"3\n" if end else b"")
    blocks = list(lines.read_lines(io.BytesIO(content), ending))
    first, long, *rest = [line for block in blocks for line in block.lines.to_pylist()]
    assert (first, rest) == (b"1", [b"3"] if end else [])
    assert ending.lines == 2 + len(rest)
    assert len(long) <= MAX_ROW_BYTES + 2
    assert (long == LARGEST) if not more else (len(long) > MAX_ROW_BYTES)


def test_what_unpacks_to_more_than_memory_holds_costs_itself() -> None:
    """Files of some kB that unpack to hundreds of MB, read by a process that may not hold them."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.ingestion.unpacking"],
        cwd=PROJECT_ROOT,
        # Snowflake's client, where a test before this one has imported it, turns Arrow's pool
        # off for all child processes, and then memory that is free counts as taken.
        env={
            name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    first, last = '{"Id":"1","Mail":"a"}', '{"Id":"3","Mail":"c"}'
    assert json.loads(done.stdout) == {
        "line.csv.gz": [first, "too_large", last],
        "value.csv.gz": [first, "too_large", last],
        "text.json.gz": ['{"Id":1}', f"{MAX_ROW_BYTES + 1} bytes", '{"Id":3}'],
        "deep.json.gz": ['{"Id":1}', "truncated_file"],
        "wide.parquet": ["24000 rows"],
        "line.ndjson.gz": ['{"Id":1}', f"{MAX_ROW_BYTES + 2} bytes", '{"Id":3}'],
    }


RECORDS = st.lists(
    st.tuples(
        *[st.lists(st.sampled_from(["a", ",", '"', "\n", "\r\n", "é", " "]), max_size=4)] * 2
    ).map(lambda pair: ["".join(letters) for letters in pair]),
    max_size=8,
)


@settings(deadline=None)
@given(RECORDS, st.sampled_from(["\n", "\r\n"]), st.integers(5, 60), st.booleans())
def test_records_are_what_the_standard_library_reads_in_blocks_of_any_size(
    records: list[list[str]], line_end: str, size: int, quoted: bool
) -> None:
    written = io.StringIO()
    writer = csv.writer(
        written, lineterminator=line_end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    )
    writer.writerows([["i", "j"], *(["x", *record][:2] for record in records)])
    with pytest.MonkeyPatch.context() as patch, duckdb.connect() as engine:
        patch.setattr(lines, "BLOCK", size)
        opened = io.BytesIO(written.getvalue().encode())
        batches = list(read_csv(opened, "f", engine, lines.Ending()))
    assert [each for batch in batches for each in batch.refused] == []
    found = [
        (position, list(json.loads(text).values()))
        for batch in batches
        for position, text in zip(
            batch.rows.positions.to_pylist(), batch.rows.texts.to_pylist(), strict=True
        )
    ]
    assert found == [(f"f:{number}", ["x", record[0]]) for number, record in enumerate(records, 2)]
