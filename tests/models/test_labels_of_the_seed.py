"""Labels of the seed do what recorded ones do, named as people write values; and a label whose
identifier comes later is told as what joined people when it does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from cdp.identity.explaining import explain
from cdp.identity.identifiers import Identifier
from cdp.identity.label_record import Said, record
from cdp.identity.labels import Claim
from cdp.warehouse.store import open_warehouse
from tests.models.landed_rows import Landed, Row
from tests.models.worlds import START

pytestmark = pytest.mark.integration

HEADER = "kind,left_type,left_value,right_type,right_value,author,reason\n"


def identify(number: int, **message: object) -> Row:
    told = {"type": "identify", **message}
    return Row("web", "events", told, f"m:{number}", START + timedelta(hours=number))


ANNA = identify(0, userId="u", traits={"email": "anna@x.example"})
NUMBER = identify(1, anonymousId="d", traits={"phone": "+49 151 23456789"})
SISTERS = identify(2, userId="w", traits={"email": "Sisters@x.example"})


def write(landed: Landed, *rows: str) -> None:
    path = landed.settings.config / "seeds" / "identity_labels.csv"
    path.write_text(HEADER + "".join(f"{row},ada,why\n" for row in rows), encoding="utf-8")


def changes(landed: Landed) -> list[tuple[object, ...]]:
    return landed.rows(
        "SELECT cause, source, event_id, count(*) FROM identity.fct_identity_changes "
        "GROUP BY ALL ORDER BY ALL"
    )


def test_the_seed_names_values_as_people_write_them_and_is_undone_by_taking_rows_out(
    tmp_path: Path,
) -> None:
    landed = Landed(tmp_path)
    write(landed)
    landed.run([ANNA, NUMBER, SISTERS])
    before = landed.tables()
    write(
        landed,
        "join,email,Anna@X.EXAMPLE,phone,0151 23456789",
        "split,user_id,w,email,SISTERS@x.example",
    )
    landed.run_by_new_rules()
    assert landed.people() == {
        frozenset({"user_id=u", "email=anna@x.example", "anonymous_id=d", "phone=+4915123456789"}),
        frozenset({"user_id=w"}),
        frozenset({"email=sisters@x.example"}),
    }
    with open_warehouse(landed.settings) as warehouse:
        told = explain(warehouse, "email:anna@x.example", "phone:0151 23456789")
    assert [(step.edge.source, step.edge.event_id) for step in told.path] == [
        ("label", "identity_labels.csv:2")
    ]
    assert {cause for cause, *_ in changes(landed)} == {"rule"}
    # Another spelling that lands later is the same value.
    later = identify(3, anonymousId="e", traits={"phone": "0151/234567-89"})
    landed.run([later])
    increment = landed.tables()
    landed.run(full_refresh=True)
    assert landed.tables() == increment

    write(landed)
    landed.run_by_new_rules()
    untold = Landed(tmp_path / "untold")
    write(untold)
    untold.run([ANNA, NUMBER, SISTERS])
    assert untold.tables() == before
    untold.run([later])
    assert landed.tables() == untold.tables()


@pytest.mark.parametrize("where", ["record", "seed"])
def test_a_join_that_has_waited_is_the_cause_when_its_identifier_comes(
    tmp_path: Path, where: str
) -> None:
    """The number ties its device to Anna because a person has said so, not because of its row."""
    landed = Landed(tmp_path)
    write(landed, *(["join,email,Anna@x.example,phone,0151 23456789"] if where == "seed" else []))
    device = identify(4, anonymousId="d")
    landed.run([ANNA, device])
    if where == "record":
        ends = Identifier("email", "anna@x.example"), Identifier("phone", "+4915123456789")
        with open_warehouse(landed.settings) as warehouse:
            record(warehouse, [Said(Claim("join", *ends), "ada", "she told us")])
    # The run that sees the label first has nobody to join.
    landed.run()
    assert changes(landed) == []
    landed.run([NUMBER], publish=False)
    landed.run()
    told = "1" if where == "record" else None
    assert changes(landed) == [("label", "identity_labels", told, 1)]
    assert len(landed.people()) == 1
    increment = landed.tables()
    landed.run(full_refresh=True)
    assert landed.tables() == increment
    # A tie that a row makes later is a merge all the same.
    landed.run([identify(5, anonymousId="e")])
    landed.run([identify(6, anonymousId="e", userId="u")])
    assert [cause for cause, *_ in changes(landed)] == ["label", "merge"]
