"""Whoever comes from the company's own networks is no visitor, however an address is written."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cdp.governance.visitors import judge_addresses

NETWORKS = ("10.0.0.0/8", "2001:db8::/32")


def is_internal(text: str) -> bool:
    judged = judge_addresses(pa.table({"ip": [text]}), NETWORKS)
    return bool(judged["is_internal"][0].as_py())


@pytest.mark.parametrize(
    "text",
    [
        "10.1.2.3",
        " 10.1.2.3 ",
        "::ffff:10.1.2.3",
        "10.1.2.3:51234",
        "10.1.2.3, 203.0.113.9",
        "2001:db8::1",
        "[2001:db8::1]:443",
        "[2001:db8::1]",
    ],
)
def test_an_address_of_the_company_is_known_in_any_form(text: str) -> None:
    assert is_internal(text)


@pytest.mark.parametrize(
    "text", ["203.0.113.9", "203.0.113.9, 10.1.2.3", "::1", "", "office", "10.1.2", "10.1.2.3.4:1"]
)
def test_others_are_visitors(text: str) -> None:
    assert not is_internal(text)
