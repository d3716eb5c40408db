"""Who the people of the shop are: names, addresses, devices, and how they may be told apart.

Belongs here: everything about people and devices that holds before they do anything. Does not
belong here: what they do (`behaviour`), what they buy (`commerce`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from cdp.demo.catalogue import (
    APPS,
    BOTS,
    BROWSERS,
    COUNTRIES,
    FAMILY_NAMES,
    GIVEN_NAMES,
    MAIL_DOMAINS,
    STAFF_DOMAIN,
    Country,
)

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""Times inside the generator are milliseconds since 1970, UTC."""


class Kind(IntEnum):
    """How a person deals with the shop."""

    REGISTERED = 0
    GUEST = 1
    VISITOR = 2
    STORE = 3
    STAFF = 4
    BOT = 5

    @property
    def label(self) -> str:
        """The word that the truth uses."""
        return {Kind.STAFF: "internal", Kind.BOT: "bot"}.get(self, "person")


@dataclass(frozen=True)
class Person:
    """One person (or bot) and what identifies them."""

    person_id: str
    kind: Kind
    country: Country
    given_name: str
    family_name: str
    email: str
    second_email: str | None
    phone: str
    """National digits, without the trunk prefix."""
    born_on: str
    street: str
    city: tuple[str, str, str]
    company: str | None
    user_id: str | None

    @property
    def e164(self) -> str:
        """The phone number as the world dials it."""
        return self.country.dial + self.phone

    @property
    def national_phone(self) -> str:
        """The phone number as the country writes it."""
        digits = self.country.trunk + self.phone
        return f"{digits[:4]} {digits[4:7]}-{digits[7:]}"


@dataclass(frozen=True)
class Window:
    """The time that the shop covers."""

    start: int
    end: int

    @property
    def days(self) -> float:
        """Its length."""
        return (self.end - self.start) / DAY


@dataclass(frozen=True)
class Population:
    """The people of one chunk, and their devices, as rows of arrays."""

    people: list[Person]
    kind: Ints
    first_device: Ints
    device_count: Ints
    device_owner: Ints
    device_app: Ints
    """-1 for a browser, else the number of the app."""
    device_agent: Ints
    device_skew: Ints
    device_ip: list[str]
    anonymous_ids: list[str]
    shared_device: Ints
    """The household browser of each person, on which somebody else logs in too; else -1."""


def uuids(rng: np.random.Generator, count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Random ids in the usual form: `count` rows of 36 ASCII bytes."""
    digits = np.frombuffer(rng.bytes(16 * count).hex().encode(), np.uint8).reshape(count, 32)
    dash = np.full((count, 1), ord("-"), np.uint8)
    cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    pieces: list[Any] = []
    for start, stop in cuts:
        pieces += [dash, digits[:, start:stop]]
    return np.concatenate(pieces[1:], axis=1)


def uuid_texts(rng: np.random.Generator, count: int) -> list[str]:
    """Random ids as texts."""
    rows = uuids(rng, count).tobytes().decode()
    return [rows[36 * number : 36 * number + 36] for number in range(count)]


def phone_number(country: Country, number: int) -> str:
    """The number-th phone number of a country.

    The last digit checks the others, so a number with one wrong digit is nobody's: a typo in a
    contact never makes it look like somebody else.
    """
    block = 800_000
    mixed = (number * 7_368_787 + 5_004_421) % (len(country.phone_prefixes) * block)
    prefix = country.phone_prefixes[mixed // block]
    six = str(mixed % block + 200_000)
    return f"{prefix}{six}{sum(map(int, six)) % 10}"


def ascii_letters(name: str) -> str:
    """A name as it stands in an e-mail address."""
    plain = name.lower().translate(str.maketrans("üöäéèîñíúøåç", "uoaeeiniuoac", "'"))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalpha())


def populate(rng: np.random.Generator, chunk: int, first: int, count: int) -> Population:
    """Draw the people of a chunk: `count` shoppers numbered from `first`, its staff and bots."""
    staff, bots = max(1, count // 500), max(1, count // 125)
    kind = np.concatenate(
        [
            rng.choice(4, count, p=[0.52, 0.12, 0.33, 0.03]),
            np.full(staff, Kind.STAFF),
            np.full(bots, Kind.BOT),
        ]
    ).astype(np.int64)
    total = len(kind)
    country = rng.choice(len(COUNTRIES), total, p=[each.weight for each in COUNTRIES])
    given = rng.integers(0, len(GIVEN_NAMES), total)
    family = rng.integers(0, len(FAMILY_NAMES), total)
    domain = rng.integers(0, len(MAIL_DOMAINS), total)
    born = rng.integers(-14_000, 13_000, total)
    house = rng.integers(1, 180, total)
    city = rng.integers(0, 1_000, total)
    second = rng.random(total) < 0.05
    at_work = rng.random(total) < 0.08
    birth_dates = np.datetime_as_string(born.astype("datetime64[D]")).tolist()
    people = []
    for row in range(total):
        its_kind, land = Kind(int(kind[row])), COUNTRIES[country[row]]
        number = first + row
        if its_kind is Kind.STAFF:
            number = row - count
        elif its_kind is Kind.BOT:
            number = row - count - staff
        letter = {Kind.STAFF: f"s{chunk:04d}-", Kind.BOT: f"b{chunk:04d}-"}.get(its_kind, "p")
        one, other = GIVEN_NAMES[given[row]], FAMILY_NAMES[family[row]]
        local = f"{ascii_letters(one)}.{ascii_letters(other)}"
        mail = f"{local}.{number}@{MAIL_DOMAINS[domain[row]]}"
        if its_kind is Kind.STAFF:
            mail = f"{local}.{chunk}-{number}@{STAFF_DOMAIN}"
        # A guest who left a second address only would be two people to the data.
        is_known = its_kind is Kind.REGISTERED
        people.append(
            Person(
                person_id=f"{letter}{number:07d}",
                kind=its_kind,
                country=land,
                given_name=one,
                family_name=other,
                email=mail,
                second_email=f"{local}.{number}@work.example" if second[row] and is_known else None,
                phone=phone_number(land, first + row),
                born_on=birth_dates[row],
                street=f"{other} Street {house[row]}",
                city=land.cities[city[row] % len(land.cities)],
                company=f"{other} & Co {number % 97}" if at_work[row] else None,
                user_id={
                    Kind.REGISTERED: f"C{number:07d}",
                    Kind.STORE: f"C{number:07d}",
                    Kind.STAFF: f"T{chunk:04d}{number:04d}",
                }.get(its_kind),
            )
        )
    return _with_devices(rng, people, kind)


def _with_devices(rng: np.random.Generator, people: list[Person], kind: Ints) -> Population:
    total = len(kind)
    device_count = np.ones(total, np.int64)
    registered, guest = kind == Kind.REGISTERED, kind == Kind.GUEST
    device_count[registered] = rng.choice(
        [1, 2, 3, 4], registered.sum(), p=[0.45, 0.35, 0.15, 0.05]
    )
    device_count[guest] = rng.choice([1, 2], guest.sum(), p=[0.8, 0.2])
    device_count[kind == Kind.STORE] = 0
    first_device = np.cumsum(device_count) - device_count
    owner = np.repeat(np.arange(total), device_count)
    shared = np.full(total, -1, np.int64)
    # About one registered person in twenty has a household browser beside their own devices,
    # on which a second person logs in too.
    shoppers = np.flatnonzero(registered)
    pairs = shoppers[: len(shoppers) // 2 * 2].reshape(-1, 2)
    pairs = pairs[rng.random(len(pairs)) < 0.05]
    shared[pairs] = len(owner) + np.arange(len(pairs))[:, None]
    owner = np.concatenate([owner, pairs[:, 0]])
    app_share = np.array([0.28, 0.1, 0.1, 0, 0, 0])
    is_app = rng.random(len(owner)) < app_share[kind[owner]]
    is_app[device_count.sum() :] = False
    app = np.where(is_app, rng.integers(0, len(APPS), len(owner)), -1)
    agent = rng.integers(0, len(BROWSERS), len(owner))
    bot = kind[owner] == Kind.BOT
    agent[bot] = rng.integers(0, len(BOTS), bot.sum())
    # Most clocks are nearly right; some are minutes, a few are hours or days away.
    spread = rng.choice([2_000, 5 * MINUTE, 30 * HOUR], len(owner), p=[0.86, 0.1, 0.04])
    skew = ((rng.random(len(owner)) * 2 - 1) * spread).astype(np.int64)
    octets = rng.integers(1, 255, (len(owner), 3))
    nets = np.array([2, 24, 71, 73, 81, 84, 86, 91, 92, 98])[rng.integers(0, 10, len(owner))]
    nets[kind[owner] == Kind.STAFF] = 10
    ips = [f"{net}.{a}.{b}.{c}" for net, (a, b, c) in zip(nets, octets, strict=True)]
    return Population(
        people=people,
        kind=kind,
        first_device=first_device,
        device_count=device_count,
        device_owner=owner,
        device_app=app.astype(np.int64),
        device_agent=agent.astype(np.int64),
        device_skew=skew,
        device_ip=ips,
        anonymous_ids=uuid_texts(rng, len(owner)),
        shared_device=shared,
    )
