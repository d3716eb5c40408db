"""Identifiers as people write them."""

from __future__ import annotations

import pytest

from cdp.identity.identifiers import Identifier, NoIdentifier, no_type, readings

KNOWN = {"email", "email:sha256", "phone", "user_id"}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("email:ada@example.com", Identifier("email", "ada@example.com")),
        ("email:sha256:00ff", Identifier("email:sha256", "00ff")),
        ("email:md5:00ff", Identifier("email", "md5:00ff")),
        ("phone:DE:0151 23", Identifier("phone", "DE:0151 23")),
        ("user_id: 7", Identifier("user_id", " 7")),
    ],
)
def test_the_longest_type_that_is_known_comes_first(text: str, meant: Identifier) -> None:
    assert next(each for each in readings(text) if each.type in KNOWN) == meant


def test_the_nearest_type_is_told_and_no_value() -> None:
    assert str(no_type("Emial", KNOWN)).endswith("(did you mean 'email'?)")
    # What looks like no type may be somebody's address.
    assert "ada" not in str(no_type("ada@example.com", KNOWN))


@pytest.mark.parametrize("text", ["ada@example.com", "email:", "email: ", ":x", "", "ada@x.com:1"])
def test_what_has_no_type_or_no_value_is_told_how_it_is_written(text: str) -> None:
    with pytest.raises(NoIdentifier, match="type:value") as told:
        list(readings(text))
    assert "ada@x" not in str(told.value)
