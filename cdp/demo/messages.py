"""How events are spelled: Segment's shape from browsers, RudderStack's from apps.

Belongs here: the JSON text of every event, as NDJSON bytes. Does not belong here: which events
there are (`behaviour`), lines that are wrong on purpose (`broken`), single people's (`cases`).

Lines are put together column-wise from fragments that repeat (a device's context, a page, a
product), which makes a million of them in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdp.demo.behaviour import Events, Step
from cdp.demo.catalogue import (
    APPS,
    BOTS,
    BROWSERS,
    CAMPAIGNS,
    CURRENCIES,
    PRODUCTS,
    SHOP_URL,
    STATIC_PAGES,
)
from cdp.demo.people import MINUTE, Ints, Kind, Person, Population, uuids

MessageIds = np.ndarray[Any, np.dtype[np.uint8]]
"""Ids of messages as rows of 36 ASCII bytes."""
_SPELLINGS = ("Product Added", "product_added", "PRODUCT ADDED", " Product Added ")
"""One event name in several casings, as real senders have it; the first is the usual."""
_QUERIES = ("kettle", "rain jacket", "gift for dad", "größe 42", "50% off", 'the "good" lamp')
_REFERRERS = ("", "https://www.google.com/", "https://news.example/article", f"{SHOP_URL}/")


def text(value: Any) -> str:
    """Compact JSON with letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def iso(moment: int) -> str:
    """A time as the collectors write it."""
    return str(np.datetime_as_string(np.datetime64(moment, "ms"), unit="ms")) + "Z"


def money(cents: int) -> str:
    """An amount as a JSON number."""
    return f"{cents // 100}.{cents % 100:02d}"


def fields(value: dict[str, Any]) -> str:
    """The members of a JSON object without its braces."""
    return text(value)[1:-1]


def product_fields(product: int, currency: str, quantity: int | None = None) -> str:
    """The properties of an event about one product, without braces."""
    item = PRODUCTS[product]
    head = {
        "product_id": item.sku,
        "name": item.title,
        "category": item.category,
        "brand": item.brand,
    }
    ending = f',"price":{money(item.cents[currency])},"currency":"{currency}"'
    return fields(head) + ending + (f',"quantity":{quantity}' if quantity else "")


def browser_context(agent: str, ip: str, locale: str, timezone: str) -> dict[str, Any]:
    """What Segment's browser SDK says of a device."""
    return {
        "ip": ip,
        "library": {"name": "analytics.js", "version": "next-1.76.0"},
        "locale": locale,
        "timezone": timezone,
        "userAgent": agent,
    }


def app_context(app: int, ip: str, locale: str, timezone: str, denied: list[str]) -> dict[str, Any]:
    """What RudderStack's mobile SDK says of a device, with the consents given in the app."""
    system, version, maker, model, agent = APPS[app]
    purposes = ("analytics", "email_marketing", "ads")
    return {
        "app": {"name": "Tributary Shop", "version": "4.2.0", "build": "421"},
        "consentManagement": {
            "allowedConsentIds": [each for each in purposes if each not in denied],
            "deniedConsentIds": denied,
            "provider": "custom",
            "resolutionStrategy": "and",
        },
        "device": {"manufacturer": maker, "model": model, "type": system},
        "ip": ip,
        "library": {"name": f"rudder-{system.lower()}-library", "version": "3.1.0"},
        "locale": locale,
        "network": {"carrier": "none", "cellular": False, "wifi": True},
        "os": {"name": system, "version": version},
        "screen": {"density": 3, "height": 2400, "width": 1080},
        "timezone": timezone,
        "userAgent": agent,
    }


def traits(person: Person, second: bool) -> dict[str, Any]:
    """What an identify call says of a person; later calls may carry another address."""
    city, region, postal_code = person.city
    email = person.second_email if second and person.second_email else person.email
    said: dict[str, Any] = {"email": email}
    if person.kind is Kind.REGISTERED:
        said |= {
            "firstName": person.given_name,
            "lastName": person.family_name,
            "phone": person.e164,
            "birthday": person.born_on,
            "address": {
                "city": city,
                "country": person.country.code,
                "postalCode": postal_code,
                "state": region,
                "street": person.street,
            },
        }
    return said


class _Fragments:
    """Texts that lines are made of, each known by its number."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, texts: Sequence[str]) -> int:
        """Add texts; return the number of the first."""
        start = len(self.texts)
        self.texts += texts
        return start

    def array(self) -> pa.Array:
        return pa.array(self.texts, pa.string())


def _track(name: str, properties: str) -> str:
    return f'"event":{text(name)},"properties":{{{properties}}},"type":"track"'


@dataclass(frozen=True)
class Numbered:
    """The fragments of a chunk and, for each event, the numbers of those it is made of."""

    heads: pa.Array
    campaigns: pa.Array
    pages: pa.Array
    bodies: pa.Array
    users: pa.Array
    page: Ints
    body: Ints
    user: Ints


def number_fragments(
    rng: np.random.Generator, population: Population, events: Events, order_bodies: dict[int, str]
) -> Numbered:
    """Write every fragment once and number them for each event.

    Args:
        order_bodies: properties of the "Order Completed" events, by row of `events`.
    """
    is_app = population.device_app[events.device] >= 0
    currency = np.array([CURRENCIES.index(each.country.currency) for each in population.people])
    bodies = _Fragments()
    body = np.zeros(len(events), np.int64)

    def fill(step: Step, numbers: Callable[[Ints], Ints]) -> None:
        rows = np.flatnonzero(events.step == step)
        body[rows] = numbers(rows)

    pages = [_page_body(path, title) for path, title in STATIC_PAGES]
    screens = [
        f'"name":{text(title)},"properties":{{}},"type":"screen"' for _, title in STATIC_PAGES
    ]
    base_page = bodies.add(pages + screens)
    fill(Step.PAGE, lambda rows: base_page + events.page[rows] + len(pages) * is_app[rows])

    searches = [_track("Products Searched", fields({"query": each})) for each in _QUERIES]
    base_search = bodies.add(searches)
    fill(Step.SEARCH, lambda rows: base_search + events.product[rows] % len(searches))
    categories = sorted({item.category for item in PRODUCTS})
    base_list = bodies.add(
        [_track("Product List Viewed", fields({"category": each})) for each in categories]
    )
    fill(Step.LIST, lambda rows: base_list + events.product[rows] % len(categories))

    width = len(CURRENCIES)
    base_view = bodies.add(
        [
            _track("Product Viewed", product_fields(product, each))
            for product in range(len(PRODUCTS))
            for each in CURRENCIES
        ]
    )

    def of_product(rows: Ints) -> Ints:
        number: Ints = events.product[rows] * width + currency[events.person[rows]]
        return number

    fill(Step.VIEW, lambda rows: base_view + of_product(rows))
    base_added = bodies.add(
        [
            _track(name, product_fields(product, each, quantity))
            for product in range(len(PRODUCTS))
            for each in CURRENCIES
            for quantity in (1, 2, 3)
            for name in (*_SPELLINGS, "Product Removed")
        ]
    )
    spelling = np.where(rng.random(len(events)) < 0.96, 0, rng.integers(1, 4, len(events)))

    def in_cart(rows: Ints, name: Ints) -> Ints:
        with_quantity = of_product(rows) * 3 + events.quantity[rows] - 1
        number: Ints = with_quantity * (len(_SPELLINGS) + 1) + name + base_added
        return number

    fill(Step.ADD, lambda rows: in_cart(rows, spelling[rows]))
    fill(Step.REMOVE, lambda rows: in_cart(rows, np.full(len(rows), len(_SPELLINGS))))

    base_checkout = bodies.add(
        [
            _track("Cart Viewed", ""),
            _track("Checkout Started", '"step":1'),
            _track("Payment Info Entered", '"step":2,"payment_method":"card"'),
        ]
    )
    for nth, step in enumerate((Step.CART, Step.CHECKOUT, Step.PAYMENT)):
        fill(step, lambda rows, nth=nth: np.full(len(rows), base_checkout + nth))  # type: ignore[misc]

    order_rows = sorted(order_bodies)
    base_order = bodies.add([_track("Order Completed", order_bodies[row]) for row in order_rows])
    body[np.array(order_rows, np.int64)] = base_order + np.arange(len(order_rows))

    people = population.people
    base_identify = bodies.add(
        [
            f'"traits":{text(traits(person, second))},"type":"identify"'
            for person in people
            for second in (False, True)
        ]
    )
    half = np.median(events.at) if len(events) else 0
    later = (events.at > half).astype(np.int64)
    fill(Step.IDENTIFY, lambda rows: base_identify + events.person[rows] * 2 + later[rows])
    base_group = bodies.add(
        [
            f'"groupId":{text("g-" + (person.company or "none"))},'
            f'"traits":{text({"name": person.company})},"type":"group"'
            for person in people
        ]
    )
    fill(Step.GROUP, lambda rows: base_group + events.person[rows])
    base_alias = bodies.add(
        [f'"previousId":"{each}","type":"alias"' for each in population.anonymous_ids]
    )
    fill(Step.ALIAS, lambda rows: base_alias + events.device[rows])

    users = ["", *(f',"userId":"{person.user_id}"' if person.user_id else "" for person in people)]
    page_texts, page = _pages(rng, events, is_app)
    return Numbered(
        heads=pa.array(_heads(population), pa.string()),
        campaigns=pa.array([_campaign(each) for each in CAMPAIGNS], pa.string()),
        pages=page_texts,
        bodies=bodies.array(),
        users=pa.array([each + "}\n" for each in users], pa.string()),
        page=page,
        body=body,
        user=np.where(events.logged_in, events.person + 1, 0),
    )


def _page_body(path: str, title: str) -> str:
    properties = {"path": path, "title": title, "url": SHOP_URL + path}
    return f'"name":{text(title)},"properties":{text(properties)},"type":"page"'


def _campaign(campaign: dict[str, str] | None) -> str:
    return f',"campaign":{text(campaign)}' if campaign else ""


def _pages(rng: np.random.Generator, events: Events, is_app: Any) -> tuple[pa.Array, Ints]:
    """The page that the browser was on, with where it came from."""
    known = [*STATIC_PAGES, *((item.path, item.title) for item in PRODUCTS)]
    texts = [
        f',"page":{text({"path": path, "referrer": each, "title": title, "url": SHOP_URL + path})}'
        "},"
        for path, title in known
        for each in _REFERRERS
    ]
    of_product = np.isin(events.step, [Step.VIEW, Step.ADD, Step.REMOVE])
    place = np.where(of_product, len(STATIC_PAGES) + events.product, events.page)
    referrer = np.where(rng.random(len(events)) < 0.7, 3, rng.integers(0, 3, len(events)))
    number = place * len(_REFERRERS) + referrer
    return pa.array([*texts, "},"], pa.string()), np.where(is_app, len(texts), number)


def _heads(population: Population) -> list[str]:
    heads = []
    for device, owner in enumerate(population.device_owner.tolist()):
        person = population.people[owner]
        land, ip = person.country, population.device_ip[device]
        app = int(population.device_app[device])
        if app >= 0:
            denied = ["ads"] if device % 3 else []
            context = app_context(app, ip, land.locale, land.timezone, denied)
        else:
            agents = BOTS if person.kind is Kind.BOT else BROWSERS
            agent = agents[population.device_agent[device]]
            context = browser_context(agent, ip, land.locale, land.timezone)
        if person.kind is Kind.STAFF:
            context["traits"] = {"email": person.email}
        channel = "mobile" if app >= 0 else "web"
        anonymous_id = population.anonymous_ids[device]
        heads.append(
            f'{{"anonymousId":"{anonymous_id}","channel":"{channel}","context":{text(context)[:-1]}'
        )
    return heads


class Clock:
    """Times as texts, put together from two look-ups: the minute, and the rest of it."""

    def __init__(self, first: int, last: int) -> None:
        """Cover `first` to `last`, a month on either side included for clocks that are wrong."""
        self._from = first // MINUTE - 31 * 1440
        count = last // MINUTE + 31 * 1440 - self._from
        minutes = (np.arange(count) + self._from).astype("datetime64[m]")
        self._minutes = pa.array(np.datetime_as_string(minutes, unit="m").tolist(), pa.string())
        self._rest = {
            ending: pa.array(
                [f":{each // 1000:02d}.{each % 1000:03d}Z{ending}" for each in range(MINUTE)],
                pa.string(),
            )
            for ending in ('","receivedAt":"', '","sentAt":"', '","timestamp":"', '"')
        }

    def pieces(self, moments: Ints, ending: str) -> list[pa.Array]:
        """The two parts of each time, what comes after it included."""
        minute = pa.array(moments // MINUTE - self._from)
        return [self._minutes.take(minute), self._rest[ending].take(pa.array(moments % MINUTE))]


def message_ids(rng: np.random.Generator, count: int) -> MessageIds:
    """Ids of messages, as rows of ASCII bytes."""
    return uuids(rng, count)


def ascii_array(rows: np.ndarray[Any, np.dtype[np.uint8]]) -> pa.Array:
    """Rows of ASCII bytes as texts."""
    rows = np.ascontiguousarray(rows)
    count, width = rows.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(rows))


def render(
    numbered: Numbered,
    events: Events,
    rows: Ints,
    ids: MessageIds,
    skew: Ints,
    clock: Clock,
    with_timestamp: bool,
) -> pa.Array:
    """The lines of some events, in the order of `rows`, each with its line feed.

    Args:
        skew: how far each device's clock is wrong, by device.
        with_timestamp: whether the collector has already corrected the clock, as Segment's does.
    """
    at, device = events.at[rows], events.device[rows]
    received = at + events.delay[rows]
    original = at + skew[device]
    sent = original + events.delay[rows]
    before = np.frombuffer(b',"messageId":"', np.uint8)
    after = np.frombuffer(b'","originalTimestamp":"', np.uint8)
    count = len(rows)
    middle = np.concatenate(
        [np.tile(before, (count, 1)), ids[rows], np.tile(after, (count, 1))], axis=1
    )
    pieces = [
        numbered.heads.take(pa.array(device)),
        numbered.campaigns.take(pa.array(events.campaign[rows])),
        numbered.pages.take(pa.array(numbered.page[rows])),
        numbered.bodies.take(pa.array(numbered.body[rows])),
        ascii_array(middle),
        *clock.pieces(original, '","receivedAt":"'),
        *clock.pieces(received, '","sentAt":"'),
        *clock.pieces(sent, '","timestamp":"' if with_timestamp else '"'),
        *(clock.pieces(at, '"') if with_timestamp else []),
        numbered.users.take(pa.array(numbered.user[rows])),
    ]
    return pc.binary_join_element_wise(*pieces, "")
