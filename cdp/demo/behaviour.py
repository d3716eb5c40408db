"""What people do: sessions on devices, and the events in them, as columns of numbers.

Belongs here: when, on which device and in which order people look, put into carts, buy and log in.
Does not belong here: how an event is spelled (`messages`), what the shop's own database records
(`commerce`).

Everything is drawn for a whole chunk of people at once; a million people are so many chunks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from cdp.demo.catalogue import CAMPAIGNS, PRODUCTS, STATIC_PAGES
from cdp.demo.people import DAY, HOUR, MINUTE, Bools, Ints, Kind, Population, Window


class Step(IntEnum):
    """What an event is."""

    PAGE = 0
    IDENTIFY = 1
    SEARCH = 2
    VIEW = 3
    ADD = 4
    REMOVE = 5
    CART = 6
    CHECKOUT = 7
    PAYMENT = 8
    ORDER = 9
    GROUP = 10
    ALIAS = 11
    LIST = 12


@dataclass(frozen=True)
class Events:
    """One row per event of a chunk, session by session."""

    person: Ints
    device: Ints
    session: Ints
    step: Ints
    at: Ints
    """When it happened, corrected for the device's clock."""
    product: Ints
    quantity: Ints
    page: Ints
    campaign: Ints
    logged_in: Bools
    determined: Bools
    delay: Ints
    """From happening to reaching the collector."""

    def __len__(self) -> int:
        return len(self.at)

    def where(self, keep: Bools | Ints) -> Events:
        """Some of the rows."""
        return Events(**{name: column[keep] for name, column in vars(self).items()})


_SHAPE: tuple[tuple[Step, int, float, float], ...] = (
    # step, the least depth of a session that has it, surely, and how many more on average
    (Step.PAGE, 0, 1, 0.0),
    (Step.IDENTIFY, 9, 0, 0.0),
    (Step.GROUP, 9, 0, 0.0),
    (Step.ALIAS, 9, 0, 0.0),
    (Step.SEARCH, 1, 0, 0.35),
    (Step.LIST, 1, 0, 0.5),
    (Step.VIEW, 1, 1, 1.3),
    (Step.PAGE, 0, 0, 0.9),
    (Step.VIEW, 1, 0, 0.9),
    (Step.ADD, 2, 1, 0.6),
    (Step.REMOVE, 9, 0, 0.0),
    (Step.VIEW, 2, 0, 0.7),
    (Step.ADD, 2, 0, 0.3),
    (Step.CART, 2, 0, 0.7),
    (Step.CHECKOUT, 3, 1, 0.0),
    (Step.PAYMENT, 3, 0, 0.8),
    (Step.ORDER, 4, 1, 0.0),
    (Step.PAGE, 4, 1, 0.0),
)
_IDENTIFY_SLOT, _GROUP_SLOT, _ALIAS_SLOT, _ADD_SLOT, _REMOVE_SLOT = 1, 2, 3, 9, 10
_SINGLE = {Step.PAYMENT, Step.SEARCH, Step.CART, Step.LIST}

_SESSIONS_A_DAY = {
    Kind.REGISTERED: 0.183,
    Kind.GUEST: 0.065,
    Kind.VISITOR: 0.034,
    Kind.STORE: 0.0,
    Kind.STAFF: 0.5,
    Kind.BOT: 0.12,
}
_DEPTHS = np.array(
    [
        # bounce, browse, cart, checkout, order: shares by kind, summed up
        [0.20, 0.55, 0.74, 0.79, 1.0],
        [0.20, 0.50, 0.72, 0.78, 1.0],
        [0.45, 0.85, 0.97, 1.00, 1.0],
        [1.00, 1.00, 1.00, 1.00, 1.0],
        [0.30, 0.60, 0.95, 1.00, 1.0],
        [0.30, 0.90, 1.00, 1.00, 1.0],
    ]
)


@dataclass(frozen=True)
class _Sessions:
    person: Ints
    device: Ints
    start: Ints
    logged_in: Bools
    identifies: Bools
    """Whether the person says who they are in it."""
    determined: Bools
    on_shared: Bools


def behave(rng: np.random.Generator, population: Population, window: Window) -> Events:
    """Draw everything that the people of a chunk do in the window."""
    sessions = _sessions(rng, population, window)
    events = _events(rng, population, sessions, window)
    return _with_loose_pages(rng, population, sessions, events, window)


def _sessions(rng: np.random.Generator, population: Population, window: Window) -> _Sessions:
    kind = population.kind
    # A session that says who somebody is must not be cut before it does.
    latest = window.end - HOUR
    span = latest - window.start
    first_seen = window.start + (rng.random(len(kind)) ** 1.3 * span * 0.999).astype(np.int64)
    rate = np.array([_SESSIONS_A_DAY[each] for each in Kind])[kind]
    liveliness = rng.gamma(1.4, 1 / 1.4, len(kind))
    left_days = (window.end - first_seen) / DAY
    count = 1 + rng.poisson(rate * liveliness * left_days)
    count[kind == Kind.STORE] = 0
    person = np.repeat(np.arange(len(kind)), count)
    first_row = np.cumsum(count) - count
    nth = np.arange(len(person)) - first_row[person]
    start = first_seen[person] + (rng.random(len(person)) * (latest - first_seen[person])).astype(
        np.int64
    )
    start[nth == 0] = first_seen[person[nth == 0]]
    order = np.lexsort((start, person))
    start = start[order]
    device = population.first_device[person] + (
        rng.random(len(person)) * population.device_count[person]
    ).astype(np.int64)

    # Registered people make their account some sessions in; staff have had theirs for ever.
    registered = kind == Kind.REGISTERED
    joins = np.where(registered, np.minimum(count - 1, rng.geometric(0.45, len(kind)) - 1), 0)
    has_account = registered | (kind == Kind.STAFF)
    joined = has_account[person] & (nth >= joins[person])

    # Every device of a person meets a login sooner or later, else nothing would tie it to them;
    # but a few old ones never do, and nobody can know whose they were.
    devices = len(population.device_owner)
    tied = np.bincount(device[joined], minlength=devices) > 0
    forgotten = rng.random(len(kind)) < 0.02
    stays = forgotten[person] & (start < window.end - 8 * DAY) & ~joined
    device_at_joining = np.zeros(len(kind), np.int64)
    joining = joined & (nth == joins[person])
    device_at_joining[person[joining]] = device[joining]
    loose = has_account[person] & ~tied[device] & ~stays
    device = np.where(loose, device_at_joining[person], device)
    determined = ~(has_account[person] & ~tied[device])

    # Logged in on the household browser, always: only so the data says who it was.
    shared = population.shared_device[person]
    on_shared = (shared >= 0) & (nth > joins[person]) & (rng.random(len(person)) < 0.35)
    needed = np.unique(device[joined & ~on_shared])
    still_tied = np.zeros(devices, np.bool_)
    still_tied[needed] = True
    on_shared &= still_tied[device]
    device = np.where(on_shared, shared, device)

    rows = np.arange(len(person))
    first_login = np.full(devices, len(person))
    np.minimum.at(first_login, device[joined], rows[joined])
    logs_in = joined & ((rows == first_login[device]) | on_shared)
    stayed_out = rng.random(len(person)) < 0.15
    logged_in = joined & (logs_in | ~stayed_out)
    # Guests leave their address on the last visit with each device.
    last_visit = np.full(devices, -1)
    np.maximum.at(last_visit, device, rows)
    leaves_address = (kind[person] == Kind.GUEST) & (rows == last_visit[device])
    identifies = logs_in | leaves_address | (logged_in & (rng.random(len(person)) < 0.08))
    return _Sessions(person, device, start, logged_in, identifies, determined, on_shared)


def _events(
    rng: np.random.Generator, population: Population, sessions: _Sessions, window: Window
) -> Events:
    total = len(sessions.person)
    kind = population.kind[sessions.person]
    depth = (rng.random(total)[:, None] > _DEPTHS[kind]).sum(axis=1)
    # Nothing is bought where nobody can know who it was: an order would tell.
    depth = np.where(sessions.determined, depth, np.minimum(depth, 1))
    counts = np.zeros((total, len(_SHAPE)), np.int64)
    for slot_number, (its_step, least, surely, more) in enumerate(_SHAPE):
        extra = rng.poisson(more, total) if more else np.zeros(total, np.int64)
        if its_step in _SINGLE:
            extra = np.minimum(extra, 1)
        counts[:, slot_number] = np.where(depth >= least, surely + extra, 0)
    counts[:, _IDENTIFY_SLOT] = sessions.identifies
    works = np.array([person.company is not None for person in population.people])
    counts[:, _GROUP_SLOT] = sessions.identifies & sessions.logged_in & works[sessions.person]
    says_user_id = sessions.identifies & sessions.logged_in & ~sessions.on_shared
    from_app = population.device_app[sessions.device] >= 0
    counts[:, _ALIAS_SLOT] = says_user_id & from_app & (rng.random(total) < 0.5)
    counts[:, _REMOVE_SLOT] = (counts[:, _ADD_SLOT] > 1) & (rng.random(total) < 0.4)

    steps = np.array([shape[0] for shape in _SHAPE])
    session = np.repeat(np.arange(total), counts.sum(axis=1))
    flat = counts.ravel()
    slot = np.repeat(np.tile(np.arange(len(_SHAPE)), total), flat)
    step = steps[slot]
    number = len(session)

    gaps = 1_000 + rng.exponential(38_000, number)
    slow = rng.random(number) < 0.012
    gaps[slow] += rng.random(slow.sum()) * 20 * MINUTE
    first_row = np.searchsorted(session, np.arange(total))
    gaps[first_row] = 0
    passed = np.cumsum(gaps.astype(np.int64))
    at = sessions.start[session] + passed - passed[first_row][session]

    # A person has favourites; what is put into the cart is mostly what was looked at last.
    favourite = rng.integers(0, 8, len(population.people))
    block = len(PRODUCTS) // 8
    product = np.where(
        rng.random(number) < 0.6,
        favourite[sessions.person[session]] * block + rng.integers(0, block, number),
        rng.integers(0, len(PRODUCTS), number),
    )
    removes = np.flatnonzero(step == Step.REMOVE)
    quantity = rng.choice([1, 2, 3], number, p=[0.8, 0.15, 0.05])
    # The event before a removal is always the latest thing put in: the shape says so.
    product[removes], quantity[removes] = product[removes - 1], quantity[removes - 1]
    page = rng.choice(4, number, p=[0.6, 0.2, 0.1, 0.1])
    for its_step, path in ((Step.CART, "/cart"), (Step.CHECKOUT, "/checkout")):
        page[step == its_step] = [each[0] for each in STATIC_PAGES].index(path)
    page[(step == Step.PAGE) & (slot == len(_SHAPE) - 1)] = 6
    page[step == Step.IDENTIFY] = 7
    campaigns = rng.choice(len(CAMPAIGNS), total, p=[0.7, 0.09, 0.08, 0.07, 0.06])

    logged_in = sessions.logged_in[session]
    # On the day of the login, what was done before it is anonymous.
    at_login = sessions.identifies[session] & (slot < _IDENTIFY_SLOT)
    logged_in = logged_in & ~(at_login & ~sessions.on_shared[session])
    device = sessions.device[session]
    events = Events(
        person=sessions.person[session],
        device=device,
        session=session,
        step=step,
        at=at,
        product=product,
        quantity=quantity,
        page=page,
        campaign=campaigns[session],
        logged_in=logged_in,
        determined=sessions.determined[session],
        delay=_delays(rng, population.device_app[device] >= 0),
    )
    return events.where(_whole_until(events, window.end - 5_000))


def _whole_until(events: Events, end: int) -> Bools:
    """What the window's end leaves of each session."""
    return np.asarray(events.at <= end)


def _delays(rng: np.random.Generator, is_app: Bools) -> Ints:
    number = len(is_app)
    delay = 40 + rng.exponential(600, number)
    offline = is_app & (rng.random(number) < 0.08)
    delay[offline] += rng.random(offline.sum()) * 6 * HOUR
    late = rng.random(number) < 0.012
    delay[late] += DAY * (1 + 5 * rng.random(late.sum()))
    return delay.astype(np.int64)


def _with_loose_pages(
    rng: np.random.Generator,
    population: Population,
    sessions: _Sessions,
    events: Events,
    window: Window,
) -> Events:
    """Add page views without a login on household browsers: whose they are, nobody can tell.

    They lie between what both people are known to have done, so that whoever gets them, neither's
    first nor last day changes; and they begin over a week before the end, so that a browser taken
    for a person of its own is no new visitor.
    """
    shared_rows = np.flatnonzero(sessions.on_shared)
    users: dict[int, set[int]] = {}
    for row in shared_rows.tolist():
        users.setdefault(int(sessions.device[row]), set()).add(int(sessions.person[row]))
    known = events.determined & events.logged_in
    first = np.full(len(population.people), window.end)
    last = np.full(len(population.people), window.start)
    np.minimum.at(first, events.person[known], events.at[known])
    np.maximum.at(last, events.person[known], events.at[known])
    person, device, at = [], [], []
    for its_device, both in sorted(users.items()):
        if len(both) < 2:
            continue
        earliest, latest = max(first[list(both)]), min(last[list(both)])
        quarter = earliest + (latest - earliest) // 4
        if latest - earliest < DAY or quarter > window.end - 8 * DAY:
            continue
        for part in (0.25, 0.5, 0.75):
            person.append(sorted(both)[int(rng.integers(0, 2))])
            device.append(its_device)
            at.append(int(earliest + part * (latest - earliest)))
    number = len(at)
    if not number:
        return events
    zeros = np.zeros(number, np.int64)
    session = int(events.session.max(initial=0)) + 1 + np.arange(number)
    loose = Events(
        person=np.array(person),
        device=np.array(device),
        session=session,
        step=np.full(number, Step.PAGE, np.int64),
        at=np.array(at),
        product=zeros,
        quantity=zeros + 1,
        page=zeros,
        campaign=zeros,
        logged_in=np.zeros(number, np.bool_),
        determined=np.zeros(number, np.bool_),
        delay=zeros + 300,
    )
    return Events(
        **{
            name: np.concatenate([column, getattr(loose, name)])
            for name, column in vars(events).items()
        }
    )
