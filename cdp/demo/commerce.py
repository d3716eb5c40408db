"""What the shop's own database records: customers, orders, lines, refunds.

Belongs here: rows of the shop's tables, and writing them into its SQLite file. Does not belong
here: the events that an order leaves on the web (`messages`), what orders say about segments
(`truth`).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cdp.demo.behaviour import Events, Step
from cdp.demo.catalogue import KIOSK_EMAIL, PRODUCTS
from cdp.demo.messages import fields, money, text
from cdp.demo.people import DAY, HOUR, Kind, Person, Population, Window

SCHEMA = """
create table customers (
    customer_no text primary key, email_address text, phone_number text, phone_region text,
    given_name text, family_name text, born_on date, street_line text, town text, zip text,
    state text, country_code text, lang text, employer text,
    created_at datetime not null, updated_at datetime not null, deleted_at datetime
);
create table products (
    sku text primary key, title text not null, category_path text, brand text,
    list_price numeric(12, 2), list_currency text,
    created_at datetime not null, updated_at datetime not null, deleted_at datetime
);
create table orders (
    order_no text primary key, customer_no text, device_id text, contact_email text,
    contact_phone text, state text not null, placed_at datetime not null,
    currency_code text not null, grand_total numeric(12, 2) not null, discount numeric(12, 2),
    tax numeric(12, 2), shipping numeric(12, 2), sales_channel text, ship_country text,
    created_at datetime not null, updated_at datetime not null, deleted_at datetime
);
create table order_lines (
    order_no text not null, line_no integer not null, sku text, qty integer,
    unit_price numeric(12, 2), line_discount numeric(12, 2), line_total numeric(12, 2),
    created_at datetime not null, updated_at datetime not null, deleted_at datetime,
    primary key (order_no, line_no)
);
create table refunds (
    refund_no text primary key, order_no text, refunded_at datetime not null,
    amount numeric(12, 2) not null, currency_code text not null, reason text,
    created_at datetime not null, updated_at datetime not null, deleted_at datetime
);
create index customers_changed on customers (updated_at);
create index orders_changed on orders (updated_at);
create index order_lines_changed on order_lines (updated_at);
create index refunds_changed on refunds (updated_at);
"""
_WIDTHS = {"customers": 17, "products": 9, "orders": 17, "order_lines": 10, "refunds": 9}


@dataclass(frozen=True)
class Line:
    """One line of an order; amounts in cents."""

    sku: str
    quantity: int
    unit_price: int


@dataclass(frozen=True)
class Refund:
    """Money paid back on an order; amounts in cents."""

    refund_no: str
    at: int
    amount: int
    deleted: bool = False
    reason: str = "returned"


@dataclass(frozen=True)
class Order:
    """One order and all that belongs to it; amounts in cents of its currency."""

    order_no: str
    person_id: str
    at: int
    currency: str
    lines: tuple[Line, ...]
    status: str
    customer_no: str | None = None
    device_id: str | None = None
    email: str | None = None
    phone: str | None = None
    channel: str = "web"
    country: str = "US"
    discount: int = 0
    shipping: int = 0
    deleted: bool = False
    determined: bool = True
    refunds: tuple[Refund, ...] = ()

    @property
    def total(self) -> int:
        """What the customer pays."""
        goods = sum(line.quantity * line.unit_price for line in self.lines)
        return goods - self.discount + self.shipping

    @property
    def changed_at(self) -> int:
        """When the shop last touched it."""
        return max(self.at, *(refund.at for refund in self.refunds), 0)


@dataclass(frozen=True)
class Customer:
    """An account, as the shop keeps it."""

    person: Person
    created_at: int
    updated_at: int
    deleted_at: int | None = None


@dataclass
class Commerce:
    """The shop's rows of one chunk."""

    customers: list[Customer] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)


def trade(
    rng: np.random.Generator, population: Population, events: Events, window: Window, chunk: int
) -> tuple[Commerce, dict[int, str]]:
    """Turn what people did into the shop's rows.

    Returns:
        The rows, and the properties of each "Order Completed" event by its row in `events`.
    """
    web, bodies = _web_orders(rng, population, events, window, chunk)
    store = _store_orders(rng, population, events, window, chunk)
    orders = [_afterlife(rng, order, window) for order in (*web, *store)]
    return Commerce(_customers(rng, population, events, orders, window), orders), bodies


def near_month_end(at: int) -> bool:
    """Whether the month of a time, and with it the rate of its day, depends on the time zone."""
    months = [np.datetime64(at + shift, "ms").astype("datetime64[M]") for shift in (-DAY, DAY)]
    return bool(months[0] != months[1])


def _web_orders(
    rng: np.random.Generator, population: Population, events: Events, window: Window, chunk: int
) -> tuple[list[Order], dict[int, str]]:
    removed = np.zeros(len(events), np.bool_)
    removed[np.flatnonzero(events.step == Step.REMOVE) - 1] = True
    bought: dict[int, list[tuple[int, int]]] = defaultdict(list)
    wanted = set(events.session[events.step == Step.ORDER].tolist())
    adds = np.flatnonzero((events.step == Step.ADD) & ~removed)
    for session, product, quantity in zip(
        events.session[adds].tolist(),
        events.product[adds].tolist(),
        events.quantity[adds].tolist(),
        strict=True,
    ):
        if session in wanted:
            bought[session].append((product, quantity))
    orders, bodies = [], {}
    for nth, row in enumerate(np.flatnonzero(events.step == Step.ORDER).tolist()):
        person = population.people[events.person[row]]
        currency = person.country.currency
        at = int(events.at[row])
        if near_month_end(at):
            currency = "USD"
        lines = tuple(
            Line(PRODUCTS[product].sku, quantity, PRODUCTS[product].cents[currency])
            for product, quantity in bought[int(events.session[row])]
        )
        goods = sum(line.quantity * line.unit_price for line in lines)
        discounted = rng.random() < 0.15
        logged_in = bool(events.logged_in[row])
        device = int(events.device[row])
        is_guest = not logged_in
        order = Order(
            order_no=f"SO{chunk:04d}{nth:06d}",
            person_id=person.person_id,
            at=at,
            currency=currency,
            lines=lines,
            status="paid",
            customer_no=person.user_id if logged_in else None,
            device_id=population.anonymous_ids[device] if is_guest or rng.random() < 0.5 else None,
            email=_as_typed(rng, person.email) if is_guest or rng.random() < 0.7 else None,
            phone=person.e164 if is_guest and rng.random() < 0.4 else None,
            channel="app" if population.device_app[device] >= 0 else "web",
            country=person.country.code,
            discount=goods // 10 if discounted else 0,
            shipping=0 if goods > 5_000 else 490,
        )
        orders.append(order)
        bodies[row] = order_properties(order, "SPRING10" if discounted else None)
    return orders, bodies


def order_properties(order: Order, coupon: str | None = None) -> str:
    """The properties of the "Order Completed" event of an order."""
    titles = {item.sku: item for item in PRODUCTS}
    items = ",".join(
        f"{{{fields({'product_id': line.sku, 'category': titles[line.sku].category})},"
        f'"quantity":{line.quantity},"price":{money(line.unit_price)}}}'
        for line in order.lines
    )
    tail = f',"coupon":{text(coupon)}' if coupon else ""
    return (
        f'"order_id":"{order.order_no}","revenue":{money(order.total)},'
        f'"currency":"{order.currency}","shipping":{money(order.shipping)},'
        f'"discount":{money(order.discount)},"products":[{items}]{tail}'
    )


def _as_typed(rng: np.random.Generator, email: str) -> str:
    return email.title() if rng.random() < 0.1 else email


def _store_orders(
    rng: np.random.Generator, population: Population, events: Events, window: Window, chunk: int
) -> list[Order]:
    """Sales in the stores: with the customer's card, an e-mail address, or only the terminal's."""
    known = events.determined
    acted = set(events.person[known].tolist())
    found: list[Order] = []
    share = {Kind.REGISTERED: 0.6, Kind.STORE: 2.4, Kind.GUEST: 0.15}
    for row, person in enumerate(population.people):
        mean = share.get(person.kind, 0) * min(1.0, window.days / 90)
        if not mean:
            continue
        for _ in range(int(rng.poisson(mean)) or int(person.kind is Kind.STORE)):
            at = window.start + int(rng.random() * (window.end - window.start))
            way = rng.random()
            with_card = person.user_id is not None and (way < 0.75 or person.kind is Kind.STORE)
            at_kiosk = rng.random() < 0.25 if with_card else way > 0.9
            product = int(rng.integers(0, len(PRODUCTS)))
            currency = "USD" if near_month_end(at) else person.country.currency
            item = PRODUCTS[product]
            if not with_card and not at_kiosk and row not in acted:
                continue
            found.append(
                Order(
                    order_no=f"ST{chunk:04d}{len(found):06d}",
                    person_id=person.person_id,
                    at=at,
                    currency=currency,
                    lines=(Line(item.sku, int(rng.integers(1, 4)), item.cents[currency]),),
                    status="shipped",
                    customer_no=person.user_id if with_card else None,
                    email=KIOSK_EMAIL if at_kiosk else None if with_card else person.email,
                    channel="store",
                    country=person.country.code,
                    determined=with_card or not at_kiosk,
                )
            )
    return found


def _afterlife(rng: np.random.Generator, order: Order, window: Window) -> Order:
    """Some orders are cancelled, deleted or paid back."""
    fate = rng.random()
    age = window.end - order.at
    changes: dict[str, Any] = {}
    if fate < 0.04:
        changes["status"] = "cancelled"
    elif fate < 0.045:
        changes["deleted"] = True
    elif fate < 0.13 and age > HOUR:
        at = order.at + int(age * rng.random())
        full = rng.random() < 0.5
        amount = order.total if full else max(1, int(order.total * rng.choice([0.1, 0.25, 0.5])))
        changes["refunds"] = (Refund(f"RF-{order.order_no}", at, amount),)
        if full:
            changes["status"] = "refunded"
    elif age > 3 * DAY:
        changes["status"] = "shipped"
    elif fate > 0.9:
        changes["status"] = "placed"
    return Order(**{**vars(order), **changes})


def _customers(
    rng: np.random.Generator,
    population: Population,
    events: Events,
    orders: list[Order],
    window: Window,
) -> list[Customer]:
    joined = np.full(len(population.people), window.end)
    rows = np.flatnonzero(events.step == Step.IDENTIFY)
    np.minimum.at(joined, events.person[rows], events.at[rows])
    first_order: dict[str, int] = {}
    for order in orders:
        if order.customer_no:
            before = first_order.get(order.customer_no, order.at)
            first_order[order.customer_no] = min(before, order.at)
    found = []
    for row, person in enumerate(population.people):
        if person.user_id is None or person.kind is Kind.STAFF:
            continue
        created = min(int(joined[row]), first_order.get(person.user_id, window.end))
        updated = created + int((window.end - created) * rng.random())
        gone = person.kind is Kind.REGISTERED and rng.random() < 0.01
        found.append(Customer(person, created, updated, updated if gone else None))
    return found


# --- the database ------------------------------------------------------------------------------


def stamp(moment: int) -> str:
    """A time as SQLite's drivers write it (UTC)."""
    return str(np.datetime_as_string(np.datetime64(moment, "ms"), unit="us")).replace("T", " ")


def _amount(cents: int) -> float:
    return cents / 100


class ShopDatabase:
    """The shop's SQLite file, filled chunk by chunk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("page_size = 4096", "journal_mode = off", "synchronous = off"):
            self._connection.execute(f"pragma {pragma}")
        self._connection.executescript(SCHEMA)

    def add_products(self, window: Window) -> int:
        """Write the catalogue; a few products were taken out of it."""
        created, rows = stamp(window.start), []
        for number, item in enumerate(PRODUCTS):
            gone = stamp(window.start + 20 * DAY) if number % 53 == 52 else None
            changed = gone or created
            price = _amount(item.cents["USD"])
            rows.append(
                (
                    item.sku,
                    item.title,
                    item.category,
                    item.brand,
                    price,
                    "USD",
                    created,
                    changed,
                    gone,
                )
            )
        self._insert("products", rows)
        return len(rows)

    def add(self, commerce: Commerce) -> None:
        """Write the rows of one chunk."""
        self._insert("customers", (_customer_row(each) for each in commerce.customers))
        self._insert("orders", (_order_row(order) for order in commerce.orders))
        self._insert(
            "order_lines",
            (row for order in commerce.orders for row in _line_rows(order)),
        )
        self._insert(
            "refunds",
            (_refund_row(order, each) for order in commerce.orders for each in order.refunds),
        )

    def close(self) -> None:
        """Finish the file."""
        self._connection.close()

    def _insert(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * _WIDTHS[table])
        self._connection.execute("begin")
        self._connection.executemany(f"insert into {table} values ({marks})", rows)
        self._connection.execute("commit")


def _customer_row(customer: Customer) -> tuple[Any, ...]:
    person = customer.person
    city, region, postal_code = person.city
    national = int(person.phone[-2:]) % 3 == 0
    return (
        person.user_id,
        person.email,
        person.national_phone if national else person.e164,
        person.country.code,
        person.given_name,
        person.family_name,
        person.born_on,
        person.street,
        city,
        postal_code,
        region,
        person.country.code,
        person.country.language,
        person.company,
        stamp(customer.created_at),
        stamp(customer.updated_at),
        stamp(customer.deleted_at) if customer.deleted_at else None,
    )


_STATES = {"cancelled": "CANCELED"}


def _order_row(order: Order) -> tuple[Any, ...]:
    changed = stamp(order.changed_at)
    return (
        order.order_no,
        order.customer_no,
        order.device_id,
        order.email,
        order.phone,
        _STATES.get(order.status, order.status.upper()),
        stamp(order.at),
        order.currency,
        _amount(order.total),
        _amount(order.discount),
        0.0,
        _amount(order.shipping),
        order.channel,
        order.country,
        stamp(order.at),
        changed,
        changed if order.deleted else None,
    )


def _line_rows(order: Order) -> list[tuple[Any, ...]]:
    placed, changed = stamp(order.at), stamp(order.changed_at)
    return [
        (
            order.order_no,
            number,
            line.sku,
            line.quantity,
            _amount(line.unit_price),
            0.0,
            _amount(line.quantity * line.unit_price),
            placed,
            changed,
            changed if order.deleted else None,
        )
        for number, line in enumerate(order.lines, start=1)
    ]


def _refund_row(order: Order, refund: Refund) -> tuple[Any, ...]:
    at = stamp(refund.at)
    return (
        refund.refund_no,
        order.order_no,
        at,
        _amount(refund.amount),
        order.currency,
        refund.reason,
        at,
        at,
        at if refund.deleted else None,
    )
