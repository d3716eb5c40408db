"""A name ties nobody, and may tell several people apart, also those whom nothing else touches."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.models.landed_rows import Landed, Row
from tests.models.worlds import START

pytestmark = pytest.mark.integration


def identify(number: int, user: str, **traits: str) -> Row:
    message = {"type": "identify", "userId": user, "traits": traits}
    return Row("web", "events", message, f"m:{number}", START + timedelta(hours=number))


def test_names_that_land_later_are_judged_at_once(tmp_path: Path) -> None:
    landed = Landed(tmp_path)
    landed.run([identify(0, "u", email="one@x.example"), identify(1, "v", email="two@x.example")])
    before = landed.people()
    assert frozenset({"user_id=u", "email=one@x.example"}) in before
    names = ("Ada Byron", "Bo Cole", "Cy Dean", "Di Ellis")
    # No identifier is new, and none stands beside another.
    landed.run([identify(n, "u", name=name) for n, name in enumerate(names, 2)], publish=False)
    landed.run()
    increment = landed.tables()
    assert landed.people() == {
        frozenset({"user_id=u"}),
        frozenset({"email=one@x.example"}),
        frozenset({"user_id=v", "email=two@x.example"}),
    }
    landed.run(full_refresh=True)
    assert landed.tables() == increment
