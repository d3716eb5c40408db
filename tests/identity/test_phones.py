"""A phone number is read in the country that it is said to be of, or not at all."""

from __future__ import annotations

import pytest

from cdp.identity.phones import e164


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("+49 30 1234567", "+49301234567"),
        ("030 1234567", "+49301234567"),
        ("tel:+49-30-1234567", "+49301234567"),
        ("FR:0301234567", "+33301234567"),
        ("FRANCE:0301234567", "+33301234567"),
        ("FRANKREICH:0301234567", "+33301234567"),
        ("Deutschland:0301234567", "+49301234567"),
        ("U.S.A.:(303) 555-0143", "+13035550143"),
        ("UK:020 7183 8750", "+442071838750"),
    ],
)
def test_a_country_may_be_told_by_its_code_or_by_its_name(value: str, number: str) -> None:
    assert e164(value, "DE") == number


@pytest.mark.parametrize("value", ["ATLANTIS:0301234567", "XX:0301234567", "N/A:0301234567"])
def test_a_number_of_an_unknown_country_is_nobodys(value: str) -> None:
    """Read in the default country it would be somebody else's."""
    assert e164(value, "DE") is None


@pytest.mark.parametrize("value", ["US:000-000-0000", "US:999 999 9999", "0000000000", "11111111"])
def test_a_filler_is_nobodys(value: str) -> None:
    assert e164(value, "DE") is None


def test_a_number_without_its_area_is_nobodys() -> None:
    """It is dialled within a town, and there is one in every town."""
    assert e164("US:555-1234", "DE") is None
