"""A value has one spelling by its normaliser, in code as in SQL."""

from __future__ import annotations

import unicodedata

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.identity.spelling import lowered, plain_text, spelled, spellings_of
from cdp.warehouse.settings import load_settings
from tests.engines.rendering import rendered


@pytest.mark.parametrize(
    ("value", "normaliser", "spelling"),
    [
        (" As It Is ", "exact", " As It Is "),
        (" Ab-12 ", "lower", "ab-12"),
        ("\u00a0Ab\tC\u3000", "lower", "ab\tc"),
        ("  ", "lower", None),
        (" Ada@Example.COM ", "email", "ada@example.com"),
        ("ΟΔΟΣ", "lower", "οδοσ"),
        ("İ", "lower", "i"),
        ("0151 23456789", "phone", "+4915123456789"),
        ("+49 151 23456789", "phone", "+4915123456789"),
        ("AT:0664 1234567", "phone", "+436641234567"),
        ("12", "phone", None),
        ("José  García-Márquez", "name", "jose garcia marquez"),
        ("…", "name", None),
        ("shop:José García", "scoped_name", "shop:jose garcia"),
        ("José García", "scoped_name", None),
        ("  12, High\u00a0\tStreet\n", "text", "12, high street"),
        ("Café", "text", "café"),
        ("Cafe", "text", "cafe"),
        ("ﬁne ＡＢＣ", "text", "fine abc"),
        ("Straße", "text", "strasse"),
        (" \t\n", "text", None),
    ],
)
def test_a_value_has_one_spelling(value: str, normaliser: str, spelling: str | None) -> None:
    assert spelled(value, normaliser, "DE") == spelling


def test_a_name_counts_within_a_scope_that_there_is_if_it_has_words_enough() -> None:
    names = ["shop:Ann", "shop:Ann Lee", "team:Ann", "gone:Ann Lee"]
    texts = pa.table({"normaliser": ["scoped_name"] * 4, "raw_value": names})
    scopes = pa.table(
        {
            "source": ["web", "crm", "git"],
            "scope": ["shop", "shop", "team"],
            "min_name_parts": [1, 2, None],
        }
    )
    found = spellings_of(texts, scopes, "DE").to_pylist()
    assert {row["raw_value"]: row["identifier_value"] for row in found} == {
        "shop:Ann": None,
        "shop:Ann Lee": "shop:ann lee",
        "team:Ann": "team:ann",
        "gone:Ann Lee": None,
    }


@given(st.text())
def test_free_text_is_spelled_once_and_for_all(text: str) -> None:
    once = plain_text(text)
    assert once is None or plain_text(once) == once


@given(st.text(), st.sampled_from(["upper", "title", "NFD", "NFKC", "doubled blanks"]))
def test_free_text_in_other_letters_or_blanks_is_the_same(text: str, way: str) -> None:
    plain = unicodedata.normalize("NFC", "".join(each for each in text if each.isascii()))
    other = {
        "upper": plain.upper(),
        "title": plain.title(),
        "NFD": unicodedata.normalize("NFD", plain),
        "NFKC": unicodedata.normalize("NFKC", plain),
        "doubled blanks": f" {plain.replace(' ', '  ')}\n",
    }[way]
    assert plain_text(other) == plain_text(plain)


# Letters that were added to Unicode of late may be known to one of the two alone.
LETTERS = st.characters(codec="utf-8", exclude_characters="\0", max_codepoint=0x2FFF)


@pytest.fixture(scope="module")
def small_in_sql(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the models say of a value `v` in small letters."""
    home = load_settings(home=tmp_path_factory.mktemp("home"))
    return rendered(home, {"it": "spelled(\"'lower'\", 'v', 'null')"})["it"]


@pytest.mark.integration
@settings(deadline=None)  # The engine starts in the first example.
@given(texts=st.lists(st.text(LETTERS), min_size=1))
def test_sql_spells_as_code_does(small_in_sql: str, texts: list[str]) -> None:
    with duckdb.connect() as engine:
        engine.register("texts", pa.table({"v": texts}))
        found = engine.execute(f"SELECT {small_in_sql} FROM texts").fetchall()
    assert [each for (each,) in found] == [lowered(text) or None for text in texts]
