"""Spellings of one name are one; names of two people stay two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.identity.names import plain_name


@pytest.mark.parametrize(
    ("spelled", "plain"),
    [
        ("José  García-Márquez", "jose garcia marquez"),
        ("JOSE GARCIA MARQUEZ", "jose garcia marquez"),
        ("jose_garcia.marquez", "jose garcia marquez"),
        ("Jose\u0301 Garcia\u00a0Marquez", "jose garcia marquez"),
        ("Straße", "strasse"),
        ("İpek", "ipek"),
        ("ＷＩＤＥ", "wide"),
        ("O'Neill, Shaquille", "o neill shaquille"),
        ("李小龙", "李小龙"),
    ],
)
def test_spellings_of_a_name_are_one(spelled: str, plain: str) -> None:
    assert plain_name(spelled) == plain


@pytest.mark.parametrize("text", [None, "", "  ", "-", "__", "\u0301", "!?"])
def test_what_has_no_letter_and_no_digit_is_no_name(text: str | None) -> None:
    assert plain_name(text) is None


def test_letters_that_differ_keep_names_apart() -> None:
    assert plain_name("Anna Berg") != plain_name("Anna Borg")
    assert plain_name("Anna Berg") != plain_name("Annaberg")


@given(st.text())
def test_a_plain_name_is_plain(text: str) -> None:
    once = plain_name(text)
    assert plain_name(once) == once


@given(st.text())
def test_case_says_nothing(text: str) -> None:
    assert plain_name(text.casefold()) == plain_name(text)
