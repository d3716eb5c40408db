"""Where the parts of JSON text stand: as the standard library reads it, in blocks of any size."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import json_text
from ingestion.json_text import Items, Object, depth, parse

TEXTS = st.text(st.sampled_from('a"\\,[]{}é \n\u2028'), max_size=6)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def fed(text: bytes, size: int, longest: int = 1_000) -> tuple[list[bytes], Items]:
    items = Items(longest)
    blocks = [text[start : start + size] for start in range(0, len(text), size)]
    return [item for block in blocks for each in items.feed(block) for item in each.to_pylist()], (
        items
    )


def nested(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    members = value.values() if isinstance(value, dict) else value
    return 1 + max((nested(member) for member in members), default=0)


@settings(deadline=None)
@given(st.lists(VALUES, max_size=4), st.integers(1, 20), st.sampled_from([None, 2]))
def test_the_items_of_a_list_are_its_items(value: list[Any], size: int, indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    found, items = fed(text, size)
    assert [json.loads(item) for item in found] == value
    assert (items.state, items.rest(), items.count) == ("after", b"", len(value))


@settings(deadline=None)
@given(VALUES)
def test_depth_is_that_of_the_value(value: Any) -> None:
    assert depth(json.dumps(value).encode()) == nested(value)


@settings(deadline=None)
@given(VALUES, st.integers(1, 9))
def test_what_is_parsed_is_what_the_standard_library_parses(value: Any, step: int) -> None:
    text = json.dumps(value, ensure_ascii=False)
    whole, json_text._STEP = json_text._STEP, step
    try:
        found = parse(text.encode())
    finally:
        json_text._STEP = whole
    assert found == value
    for each in objects_in(found):
        assert json.loads(each.text) == each


def objects_in(value: Any) -> list[Object]:
    members = value.values() if isinstance(value, dict) else value
    inner = (
        [each for member in members for each in objects_in(member)]
        if isinstance(value, dict | list)
        else []
    )
    return [value, *inner] if isinstance(value, Object) else inner


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize(
    ("text", "items", "state", "rest"),
    [
        (b"[]", [], "after", b""),
        (b" \n[ ] ", [], "after", b""),
        (b"[1,]", [b"1", b""], "after", b""),
        (b"[1,,2]", [b"1", b"", b"2"], "after", b""),
        (b'[{"a":1}}, {"b":2}] and more', [b'{"a":1}}', b'{"b":2}'], "after", b"and more"),
        (b'[{"a":1], {"b":2}]', [b'{"a":1]', b'{"b":2}'], "after", b""),
        (rb'["\\", "\"],[", "\\\"" ]', [rb'"\\"', rb'"\"],["', rb'"\\\""'], "after", b""),
        (b'[{"a":1}, {"b":', [b'{"a":1}'], "list", b'{"b":'),
        (b'{"a": [1, 2]}', [], "single", b'{"a": [1, 2]}'),
        (b"", [], "before", b""),
    ],
)
def test_what_is_wrong_with_an_item_costs_no_other(
    text: bytes, items: list[bytes], state: str, rest: bytes, size: int
) -> None:
    found, ended = fed(text, size)
    assert (found, ended.state, ended.rest()) == (items, state, rest)


def test_an_item_that_is_too_long_is_not_kept_whole() -> None:
    found, _ = fed(b'[1,"' + b"a" * 50_000 + b'",2]', 100, longest=1_000)
    assert (found[0], len(found[1]), found[2]) == (b"1", 1_001, b"2")


def test_the_deep_is_null_and_its_object_keeps_its_text() -> None:
    deep = b'{"id": 1, "x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    found = parse(b"[" + deep + b', {"id": 2.50}]')
    assert [row["id"] for row in found] == [1, parse(b"2.50")]
    assert [row.text for row in found] == [deep, b'{"id": 2.50}']


@pytest.mark.parametrize("text", [b"", b"{", b"[1", b"[" * 5_000, b"[[[1]]", b"{]", b"[1]]"])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Extra data|property name"):
        parse(text)


def test_utf_16_and_bytes_that_are_no_text_are_read_around() -> None:
    assert parse('{"a": "é"}'.encode("utf-16-le")) == {"a": "é"}
    (row,) = parse(b'\xef\xbb\xbf[{"a": "\xff"}]')
    assert row.text == b'{"a": "\xff"}'
