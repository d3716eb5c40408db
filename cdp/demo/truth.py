"""What is true about the shop's people, found from what they did and from nothing else.

Belongs here: verdicts on the four shipped segments and a few traits, by plain code over what the
generator knows. Does not belong here: anything read from a warehouse, or shared with a model.

Only acts that the data can tie to a person count (`determined`): what nobody could know is not
held against a model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np

from cdp.demo.behaviour import Events, Step
from cdp.demo.commerce import Order
from cdp.demo.lines import Act, SingleLine
from cdp.demo.people import DAY, HOUR, MINUTE, Ints, Kind, Population
from cdp.demo.rates import Rates

SEGMENTS = ("active_cart_abandoners", "new_visitors", "loyal_customers", "high_value_recent")


@dataclass
class Known:
    """What the data tells of one person."""

    kind: str = "person"
    first_seen: int | None = None
    last_seen: int | None = None
    event_count: int = 0
    last_added: tuple[int, int] | None = None
    """Time and place in the order of landing."""
    last_ordered: tuple[int, int] | None = None
    orders: list[Order] = field(default_factory=list)
    whole: bool = True
    """Whether every trace that they left is tied to them."""

    def saw(self, at: int) -> None:
        """Stretch the time in which they were seen."""
        self.first_seen = at if self.first_seen is None else min(self.first_seen, at)
        self.last_seen = at if self.last_seen is None else max(self.last_seen, at)


@dataclass(frozen=True)
class Profile:
    """One person as a right warehouse shows them; times in milliseconds."""

    person_id: str
    kind: str
    whole: bool
    first_seen: int | None
    last_seen: int | None
    event_count: int
    order_count: int
    total_spent: Decimal
    first_purchase: int | None
    last_purchase: int | None
    segments: tuple[str, ...]


def learn_events(
    known: dict[str, Known], population: Population, events: Events, rank: Ints, as_of: int
) -> None:
    """Take in the drawn events of a chunk; `rank` is the place of each in the order of landing."""
    kind = population.kind[events.person]
    counts = events.determined & (events.at <= as_of)
    counts &= (kind != Kind.STAFF) & (kind != Kind.BOT)
    people = len(population.people)
    first = np.full(people, np.iinfo(np.int64).max)
    last = np.full(people, -1)
    np.minimum.at(first, events.person[counts], events.at[counts])
    np.maximum.at(last, events.person[counts], events.at[counts])
    number = np.bincount(events.person[counts], minlength=people)
    partly = set(events.person[~events.determined].tolist())
    for row, person in enumerate(population.people):
        its = known.setdefault(person.person_id, Known(person.kind.label))
        its.whole &= row not in partly and population.shared_device[row] < 0
        if number[row]:
            its.event_count += int(number[row])
            its.saw(int(first[row]))
            its.saw(int(last[row]))
    for step, name in ((Step.ADD, "last_added"), (Step.ORDER, "last_ordered")):
        rows = np.flatnonzero(counts & (events.step == step))
        for owner, at, place in zip(
            events.person[rows].tolist(), events.at[rows].tolist(), rank[rows].tolist(), strict=True
        ):
            _later(known[population.people[owner].person_id], name, (at, place))


def learn_act(
    known: dict[str, Known], person_id: str, kind: str, act: Act, place: int, as_of: int
) -> None:
    """Take in one single line."""
    its = known.setdefault(person_id, Known(kind))
    if not act.counts or act.at > as_of:
        return
    its.event_count += 1
    its.saw(act.at)
    if act.name == "added":
        _later(its, "last_added", (act.at, place))
    elif act.name == "ordered":
        _later(its, "last_ordered", (act.at, place))


def _later(its: Known, name: str, moment: tuple[int, int]) -> None:
    before = getattr(its, name)
    if before is None or moment > before:
        setattr(its, name, moment)


def learn_orders(known: dict[str, Known], orders: list[Order]) -> None:
    """Take in the shop's orders."""
    for order in orders:
        its = known.setdefault(order.person_id, Known())
        if order.determined:
            its.orders.append(order)
        else:
            its.whole = False


def judge(person_id: str, its: Known, rates: Rates, as_of: int) -> Profile:
    """Find a person's traits and segments at `as_of`."""
    alive = [order for order in its.orders if not order.deleted and order.at <= as_of]
    first_seen, last_seen = its.first_seen, its.last_seen
    if alive:
        times = [order.at for order in alive]
        first_seen = min(times) if first_seen is None else min(first_seen, *times)
        last_seen = max(times) if last_seen is None else max(last_seen, *times)
    counted = [order for order in alive if order.status != "cancelled"]
    spent = sum((_net(order, rates, as_of) for order in counted), Decimal(0))
    bought = [order.at for order in counted]
    last_purchase = max(bought, default=None)

    member = []
    added, ordered = its.last_added, its.last_ordered
    if added and added[0] > as_of - 24 * HOUR and not (ordered and ordered > added):
        member.append("active_cart_abandoners")
    if first_seen is not None and first_seen > as_of - 7 * DAY:
        member.append("new_visitors")
    if last_purchase is not None:
        if len(counted) >= 3 and last_purchase > as_of - 60 * DAY:
            member.append("loyal_customers")
        if spent > 500 and last_purchase > as_of - 30 * DAY:
            member.append("high_value_recent")
    return Profile(
        person_id=person_id,
        kind=its.kind,
        whole=its.whole,
        first_seen=first_seen,
        last_seen=last_seen,
        event_count=its.event_count,
        order_count=len(counted),
        total_spent=spent,
        first_purchase=min(bought, default=None),
        last_purchase=last_purchase,
        segments=tuple(member),
    )


def _net(order: Order, rates: Rates, as_of: int) -> Decimal:
    day = _day(order.at)
    refunds = [each for each in order.refunds if not each.deleted and each.at <= as_of]
    paid = rates.to_base(order.total, order.currency, day)
    back = (rates.to_base(each.amount, order.currency, day) for each in refunds)
    return paid - sum(back, Decimal(0))


def _day(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).date()


@dataclass(frozen=True)
class Visits:
    """How often one device came; a gap of over 30 minutes parts two sessions."""

    anonymous_id: str
    person_id: str
    session_count: int
    event_count: int


def count_sessions(population: Population, events: Events) -> list[Visits]:
    """Count the sessions of every device of a chunk but those of bots and staff."""
    kind = population.kind[events.person]
    mine = np.flatnonzero((kind != Kind.STAFF) & (kind != Kind.BOT))
    mine = mine[np.lexsort((events.at[mine], events.device[mine]))]
    device, at = events.device[mine], events.at[mine]
    opens = np.ones(len(mine), np.bool_)
    opens[1:] = (device[1:] != device[:-1]) | (at[1:] - at[:-1] > 30 * MINUTE)
    devices = len(population.device_owner)
    sessions = np.bincount(device[opens], minlength=devices)
    number = np.bincount(device, minlength=devices)
    return [
        Visits(
            population.anonymous_ids[each],
            population.people[population.device_owner[each]].person_id,
            int(sessions[each]),
            int(number[each]),
        )
        for each in np.flatnonzero(number).tolist()
    ]


def count_single_sessions(lines: Iterable[SingleLine], as_of: int) -> list[Visits]:
    """Count the sessions of the devices of single lines, but of those with a future to come."""
    found: dict[str, list[SingleLine]] = {}
    for line in lines:
        if line.visitor and line.act and line.act.counts:
            found.setdefault(line.visitor, []).append(line)
    visits = []
    for visitor, its in found.items():
        times = sorted(line.act.at for line in its if line.act)
        if times[-1] > as_of:
            continue
        gaps = [later - earlier for earlier, later in pairwise(times)]
        count = 1 + sum(gap > 30 * MINUTE for gap in gaps)
        visits.append(Visits(visitor, its[0].person_id or "", count, len(times)))
    return visits
