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
from cdp.warehouse.store import open_warehouse
from tests.models.deployment import Deployment
from tests.models.test_any_order_any_past import END, differences, told
from tests.models.told_events import deliver_events, identify

pytestmark = pytest.mark.integration

DESK = "desk@example.com"
"""An address that is typed for everybody who is served at one desk."""
CLERK = identify("desk-device", DESK)
NOBODY = {"type": "identify", "traits": {"email": DESK}}
GUESTS = [identify(f"own-{each}", DESK, user_id=f"guest-{each}") for each in range(6)]


@pytest.fixture
def lived(shop: tuple[Deployment, DemoShop], tmp_path: Path) -> Deployment:
    """A shop to which a device and a caller without any have told the address of the desk."""
    made = copy(shop[0], tmp_path / "lived")
    deliver_events(made.home, "clerk", END + timedelta(hours=1), CLERK, NOBODY)
    made.run(END + timedelta(hours=2))
    return made


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
    lived.run(END + timedelta(hours=4))
    assert owners(lived) == {"clerk-0": "desk-device", "clerk-1": None}
    apart = told(lived, numbers=True)

    # A run that finds the address trusted and is not published leaves nothing behind.
    say(lived, Said(Claim("trust", Identifier("email", DESK)), "ada", "one office"))
    lived.run(END + timedelta(hours=4), publish=False)
    assert owners(lived) == {"clerk-0": DESK, "clerk-1": DESK}
    say(lived, Said(Claim("trust", Identifier("email", DESK)), "ada", "no", removes=1))
    lived.run(END + timedelta(hours=4))
    assert differences(apart, told(lived, numbers=True)) == {}

    say(lived, Said(Claim("trust", Identifier("email", DESK)), "ada", "one office"))
    lived.run(END + timedelta(hours=5))
    assert owners(lived) == {"clerk-0": DESK, "clerk-1": DESK}

    # Who was told all of it at once says the same.
    deliver_events(twin.home, "guests", END + timedelta(hours=3), *GUESTS)
    say(twin, Said(Claim("trust", Identifier("email", DESK)), "ada", "one office"))
    twin.run(END + timedelta(hours=5))
    assert differences(told(lived, numbers=True), told(twin, numbers=True)) == {}


def say(deployment: Deployment, *said: Said) -> None:
    with open_warehouse(deployment.settings()) as warehouse:
        record(warehouse, said)


def test_what_is_nobodys_has_no_orders_and_is_no_person_who_did_anything(
    lived: Deployment,
) -> None:
    ((email, _), *_) = lived.rows(ORDERS)
    buyers = [identify(f"other-{each}", email, user_id=f"other-{each}") for each in range(6)]
    deliver_events(lived.home, "guests", END + timedelta(hours=3), *GUESTS, *buyers)
    lived.run(END + timedelta(hours=5))
    assert email not in {each for each, _ in lived.rows(ORDERS)}
    counts = lived.rows(
        "SELECT event_count, order_count FROM identity.dim_identifiers "
        "LEFT JOIN profiles.dim_profiles USING (profile_id) "
        f"WHERE identifier_value IN ('{DESK}', '{email}')"
    )
    assert len(counts) == 2
    assert not any(events or orders for events, orders in counts)


ORDERS = (
    "SELECT orders.email, orders.order_id FROM profiles.fct_orders AS orders "
    "INNER JOIN identity.dim_identifiers AS owner ON orders.anchor_birth = owner.birth "
    "AND orders.profile_id = owner.profile_id "
    "WHERE owner.identifier_type = 'email' AND orders.email = owner.identifier_value "
    "ORDER BY ALL"
)
"""Orders that belong to nothing but their address."""
