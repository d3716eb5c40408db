"""Whole blocks of bytes are looked through without missing a row that needs a look of its own.

Belongs here: the passes against expressions that look at each row alone. Does not belong here: what
becomes of the rows (`test_bad_input`, `test_any_input`).
"""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import byte_checks
from ingestion.byte_checks import look
from ingestion.envelope import MAX_DEPTH

LAX = re.compile(rb"\\u(0000|[dD][89a-fA-F])|(\A|[:\[,])\s*-?(?i:nan|inf)|,\s*[}\]]")

PARTS = (
    *("{", "}", "[", "]", ",", ":", '"', " ", "  ", "\t", "-", "\\", "é", "a", "\x00"),
    *(
        "nan",
        "NaN",
        "Infinity",
        "-inf",
        "null",
        "true",
        "-1",
        "0.5",
        "\\u0000",
        "\\ud83d",
        "\\u00e9",
    ),
)
rows = st.lists(st.lists(st.sampled_from(PARTS), max_size=12).map("".join), min_size=1, max_size=8)


def block(texts: list[str]) -> pa.Array:
    return pa.array([text.encode() for text in texts], pa.binary())


@pytest.mark.parametrize("piece", [3, 7, 128 * 1024])
@settings(deadline=None)
@given(texts=rows)
def test_every_row_that_json_may_not_allow_is_found_wherever_pieces_part(
    piece: int, texts: list[str]
) -> None:
    usual, byte_checks.PIECE = byte_checks.PIECE, piece
    try:
        found = look(block(texts))
    finally:
        byte_checks.PIECE = usual
    suspects = {index for index, text in enumerate(texts) if LAX.search(text.encode())}
    assert suspects <= set(found.lax.tolist())
    assert {index for index, text in enumerate(texts) if "\x00" in text} == {
        index for index, reason in found.refused.items() if reason == "nul_byte"
    }


def test_what_json_has_all_the_time_gets_no_look_of_its_own() -> None:
    usual = '{"a":-1,"b":null,"c":[],"d":{}, "e": [1, -2.5, "x, y"], "f": "\\u00e9\\n", "g": true}'
    assert look(block([usual] * 3)).lax.tolist() == []


def test_rows_are_told_apart_in_a_slice_of_a_block() -> None:
    texts = block(["[" * 90, "{}", "[" * (MAX_DEPTH + 1), "[1,]", "{}"]).slice(1, 3)
    found = look(texts)
    assert found.nested.tolist() == [1]
    assert found.lax.tolist() == [2]


def test_bytes_that_are_no_text_cost_their_own_row_alone() -> None:
    texts = pa.array([b'{"a":1}', b"\xff\xfe", '{"a":"é"}'.encode()], pa.binary())
    assert look(texts).refused == {1: "invalid_utf8"}
