"""Any type may have any normaliser: its values are one by it whenever they land, and another
normaliser moves no more ids than it must.

Belongs here: what landed under rules of a deployment's own. Does not belong here: what a normaliser
makes of a value (`tests/identity/test_spelling.py`).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.models.landed_rows import Landed, Row
from tests.models.worlds import START, cut

pytestmark = pytest.mark.integration

TYPES = """\
identifier_type,priority,normaliser,max_per_profile,window_days,do_not_merge,is_device,max_people,max_asserted,max_values
user_id,10,exact,1,,false,false,,5,
*,20,exact,,,false,false,,,
loyalty,25,{loyalty},,,false,false,,,
mobile,40,{mobile},,,false,false,,,
nick,50,{nick},,,false,false,,,
alias,60,{alias},,,false,false,,,
anonymous_id,90,exact,,,false,true,,,
"""
NORMALISED = {"loyalty": "lower", "mobile": "phone", "nick": "text", "alias": "name"}
EXACT = dict.fromkeys(NORMALISED, "exact")

SPELLINGS = {
    "loyalty": ("Ab-12", "AB-12", " ab-12"),
    "mobile": ("0151 23456789", "+49 151 23456789", "DE:0151-23456789"),
    "nick": ("The  Cat", "the cat", "THE CAT"),
    "alias": ("José García", "jose garcia", "García"),
}


def seen(number: int, kind: str, value: str) -> Row:
    """A device and, beside it, an id of another system."""
    message: dict[str, Any] = {
        "type": "track",
        "event": "Seen",
        "anonymousId": f"{kind}-{number}",
        "context": {"externalIds": [{"type": kind, "id": value}]},
    }
    return Row("web", "events", message, f"m:{number}", START + timedelta(hours=number))


ROWS = [
    seen(number, kind, value)
    for number, (kind, value) in enumerate(
        (kind, SPELLINGS[kind][nth]) for nth in range(3) for kind in SPELLINGS
    )
]


def devices(kind: str) -> list[str]:
    """The devices that were seen beside the spellings of a type, in their order."""
    first = list(SPELLINGS).index(kind)
    return [f"{kind}-{number}" for number in range(first, len(ROWS), len(SPELLINGS))]


def write_types(landed: Landed, normalisers: dict[str, str]) -> None:
    path = landed.settings.config / "seeds" / "identifier_types.csv"
    path.write_text(TYPES.format(**normalisers), encoding="utf-8")


def profiles(landed: Landed) -> dict[str, int]:
    """The profile of each device."""
    return dict(
        landed.rows(
            "SELECT identifier_value, profile_id FROM identity.dim_identifiers "
            "WHERE identifier_type = 'anonymous_id'"
        )
    )


def test_spellings_of_one_value_are_one_whenever_they_land(tmp_path: Path) -> None:
    at_once, bit_by_bit = Landed(tmp_path / "at-once"), Landed(tmp_path / "bit-by-bit")
    for landed in (at_once, bit_by_bit):
        write_types(landed, NORMALISED)
    at_once.run(ROWS)
    first, second, third = cut(ROWS, 3, seed=4)
    bit_by_bit.run(first)
    bit_by_bit.run(second, publish=False, through="int_identifier_spellings")
    bit_by_bit.run(third)
    increment = bit_by_bit.tables()
    assert increment == at_once.tables()
    bit_by_bit.run(full_refresh=True)
    assert bit_by_bit.tables() == increment

    owners = profiles(at_once)
    assert len(owners) == len(ROWS)
    together = {kind: {owners[device] for device in devices(kind)} for kind in SPELLINGS}
    assert {kind: len(found) for kind, found in together.items()} == {
        "loyalty": 1,
        "mobile": 1,
        "nick": 1,
        # A surname alone is another name.
        "alias": 2,
    }


def test_another_normaliser_moves_only_what_it_makes_one_and_back(tmp_path: Path) -> None:
    landed = Landed(tmp_path)
    write_types(landed, EXACT)
    landed.run(ROWS)
    before, apart = landed.tables(), profiles(landed)
    assert len(set(apart.values())) == len(ROWS)

    write_types(landed, NORMALISED)
    landed.run_by_new_rules()
    together = profiles(landed)
    moved = {device for device, profile in together.items() if profile != apart[device]}
    # The earliest born of each value keeps its id, and so does who shares no value.
    later = {device for kind in SPELLINGS for device in devices(kind)[1:]}
    assert moved == later - {devices("alias")[2]}
    assert set(together.values()) <= set(apart.values())
    causes = landed.rows(
        "SELECT DISTINCT cause FROM identity.fct_identity_changes WHERE profile_after IS NOT NULL"
    )
    assert causes == [("rule",)]

    write_types(landed, EXACT)
    landed.run_by_new_rules()
    assert landed.tables() == before


def test_another_default_country_is_a_rule_that_moved_them(tmp_path: Path) -> None:
    landed = Landed(tmp_path)
    write_types(landed, NORMALISED)
    numbers = [seen(n, "mobile", SPELLINGS["mobile"][n % 2]) for n in range(4)]
    landed.run(numbers)
    assert len(set(profiles(landed).values())) == 1

    landed.change(default_country="AT")
    landed.run()
    assert len(set(profiles(landed).values())) == 2
    causes = landed.rows("SELECT DISTINCT cause FROM identity.fct_identity_changes")
    assert causes == [("rule",)]
