"""What records are compared as: derived, cleaned, each way of reading them once."""

from __future__ import annotations

import pytest

from cdp.identity.matching.preparing import prepared
from tests.identity.matching_data import model_of, records_of

MODEL = """
matching:
  people:
    within: [people]
    derive: {DERIVE}
    compare: {made: KIND, other: exact}
    block: [[made], [other]]
    certain: {rules: [[made]]}
    accept: 0.9
    review: 0.5
"""


def made(derive: str, kind: str, *values: str | None) -> list[str | None]:
    """The values that a derived attribute has, in the order of their numbers."""
    text = MODEL.replace("DERIVE", derive).replace("KIND", kind)
    rows: list[dict[str, str | None]] = [{"told": value, "other": "x"} for value in values]
    model = model_of(text, ["told", "other"])
    found: list[str | None] = prepared(records_of(rows, ["told", "other"]), model)[
        "v_made"
    ].to_pylist()
    return found


@pytest.mark.parametrize(
    ("how", "told", "value"),
    [
        ("first word of", "Anna-Maria  Berg", "anna"),
        ("last word of", "Anna-Maria  Berg", "berg"),
        ("last word of", "Anna", None),
        ("plain", "  Ánna_BERG ", "anna berg"),
        ("outside brackets of", "Anna Berg (Shop Ltd)", "anna berg"),
        ("outside brackets of", "Anna [x (y)] Berg {z} <w>", "anna berg"),
        ("outside brackets of", "Anna Berg", None),
        ("outside brackets of", "(Anna)", None),
        ("local part of", "Anna.Berg@shop.example", "anna.berg"),
        ("local part of", "Anna Berg", None),
        ("local part of", "12+anna@users.noreply.forge.example", None),
        ("words of", "Anna.Berg@shop.example", "anna berg"),
        ("words of", "12+anna-berg@users.noreply.forge.example", "anna berg"),
        ("words of", "anna@shop.example", None),
        ("words of", "anna.berg7@shop.example", None),
        ("login of", "1234+anna-b7@users.noreply.forge.example", "anna-b7"),
        ("login of", "anna-b7@users.noreply.forge.example", "anna-b7"),
        ("login of", "anna-b7@shop.example", None),
    ],
)
def test_an_attribute_is_derived_of_another(how: str, told: str, value: str | None) -> None:
    assert made(f"made: {how} told", "exact", told) == [value]


@pytest.mark.parametrize(
    ("kind", "told", "value"),
    [
        ("name", " ÁNNA-Berg", "anna berg"),
        ("exact", "  A  b ", "a b"),
        ("email", " Anna@Shop.Example ", "anna@shop.example"),
        ("date", "1980-02-29", "1980-02-29"),
        ("date", "19800229", "1980-02-29"),
        ("date", "1980-02-29 00:00:00", "1980-02-29"),
        ("date", "1981-02-29", None),
        ("date", "29.02.1980", None),
        ("phone", "+49 (30) 123-456", "4930123456"),
        ("phone", "110", None),
        ("postcode", "sw1a 1aa", "sw1a1aa"),
        ("text", "Main St. 5", "main st 5"),
        ("handle", "Anna-B_7", "annab7"),
        ("name", "??", None),
    ],
)
def test_a_value_is_cleaned_by_its_kind(kind: str, told: str, value: str | None) -> None:
    assert made("made: told", kind, told) == [value]


def test_every_alternative_that_has_a_value_is_a_way_to_read_a_record() -> None:
    derive = "made: [first word of told, last word of told]"
    assert made(derive, "name", "Anna Berg", "Eva", None) == ["anna", "berg", "eva", None]


def test_rows_that_say_the_same_stand_once() -> None:
    derive = "made: [first word of told, last word of told]"
    assert made(derive, "name", "Anna Anna") == ["anna"]
