"""Values that a list blocks are nobody's own, in whatever spelling, as long as the list says so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.models.landed_rows import Landed, Row
from tests.models.worlds import START

pytestmark = pytest.mark.integration


def met(number: int, user: str, **traits: str) -> Row:
    message = {"type": "identify", "userId": user, "traits": traits}
    return Row("web", "events", message, f"m:{number}", START + timedelta(hours=number))


ROWS = [
    met(0, "u", email="Info@Firm.example"),
    met(1, "v", email="info@firm.example"),
    met(2, "v", email="v@firm.example"),
    met(3, "w", phone="0301234567"),
    met(4, "x", phone="+49 30 1234567"),
    met(5, "n/a"),
]


def block(landed: Landed, rows: Iterable[str]) -> None:
    path = landed.settings.config / "seeds" / "blocked_values.csv"
    path.write_text(
        "\n".join(["identifier_type,value,pattern,reason", *rows, ""]), encoding="utf-8"
    )


def rejected(landed: Landed) -> set[tuple[str, str]]:
    return {(" ".join(ends), rule) for ends, rule, _ in landed.facts()["rejected"]}


SHORT = ["email,somebody@firm.example,,a list"]
# Many more than a regular expression could hold.
LONG = [
    *("email, INFO@firm.example,,of many", "phone,030 1234567,,of many", "*,N/A,,none"),
    *(f"email,nobody-{number}@firm.example,,a list" for number in range(100_000)),
]


def test_a_long_list_blocks_every_spelling_and_may_be_taken_back(tmp_path: Path) -> None:
    landed = Landed(tmp_path / "listed")
    block(landed, SHORT)
    landed.run(ROWS[:2])
    assert rejected(landed) == {("email=info@firm.example user_id=v", "limit:user_id")}

    block(landed, LONG)
    landed.run_by_new_rules()
    landed.run(ROWS[2:4], publish=False)
    landed.run(ROWS[4:])
    assert landed.people() == {
        frozenset({"user_id=u"}),
        frozenset({"user_id=v", "email=v@firm.example"}),
        frozenset({"user_id=w"}),
        frozenset({"user_id=x"}),
        # Written otherwise, and of a type that is compared as it stands.
        frozenset({"user_id=n/a"}),
    }
    assert rejected(landed) == {
        ("email=info@firm.example user_id=u", "blocked"),
        ("email=info@firm.example user_id=v", "blocked"),
        ("phone=+49301234567 user_id=w", "blocked"),
        ("phone=+49301234567 user_id=x", "blocked"),
    }
    assert landed.rows(
        "SELECT DISTINCT cause FROM identity.fct_identity_changes WHERE profile_after IS NULL"
    ) == [("block",)]
    increment = landed.tables()
    landed.run(full_refresh=True)
    assert landed.tables() == increment

    block(landed, SHORT)
    landed.run_by_new_rules()
    never = Landed(tmp_path / "never")
    block(never, SHORT)
    never.run(ROWS)
    assert landed.tables() == never.tables()


@pytest.mark.parametrize("how", ["name,GUEST  user,,a list", "*,Guest User,,a list", "*,,^guest,x"])
def test_a_name_is_blocked_in_whatever_scope_it_tells_somebody(tmp_path: Path, how: str) -> None:
    """Its spelling is that of names, and a pattern sees it without its scope."""
    landed = Landed(tmp_path)
    block(landed, [how])
    landed.run([contact("1", "Guest User"), contact("2", "guest user"), contact("3", "Ada Byron")])
    landed.run([contact("4", "Guest-User"), contact("5", "Ada BYRON")])
    ada = frozenset({"crm_id=3", "crm_id=5", "name=people:ada byron"})
    assert landed.people() == {*(frozenset({f"crm_id={number}"}) for number in "124"), ada}


def contact(number: str, name: str) -> Row:
    return Row("crm", "contacts", {"id": number, "name": name, "version": "1"}, f"k:{number}:1")
