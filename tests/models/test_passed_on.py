"""What a row carries may prove to be nobody's: the row belongs to the next that it carries then,
and back where the value is somebody's again."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cdp.demo import DemoShop
from cdp.identity.identifiers import Identifier
from cdp.identity.label_record import Said, record
from cdp.identity.labels import Claim
from cdp.warehouse.runs import STAGES
from cdp.warehouse.store import open_warehouse
from tests.models.current_rows import differences, told
from tests.models.deployment import Deployment
from tests.models.test_any_order_any_past import END
from tests.models.told_events import deliver_events, identify

pytestmark = pytest.mark.integration

DESK = "desk@example.com"
"""An address that is typed for everybody who is served at one desk."""
CLERK = identify("desk-device", DESK)
LONE = "lone@example.com"
NOBODY = {"type": "identify", "traits": {"email": DESK}}
GUESTS = [identify(f"own-{each}", DESK, user_id=f"guest-{each}") for each in range(6)]


@pytest.fixture(scope="module")
def begun(
    shop: tuple[Deployment, DemoShop], tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    """A shop to which a device and a caller without any have told the address of the desk, and a
    caller an address that nothing else ties to anybody."""
    made = copy(shop[0], tmp_path_factory.mktemp("begun") / "home")
    lone = {"type": "identify", "traits": {"email": LONE}}
    deliver_events(made.home, "clerk", END + timedelta(hours=1), CLERK, NOBODY)
    deliver_events(made.home, "lone", END + timedelta(hours=1), lone)
    run(made, 2)
    return made


@pytest.fixture
def lived(begun: Deployment, tmp_path: Path) -> Deployment:
    """The same for a test to go on with."""
    return copy(begun, tmp_path / "lived")


def run(deployment: Deployment, hours: int, **fate: Any) -> None:
    """A run so many hours after the shop's end, of the stages that rows pass on in."""
    deployment.run(END + timedelta(hours=hours), stages=STAGES[1:4], **fate)


def copy(deployment: Deployment, folder: Path) -> Deployment:
    shutil.copytree(deployment.home, folder, symlinks=True)
    return Deployment(folder, runs=deployment.runs)


def owners(deployment: Deployment) -> dict[str, Any]:
    """The identifier that the rows of the desk belong to, by the event; None where to none."""
    return dict(
        deployment.rows(
            "SELECT substr(events.event_id, 3), owner.identifier_value "
            "FROM profiles.fct_events AS events "
            "LEFT JOIN identity.dim_identifiers AS owner ON events.anchor_birth = owner.birth "
            "AND events.profile_id = owner.profile_id WHERE events.event_id LIKE 'm:clerk-%'"
        )
    )


def test_rows_pass_on_with_the_verdict_and_come_back_when_it_is_lifted(
    lived: Deployment, tmp_path: Path
) -> None:
    assert owners(lived) == {"clerk-0": DESK, "clerk-1": DESK}
    twin = copy(lived, tmp_path / "twin")

    deliver_events(lived.home, "guests", END + timedelta(hours=3), *GUESTS)
    run(lived, 4)
    assert owners(lived) == {"clerk-0": "desk-device", "clerk-1": None}
    apart = told(lived, numbers=True)

    # A run that finds the address trusted and is not published leaves nothing behind.
    say(lived, Said(Claim("trust", Identifier("email", DESK)), "ada", "one office"))
    run(lived, 4, publish=False)
    assert owners(lived) == {"clerk-0": DESK, "clerk-1": DESK}
    say(lived, Said(Claim("trust", Identifier("email", DESK)), "ada", "no", removes=1))
    run(lived, 4)
    assert differences(apart, told(lived, numbers=True)) == {}

    say(lived, Said(Claim("trust", Identifier("email", DESK)), "ada", "one office"))
    run(lived, 5)
    assert owners(lived) == {"clerk-0": DESK, "clerk-1": DESK}

    # Who was told all of it at once says the same.
    deliver_events(twin.home, "guests", END + timedelta(hours=3), *GUESTS)
    say(twin, Said(Claim("trust", Identifier("email", DESK)), "ada", "one office"))
    run(twin, 5)
    assert differences(told(lived, numbers=True), told(twin, numbers=True)) == {}


def test_what_an_unpublished_run_has_laid_passes_on_too(lived: Deployment) -> None:
    """Either way: it found the address somebody's, or nobody's, and the next run does not."""
    deliver_events(lived.home, "clerk-late", END + timedelta(hours=3), NOBODY)
    run(lived, 4, publish=False)
    deliver_events(lived.home, "guests", END + timedelta(hours=4), *GUESTS)
    run(lived, 5)
    assert owners(lived) == {"clerk-0": "desk-device", "clerk-1": None, "clerk-late-0": None}

    deliver_events(lived.home, "clerk-last", END + timedelta(hours=5), NOBODY)
    run(lived, 6, publish=False)
    say(lived, Said(Claim("trust", Identifier("email", DESK)), "ada", "one office"))
    run(lived, 6)
    assert set(owners(lived).values()) == {DESK}
    equals_a_rebuild(lived, 6)


def test_whom_rows_have_left_is_known_after_a_kill(lived: Deployment) -> None:
    """Nothing ties the one address to anybody, and its only row carries nothing else; orders have
    been placed by the other."""
    ((buyer, _), *_) = lived.rows(ORDERS)
    assert lived.rows(counted(LONE)) == [(1, 0)]
    many = [
        identify(f"{email}-{each}", email, user_id=f"{email}-{each}")
        for email in (LONE, buyer)
        for each in range(6)
    ]
    deliver_events(lived.home, "many", END + timedelta(hours=3), *many)
    run(lived, 4, through="fct_events")
    run(lived, 4)
    assert buyer not in {email for email, _ in lived.rows(ORDERS)}
    for email in (LONE, buyer):
        assert lived.rows(counted(email)) in ([], [(0, 0)])
    equals_a_rebuild(lived, 4)


def counted(email: str) -> str:
    return (
        "SELECT event_count, order_count FROM profiles.dim_profiles "
        f"INNER JOIN identity.dim_identifiers USING (profile_id) WHERE identifier_value = '{email}'"
    )


def equals_a_rebuild(deployment: Deployment, hours: int) -> None:
    before = told(deployment, numbers=True)
    run(deployment, hours, full_refresh=True)
    assert differences(before, told(deployment, numbers=True)) == {}


def say(deployment: Deployment, *said: Said) -> None:
    with open_warehouse(deployment.settings()) as warehouse:
        record(warehouse, said)


ORDERS = (
    "SELECT orders.email, orders.order_id FROM profiles.fct_orders AS orders "
    "INNER JOIN identity.dim_identifiers AS owner ON orders.anchor_birth = owner.birth "
    "AND orders.profile_id = owner.profile_id "
    "WHERE owner.identifier_type = 'email' AND orders.email = owner.identifier_value "
    "ORDER BY ALL"
)
"""Orders that belong to nothing but their address."""
