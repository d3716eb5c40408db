"""The truth is right: found again, slowly and another way, from the files alone.

The check reads what landed (by `outcomes`), who it was (by `rows`), and the shop's database, and
finds every verdict anew by sorting and walking; it shares no code with the generator.
"""

from __future__ import annotations

import gzip
import itertools
import json
import sqlite3
from collections import defaultdict
from csv import DictReader
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import phonenumbers
import pytest
from crawleruseragents import is_crawler

from cdp.demo import DemoShop

RATES = Path(__file__).parents[2] / "dbt_project/seeds/exchange_rates.csv"
KIOSK = "kiosk@tributary-demo.example"


@dataclass
class Seen:
    """A person as the files show them."""

    events: list[tuple[datetime, int, str]] = field(default_factory=list)
    orders: list[tuple[datetime, str, Decimal]] = field(default_factory=list)


@dataclass
class Landed:
    """One landed event, with who it was."""

    message: dict[str, Any]
    number: int
    person_id: str
    determined: bool
    at: datetime


def moment(value: str | int) -> datetime:
    if isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC)
    return datetime.fromisoformat(value)


def happened(message: dict[str, Any]) -> datetime:
    if {"originalTimestamp", "sentAt", "receivedAt"} <= set(message):
        queued = moment(message["sentAt"]) - moment(message["originalTimestamp"])
        return moment(message["receivedAt"]) - queued
    return moment(message["timestamp"])


@pytest.fixture(scope="module")
def landed(small_shop: DemoShop) -> list[Landed]:
    people = {
        (file, line): (person_id, determined)
        for file, line, person_id, determined in duckdb.sql(
            f"select file, line, person_id, determined from '{small_shop.truth('rows')}' "
            "where source = 'web'"
        ).fetchall()
    }
    found = []
    number = 0
    for file in sorted({file for file, _ in people}):
        with gzip.open(small_shop.home / file) as lines:
            for line, data in enumerate(lines, start=1):
                number += 1
                if (file, line) in people:
                    message = json.loads(data)
                    found.append(Landed(message, number, *people[file, line], happened(message)))
    assert len(found) == len(people)
    return found


def counts(message: dict[str, Any]) -> bool:
    context = message.get("context", {})
    email = (message.get("traits") or context.get("traits") or {}).get("email", "")
    own = context.get("ip", "").startswith("10.") or email.endswith("@tributary-demo.example")
    return not own and not is_crawler(context.get("userAgent", ""))


def rate(currency: str, day: str) -> Decimal:
    with RATES.open() as file:
        rows = [row for row in DictReader(file) if row["currency"] == currency]
    return Decimal(
        max((row["valid_from"], row["rate_to_base"]) for row in rows if row["valid_from"] <= day)[1]
    )


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.0001"), ROUND_HALF_UP)


@pytest.fixture(scope="module")
def people(small_shop: DemoShop, landed: list[Landed]) -> dict[str, Seen]:
    found: dict[str, Seen] = defaultdict(Seen)
    for event in landed:
        if event.determined and event.at <= small_shop.end and counts(event.message):
            name = event.message.get("event", "").replace("_", " ").strip().lower()
            found[event.person_id].events.append((event.at, event.number, name))
    owners = dict(
        duckdb.sql(
            f"select row_key, person_id from '{small_shop.truth('rows')}' "
            "where source = 'shop' and stream = 'orders' and determined"
        ).fetchall()
    )
    shop = sqlite3.connect(small_shop.home / "demo/shop.sqlite")
    cut = small_shop.end.strftime("%Y-%m-%d %H:%M:%S.%f")
    orders = shop.execute(
        "select order_no, placed_at, state, currency_code, grand_total from orders "
        "where deleted_at is null and placed_at <= ?",
        [cut],
    ).fetchall()
    for order_no, placed_at, state, currency, total in orders:
        if order_no not in owners:
            continue
        by = rate(currency, placed_at[:10])
        net = rounded(Decimal(str(total)) * by)
        refunds = shop.execute(
            "select amount from refunds "
            "where order_no = ? and deleted_at is null and refunded_at <= ?",
            [order_no, cut],
        ).fetchall()
        for (amount,) in refunds:
            net -= rounded(Decimal(str(amount)) * by)
        at = datetime.fromisoformat(placed_at).replace(tzinfo=UTC)
        found[owners[order_no]].orders.append((at, state, net))
    return found


def segments_of(seen: Seen, as_of: datetime) -> set[str]:
    found = set()
    pending = None
    for at, _, name in sorted(seen.events):
        if name == "product added":
            pending = at
        elif name == "order completed":
            pending = None
    if pending and pending > as_of - timedelta(hours=24):
        found.add("active_cart_abandoners")
    times = [at for at, _, _ in seen.events] + [at for at, _, _ in seen.orders]
    if times and min(times) > as_of - timedelta(days=7):
        found.add("new_visitors")
    bought = sorted((at, net) for at, state, net in seen.orders if state != "CANCELED")
    if len(bought) > 2 and bought[-1][0] > as_of - timedelta(days=60):
        found.add("loyal_customers")
    if (
        bought
        and bought[-1][0] > as_of - timedelta(days=30)
        and sum(net for _, net in bought) > 500
    ):
        found.add("high_value_recent")
    return found


def members(shop: DemoShop) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    rows = duckdb.sql(f"select person_id, segment from '{shop.truth('segments')}'").fetchall()
    for person_id, segment in rows:
        found[person_id].add(segment)
    return found


def test_every_membership_is_found_again_from_the_files(
    small_shop: DemoShop, people: dict[str, Seen]
) -> None:
    told = members(small_shop)
    found = {
        person_id: verdict
        for person_id, seen in people.items()
        if (verdict := segments_of(seen, small_shop.end))
    }
    assert found == dict(told)


def test_every_profile_is_found_again_from_the_files(
    small_shop: DemoShop, people: dict[str, Seen]
) -> None:
    rows = duckdb.sql(
        "select person_id, first_seen, last_seen, event_count, order_count, total_spent, "
        f"first_purchase_date, last_purchase_date from '{small_shop.truth('profiles')}'"
    ).fetchall()
    assert len(rows) > 500
    for person_id, *told in rows:
        seen = people.get(person_id, Seen())
        times = [at for at, _, _ in seen.events] + [at for at, _, _ in seen.orders]
        bought = [(at, net) for at, state, net in seen.orders if state != "CANCELED"]
        days = [at for at, _ in bought]
        expected = [
            min(times, default=None),
            max(times, default=None),
            len(seen.events),
            len(bought),
            sum((net for _, net in bought), Decimal(0)),
            min(days, default=None),
            max(days, default=None),
        ]
        naive = [at.replace(tzinfo=None) if isinstance(at, datetime) else at for at in expected]
        assert told == naive, person_id


CAST = {
    "cart-exactly-24-hours-ago": set(),
    "cart-just-under-24-hours-ago": {"active_cart_abandoners"},
    "cart-at-as-of": {"active_cart_abandoners"},
    "cart-after-as-of": set(),
    "cart-due-tomorrow": set(),
    "cart-then-order": set(),
    "order-then-cart": {"active_cart_abandoners"},
    "cart-order-cart": {"active_cart_abandoners"},
    "cart-and-order-at-once-order-landed-later": set(),
    "cart-and-order-at-once-cart-landed-later": {"active_cart_abandoners"},
    "order-landed-before-the-cart-it-followed": set(),
    "cart-with-order-in-the-future": {"active_cart_abandoners"},
    "cart-in-snake-case": {"active_cart_abandoners"},
    "cart-and-order-in-odd-case": set(),
    "cart-of-upper-case-type": {"active_cart_abandoners"},
    "cart-in-epoch-milliseconds": {"active_cart_abandoners"},
    "cart-in-the-app": {"active_cart_abandoners"},
    "cart-without-message-id": {"active_cart_abandoners"},
    "cart-by-a-bot": set(),
    "cart-by-staff": set(),
    "cart-by-a-clock-three-days-slow": {"active_cart_abandoners"},
    "old-cart-by-a-clock-a-day-fast": set(),
    "cart-anonymous-and-order-on-another-device": set(),
    "cart-anonymous-claimed-by-a-later-login": {"active_cart_abandoners"},
    "first-seen-exactly-7-days-ago": set(),
    "first-seen-just-under-7-days-ago": {"new_visitors"},
    "first-seen-at-as-of": {"new_visitors"},
    "first-seen-in-the-future": set(),
    "staff-first-seen-yesterday": set(),
    "bot-first-seen-yesterday": set(),
    "first-event-arrived-late": set(),
    "visits-exactly-30-minutes-apart": set(),
    "visits-just-over-30-minutes-apart": set(),
    "first-seen-in-the-store": {"new_visitors"},
    "third-order-59-days-ago": {"loyal_customers"},
    "third-order-exactly-60-days-ago": set(),
    "third-order-just-under-60-days-ago": {"loyal_customers"},
    "third-order-cancelled": set(),
    "third-order-deleted": set(),
    "third-order-as-guest": {"loyal_customers"},
    "third-order-refunded-in-full": {"loyal_customers"},
    "third-order-in-the-future": set(),
    "spent-exactly-500": set(),
    "spent-a-cent-over-500": {"high_value_recent"},
    "spent-600-exactly-30-days-ago": set(),
    "spent-600-just-under-30-days-ago": {"high_value_recent"},
    "refunded-below-500": set(),
    "refunded-to-exactly-500": set(),
    "refund-deleted": {"high_value_recent"},
    "refund-after-as-of": {"high_value_recent"},
    "refunded-twice": set(),
    "refund-on-a-cancelled-order": {"high_value_recent"},
    "spent-480-euros": {"high_value_recent"},
    "spent-420-pounds": {"high_value_recent"},
    "spent-420-euros": set(),
    "spent-900-tomorrow": set(),
}


@pytest.mark.parametrize("name", CAST)
def test_the_cast_stands_where_it_should(small_shop: DemoShop, name: str) -> None:
    assert members(small_shop)[f"case:{name}"] == CAST[name]


def test_the_whole_cast_is_looked_at(small_shop: DemoShop) -> None:
    rows = duckdb.sql(
        f"select person_id from '{small_shop.truth('profiles')}' "
        "where person_id like 'case:%' and person_id not like 'case:conflict-%'"
    ).fetchall()
    assert {person_id.removeprefix("case:") for (person_id,) in rows} == set(CAST)


def test_sessions_are_found_again_from_the_files(
    small_shop: DemoShop, landed: list[Landed]
) -> None:
    times: dict[str, list[datetime]] = defaultdict(list)
    for event in landed:
        if counts(event.message):
            times[event.message["anonymousId"]].append(event.at)
    told = duckdb.sql(
        f"select anonymous_id, session_count, event_count from '{small_shop.truth('sessions')}'"
    ).fetchall()
    assert len(told) > 500
    for anonymous_id, session_count, event_count in told:
        its = sorted(times[anonymous_id])
        opened = 1 + sum(b - a > timedelta(minutes=30) for a, b in itertools.pairwise(its))
        assert (opened, len(its)) == (session_count, event_count)


class Groups:
    """Identifiers that are tied together."""

    def __init__(self) -> None:
        self._above: dict[tuple[str, str], tuple[str, str]] = {}

    def find(self, one: tuple[str, str]) -> tuple[str, str]:
        while (above := self._above.setdefault(one, one)) != one:
            one = above
        return one

    def tie(self, identifiers: list[tuple[str, str]]) -> None:
        for other in identifiers[1:]:
            self._above[self.find(other)] = self.find(identifiers[0])


def identifiers_of_rows(
    shop: DemoShop, landed: list[Landed]
) -> list[tuple[str | None, list[tuple[str, str]]]]:
    """(person where determined, identifiers) of every row that landed."""

    def named(**values: str | None) -> list[tuple[str, str]]:
        found = []
        for kind, value in values.items():
            if not value or value.lower() == KIOSK:
                continue
            found.append((kind, value.lower() if kind == "email" else value))
        return found

    def phone(value: str | None, country: str) -> str | None:
        if not value:
            return None
        parsed = phonenumbers.parse(value, country)
        assert phonenumbers.is_possible_number(parsed)
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)

    users: dict[str, set[str]] = defaultdict(set)
    for event in landed:
        if event.message.get("userId"):
            users[event.message["anonymousId"]].add(event.message["userId"])
    shared = {device for device, its in users.items() if len(its) > 1}
    assert shared

    rows = []
    for event in landed:
        if is_crawler(event.message.get("context", {}).get("userAgent", "")):
            continue
        said = event.message
        device = said["anonymousId"]
        traits = said.get("traits", {})
        is_company = said["type"] == "group"
        rows.append(
            (
                event.person_id if event.determined else None,
                named(
                    user=said.get("userId"),
                    device=None if device in shared else device,
                    email=None if is_company else traits.get("email"),
                    phone=None if is_company else phone(traits.get("phone"), "US"),
                ),
            )
        )
    owners = {
        (stream, key): person_id
        for stream, key, person_id in duckdb.sql(
            f"select stream, row_key, person_id from '{shop.truth('rows')}' "
            "where source <> 'web' and determined"
        ).fetchall()
    }
    database = sqlite3.connect(shop.home / "demo/shop.sqlite")
    for number, email, its_phone, country in database.execute(
        "select customer_no, email_address, phone_number, phone_region from customers"
    ):
        ids = named(user=number, email=email, phone=phone(its_phone, country))
        rows.append((owners.get(("customers", number)), ids))
    for order_no, number, device, email, its_phone, country in database.execute(
        "select order_no, customer_no, device_id, contact_email, contact_phone, ship_country "
        "from orders"
    ):
        device = None if device in shared else device
        ids = named(user=number, device=device, email=email, phone=phone(its_phone, country))
        rows.append((owners.get(("orders", order_no)), ids))
    for path in sorted((shop.home / "landing/crm").glob("*.csv")):
        with path.open() as file:
            for row in DictReader(file):
                ids = named(
                    contact=row["Id"],
                    merged=None,
                    email=row["Email"],
                    phone=phone(row["MobilePhone"], row["MailingCountryCode"]),
                )
                if row["MasterRecordId"]:
                    ids.append(("contact", row["MasterRecordId"]))
                if row["Id"]:
                    rows.append((owners.get(("contacts", row["Id"])), ids))
    for path in sorted((shop.home / "landing/consent").glob("*.ndjson")):
        for line in path.read_text().splitlines():
            if line.startswith('{"record":"cr-0'):
                subject = json.loads(line)["subject"]
                kind = {"user_id": "user", "email": "email"}[subject["type"]]
                key = json.loads(line)["record"]
                rows.append((owners.get(("consents", key)), named(**{kind: subject["value"]})))
    return rows


def test_what_is_called_determined_can_be_found_by_following_identifiers(
    small_shop: DemoShop, landed: list[Landed]
) -> None:
    rows = identifiers_of_rows(small_shop, landed)
    groups = Groups()
    for _, identifiers in rows:
        if identifiers:
            groups.tie(identifiers)
    people_of: dict[tuple[str, str], set[str]] = defaultdict(set)
    groups_of: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for person_id, identifiers in rows:
        if person_id is None:
            continue
        assert identifiers, "a determined row needs something to know its person by"
        group = groups.find(identifiers[0])
        people_of[group].add(person_id)
        groups_of[person_id].add(group)
    assert [its for its in people_of.values() if len(its) > 1] == []
    assert [who for who, its in groups_of.items() if len(its) > 1] == []
    assert len(groups_of) > 450
