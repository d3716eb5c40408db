"""A phone number is read in the country that it is said to be of, or not at all."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cdp.identity.phones import to_e164


def read(value: str, default_country: str = "DE") -> str | None:
    table = pa.table({"birth": [1], "raw_value": [value]})
    found: str | None = to_e164(table, default_country)["e164"][0].as_py()
    return found


@pytest.mark.parametrize(
    ("value", "e164"),
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
def test_a_country_may_be_told_by_its_code_or_by_its_name(value: str, e164: str) -> None:
    assert read(value) == e164


@pytest.mark.parametrize("value", ["ATLANTIS:0301234567", "XX:0301234567", "N/A:0301234567"])
def test_a_number_of_an_unknown_country_is_nobodys(value: str) -> None:
    """Read in the default country it would be somebody else's."""
    assert read(value) is None


@pytest.mark.parametrize("value", ["US:000-000-0000", "US:999 999 9999", "0000000000", "11111111"])
def test_a_filler_is_nobodys(value: str) -> None:
    assert read(value) is None


def test_a_number_without_its_area_is_nobodys() -> None:
    """It is dialled within a town, and there is one in every town."""
    assert read("US:555-1234") is None
