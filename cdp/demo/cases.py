"""A cast of people who stand exactly on a boundary, by name.

Belongs here: people whose verdict hangs on one millisecond, one cent, or one odd message. Does not
belong here: the verdicts, which `truth` finds for them as for everybody; messages that must be
refused (`broken`).
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from cdp.demo.catalogue import BOTS, BROWSERS, COUNTRIES, PRODUCTS, STAFF_DOMAIN
from cdp.demo.commerce import Customer, Line, Order, Refund
from cdp.demo.lines import Act, Deed, SingleLine
from cdp.demo.messages import app_context, browser_context, iso
from cdp.demo.people import DAY, HOUR, MINUTE, Kind, Person

ADDED, ORDERED = "Product Added", "Order Completed"
_NAMESPACE = uuid.UUID("5b0f3c1a-3f5e-4f0c-9f53-d8a6b6f5a001")
_DEEDS: dict[str, Deed] = {
    "product added": "added",
    "order completed": "ordered",
}


@dataclass
class Cast:
    """The people of the cast and all that they leave behind."""

    as_of: int
    people: list[Person] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    lines: list[SingleLine] = field(default_factory=list)

    def play(self, name: str, long_known: bool = True, **kind: Any) -> _Role:
        """Enter a person; `long_known` ones were first seen 40 days ago."""
        number = len(self.people) + 1
        land = COUNTRIES[0]
        person = Person(
            person_id=f"case:{name}",
            kind=kind.get("kind", Kind.REGISTERED),
            country=land,
            given_name="Casey",
            family_name="Case",
            email=f"case.{number}@{STAFF_DOMAIN if kind else 'mail.example'}",
            second_email=None,
            phone=f"30355501{number:02d}",
            born_on="1980-02-29",
            street=f"Boundary Road {number}",
            city=land.cities[0],
            company=None,
            user_id=f"K{number:05d}",
        )
        self.people.append(person)
        role = _Role(self, person, str(uuid.uuid5(_NAMESPACE, name)))
        if person.kind is Kind.REGISTERED:
            self.customers.append(Customer(person, self.as_of - 45 * DAY, self.as_of - 44 * DAY))
        if long_known:
            role.says("identify", self.as_of - 40 * DAY)
        return role


@dataclass
class _Role:
    cast: Cast
    person: Person
    device: str
    _messages: int = 0
    _orders: int = 0

    def says(
        self,
        name: str,
        at: int,
        *,
        anonymous: bool = False,
        device: str | None = None,
        agent: str = BROWSERS[0],
        ip: str = "81.2.69.142",
        placed_at: int | None = None,
        received_at: int | None = None,
        clock: int = 0,
        style: str = "segment",
        has_message_id: bool = True,
    ) -> None:
        """One message: `page`, `screen`, `identify`, or the name of a track call.

        Args:
            at: when it happened.
            placed_at: where it stands in the files; when it arrived, if not given.
            clock: how far the device's clock is wrong.
            style: segment, uncorrected (no `timestamp`), bare (only `timestamp`, no skew), epoch
                (`timestamp` in milliseconds), rudder, upper (upper-case type).
        """
        self._messages += 1
        received = received_at if received_at is not None else at + 200
        message_id = str(uuid.uuid5(_NAMESPACE, f"{self.person.person_id} {self._messages}"))
        is_call = name in ("page", "screen", "identify")
        message: dict[str, Any] = {
            "anonymousId": device or self.device,
            "context": browser_context(agent, ip, "en-US", "America/New_York"),
            "type": name if is_call else "track",
        }
        if style == "rudder":
            message["channel"] = "mobile"
            message["context"] = app_context(0, ip, "en-US", "America/New_York", ["ads"])
        if has_message_id:
            message["messageId"] = message_id
        if not anonymous:
            message["userId"] = self.person.user_id
        if name == "identify":
            message["traits"] = {"email": self.person.email}
        elif is_call:
            message["name"] = "Welcome"
        else:
            message |= {"event": name, "properties": {"product_id": PRODUCTS[0].sku}}
        if style == "upper":
            message["type"] = message["type"].upper()
        if style in ("bare", "epoch"):
            message["timestamp"] = at if style == "epoch" else iso(at)
        else:
            message["originalTimestamp"] = iso(at + clock)
            message["sentAt"] = iso(received + clock)
            message["receivedAt"] = iso(received)
            if style not in ("uncorrected", "rudder"):
                message["timestamp"] = iso(at)
        deed = _DEEDS.get(name.strip().lower().replace("_", " "), "other")
        counts = agent not in BOTS and self.person.kind is Kind.REGISTERED
        self.cast.lines.append(
            SingleLine(
                placed_at=received if placed_at is None else placed_at,
                data=json.dumps(message, ensure_ascii=False).encode(),
                platform="mobile" if style == "rudder" else "web",
                message_id=message_id if has_message_id else None,
                person_id=self.person.person_id,
                kind=self.person.kind.label if agent not in BOTS else "bot",
                act=Act(at, deed, counts),
                visitor=device or self.device,
            )
        )

    def buys(
        self,
        at: int,
        cents: int,
        currency: str = "USD",
        *,
        status: str = "paid",
        deleted: bool = False,
        refunds: tuple[tuple[int, int, bool], ...] = (),
        as_guest: bool = False,
    ) -> None:
        """One order of one line; refunds are (time, cents, deleted)."""
        self._orders += 1
        order_no = f"SK{self.person.user_id}{self._orders:02d}"
        self.cast.orders.append(
            Order(
                order_no=order_no,
                person_id=self.person.person_id,
                at=at,
                currency=currency,
                lines=(Line(PRODUCTS[0].sku, 1, cents),),
                status=status,
                customer_no=None if as_guest else self.person.user_id,
                email=self.person.email.upper() if as_guest else None,
                channel="store",
                deleted=deleted,
                refunds=tuple(
                    Refund(f"RF-{order_no}-{nth}", when, amount, gone)
                    for nth, (when, amount, gone) in enumerate(refunds)
                ),
            )
        )


def cast(as_of: int) -> Cast:
    """Play every boundary case for one `as_of`."""
    found = Cast(as_of)
    _carts(found)
    _visitors(found)
    _loyal(found)
    _spenders(found)
    return found


def _carts(cast: Cast) -> None:
    now = cast.as_of
    cast.play("cart-exactly-24-hours-ago").says(ADDED, now - DAY)
    cast.play("cart-just-under-24-hours-ago").says(ADDED, now - DAY + 1)
    cast.play("cart-at-as-of").says(ADDED, now, received_at=now + 200)
    cast.play("cart-after-as-of").says(ADDED, now + 1, style="bare", placed_at=now - HOUR)
    cast.play("cart-due-tomorrow").says(ADDED, now + DAY, style="bare", placed_at=now - HOUR)

    role = cast.play("cart-then-order")
    role.says(ADDED, now - 3 * HOUR)
    role.says(ORDERED, now - 2 * HOUR)
    role = cast.play("order-then-cart")
    role.says(ORDERED, now - 3 * HOUR)
    role.says(ADDED, now - 2 * HOUR)
    role = cast.play("cart-order-cart")
    for name, hours in ((ADDED, 5), (ORDERED, 4), (ADDED, 3)):
        role.says(name, now - hours * HOUR)
    role = cast.play("cart-and-order-at-once-order-landed-later")
    role.says(ADDED, now - 2 * HOUR)
    role.says(ORDERED, now - 2 * HOUR)
    role = cast.play("cart-and-order-at-once-cart-landed-later")
    role.says(ORDERED, now - 2 * HOUR)
    role.says(ADDED, now - 2 * HOUR)
    role = cast.play("order-landed-before-the-cart-it-followed")
    role.says(ORDERED, now - 2 * HOUR, received_at=now - 2 * HOUR)
    role.says(ADDED, now - 3 * HOUR, received_at=now - HOUR)
    role = cast.play("cart-with-order-in-the-future")
    role.says(ADDED, now - 2 * HOUR)
    role.says(ORDERED, now + HOUR, style="bare", placed_at=now - HOUR)

    cast.play("cart-in-snake-case").says("product_added", now - 2 * HOUR)
    role = cast.play("cart-and-order-in-odd-case")
    role.says("PRODUCT ADDED", now - 2 * HOUR)
    role.says("order_completed", now - HOUR)
    cast.play("cart-of-upper-case-type").says(ADDED, now - 2 * HOUR, style="upper")
    cast.play("cart-in-epoch-milliseconds").says(ADDED, now - 2 * HOUR, style="epoch")
    cast.play("cart-in-the-app").says(ADDED, now - 2 * HOUR, style="rudder")
    cast.play("cart-without-message-id").says(ADDED, now - 2 * HOUR, has_message_id=False)
    cast.play("cart-by-a-bot").says(ADDED, now - 2 * HOUR, agent=BOTS[0])
    cast.play("cart-by-staff", kind=Kind.STAFF).says(ADDED, now - 2 * HOUR, ip="10.1.2.3")

    slow_clock = cast.play("cart-by-a-clock-three-days-slow")
    slow_clock.says(ADDED, now - 2 * HOUR, clock=-3 * DAY, style="uncorrected")
    fast_clock = cast.play("old-cart-by-a-clock-a-day-fast")
    fast_clock.says(ADDED, now - 30 * HOUR, clock=20 * HOUR, style="uncorrected")

    role = cast.play("cart-anonymous-and-order-on-another-device")
    other = str(uuid.uuid5(_NAMESPACE, "another device"))
    role.says(ADDED, now - 5 * HOUR, anonymous=True, device=other)
    role.says(ORDERED, now - 4 * HOUR)
    role.says("identify", now - 3 * HOUR, device=other)
    role = cast.play("cart-anonymous-claimed-by-a-later-login")
    other = str(uuid.uuid5(_NAMESPACE, "a third device"))
    role.says(ADDED, now - 5 * HOUR, anonymous=True, device=other)
    role.says("identify", now - 3 * HOUR, device=other)


def _visitors(cast: Cast) -> None:
    now = cast.as_of
    week = 7 * DAY
    cast.play("first-seen-exactly-7-days-ago", False).says("page", now - week)
    cast.play("first-seen-just-under-7-days-ago", False).says("page", now - week + 1)
    cast.play("first-seen-at-as-of", False).says("page", now, received_at=now + 200)
    role = cast.play("first-seen-in-the-future", False)
    role.says("page", now + HOUR, style="bare", placed_at=now - HOUR)
    role = cast.play("staff-first-seen-yesterday", False, kind=Kind.STAFF)
    role.says("page", now - DAY, ip="10.9.8.7")
    role = cast.play("bot-first-seen-yesterday", False)
    role.says("page", now - DAY, agent=BOTS[1])
    role = cast.play("first-event-arrived-late", False)
    role.says("page", now - 2 * DAY)
    role.says("page", now - 10 * DAY, received_at=now - DAY)
    role = cast.play("visits-exactly-30-minutes-apart", False)
    role.says("page", now - 10 * DAY)
    role.says("page", now - 10 * DAY + 30 * MINUTE)
    role = cast.play("visits-just-over-30-minutes-apart", False)
    role.says("page", now - 10 * DAY)
    role.says("page", now - 10 * DAY + 30 * MINUTE + 1)
    role = cast.play("first-seen-in-the-store", False)
    role.buys(now - 2 * DAY, 2_000)


def _loyal(cast: Cast) -> None:
    now = cast.as_of

    def three(name: str, last: int, **third: Any) -> None:
        role = cast.play(name)
        role.buys(now - 80 * DAY, 1_000)
        role.buys(now - 70 * DAY, 1_000)
        role.buys(last, 1_000, **third)

    three("third-order-59-days-ago", now - 59 * DAY)
    three("third-order-exactly-60-days-ago", now - 60 * DAY)
    three("third-order-just-under-60-days-ago", now - 60 * DAY + 1)
    three("third-order-cancelled", now - 20 * DAY, status="cancelled")
    three("third-order-deleted", now - 20 * DAY, deleted=True)
    three("third-order-as-guest", now - 20 * DAY, as_guest=True)
    three(
        "third-order-refunded-in-full",
        now - 20 * DAY,
        status="refunded",
        refunds=((now - 10 * DAY, 1_000, False),),
    )
    three("third-order-in-the-future", now + DAY)


def _spenders(cast: Cast) -> None:
    now = cast.as_of
    recent, back = now - 5 * DAY, now - 2 * DAY
    cast.play("spent-exactly-500").buys(recent, 50_000)
    cast.play("spent-a-cent-over-500").buys(recent, 50_001)
    cast.play("spent-600-exactly-30-days-ago").buys(now - 30 * DAY, 60_000)
    cast.play("spent-600-just-under-30-days-ago").buys(now - 30 * DAY + 1, 60_000)
    cast.play("refunded-below-500").buys(recent, 60_000, refunds=((back, 15_000, False),))
    cast.play("refunded-to-exactly-500").buys(recent, 60_000, refunds=((back, 10_000, False),))
    cast.play("refund-deleted").buys(recent, 60_000, refunds=((back, 15_000, True),))
    role = cast.play("refund-after-as-of")
    role.buys(recent, 60_000, refunds=((now + DAY, 15_000, False),))
    role = cast.play("refunded-twice")
    role.buys(recent, 60_000, refunds=((back, 6_000, False), (back + MINUTE, 6_000, False)))
    role = cast.play("refund-on-a-cancelled-order")
    role.buys(recent, 51_000)
    role.buys(recent, 30_000, status="cancelled", refunds=((back, 30_000, False),))
    cast.play("spent-480-euros").buys(recent, 48_000, "EUR")
    cast.play("spent-420-pounds").buys(recent, 42_000, "GBP")
    cast.play("spent-420-euros").buys(recent, 42_000, "EUR")
    cast.play("spent-900-tomorrow").buys(now + DAY, 90_000)
