"""Limits: how many values of a type one person may hold, for ever or within a period.

Belongs here: counting the values of sets of identifiers that grow together, at a cost that goes by
what is added, however many a set holds. Does not belong here: which sets are to grow together, and
in which order (`cdp.identity.solving`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from cdp.identity.graph import Component, Edge, Union
from cdp.identity.rules import Rules


class Held:
    """How many values of each limited type every set of identifiers holds."""

    def __init__(
        self, part: Component, touching: Iterable[Edge], believed: Union, rules: Rules
    ) -> None:
        self._identifiers = part.identifiers
        self._believed = believed
        self._rules = rules
        self._held: dict[int, dict[str, _Values]] = {}
        self._since: dict[int, datetime] = {}
        for edge in touching:
            for node in (edge.left, edge.right):
                one, at = believed.root(node), edge.first_occurred_at
                if at is not None:
                    self._since[one] = min(at, self._since.get(one, at))

    def begin(self, joined: Union) -> None:
        """Count what each of the sets holds that there are before any edge counts."""
        together: dict[int, dict[str, set[int]]] = {}
        for node, identifier in self._identifiers.items():
            rule = self._rules.of(identifier.type)
            # What has no limit is not counted: a device may be one of thousands.
            if rule.max_per_profile is not None or rule.do_not_merge:
                held = together.setdefault(joined.root(node), {})
                held.setdefault(identifier.type, set()).add(self._believed.root(node))
        self._held = {
            root: {
                kind: _Values(members, self._rules.of(kind).window, self._since)
                for kind, members in held.items()
            }
            for root, held in together.items()
        }

    def broken(self, one: int, other: int) -> str | None:
        """The rule that the two sets would break as one; None if they may be one."""
        ours, theirs = self._held.get(one, {}), self._held.get(other, {})
        for kind in sorted(ours.keys() & theirs.keys()):
            more, fewer = _by_number(ours[kind], theirs[kind])
            added = fewer.members - more.members
            # What one set holds too many of already, because a person said so, is no reason to
            # keep from it what adds none.
            if not added:
                continue
            rule = self._rules.of(kind)
            if rule.do_not_merge:
                return f"do_not_merge:{kind}"
            limit = rule.max_per_profile
            # Sets that hold too many as they are need not be counted together, which takes as long
            # as the most that a period of theirs has.
            if limit is not None and (
                max(more.most, fewer.most) > limit or more.most_with(added) > limit
            ):
                return f"limit:{kind}"
        return None

    def unite(self, one: int, other: int, root: int) -> None:
        """The two sets are one from now on, called after `root`."""
        ours, theirs = self._held.pop(one, {}), self._held.pop(other, {})
        for kind, values in theirs.items():
            if kind in ours:
                more, fewer = _by_number(ours[kind], values)
                more.add(fewer.members - more.members)
                ours[kind] = more
            else:
                ours[kind] = values
        if ours:
            self._held[root] = ours


class _Values:
    """The values of one type that a set holds.

    Attributes:
        most: how many of them there are within any period of the window; all of them where the
            limit holds for ever.
    """

    def __init__(
        self, members: set[int], window: timedelta | None, since: Mapping[int, datetime]
    ) -> None:
        self.members = members
        self._window = window
        self._since = since
        self._times = [] if window is None else self._told(members)
        self._dated = 0 if window is None else _most_within(self._times, window)

    @property
    def most(self) -> int:
        # What tells no time may have been seen at any.
        return self._dated + len(self.members) - len(self._times)

    def most_with(self, added: Collection[int]) -> int:
        """`most`, were values added that it does not hold."""
        times = [] if self._window is None else self._told(added)
        undated = len(self.members) + len(added) - len(self._times) - len(times)
        return self._dated_with(times) + undated

    def add(self, added: Collection[int]) -> None:
        """Hold more values, none of which it holds already."""
        if self._window is not None:
            times = self._told(added)
            self._dated = self._dated_with(times)
            for at in times:
                insort(self._times, at)
        self.members.update(added)

    def _told(self, values: Iterable[int]) -> list[datetime]:
        return sorted(self._since[each] for each in values if each in self._since)

    def _dated_with(self, times: Sequence[datetime]) -> int:
        """The most within any period, with times added: only the periods around those have more."""
        most, window = self._dated, self._window
        if window is None:
            return most
        for at in times:
            near = [(each, *_around(each, at, window)) for each in (self._times, times)]
            count = sum(end - start for _, start, end in near)
            if count <= most:
                continue
            first = min(each[start] for each, start, end in near if start < end)
            last = max(each[end - 1] for each, start, end in near if start < end)
            if last - first >= window:
                of_both = [time for each, start, end in near for time in each[start:end]]
                count = _most_within(sorted(of_both), window)
            most = max(most, count)
        return most


def _by_number(one: _Values, other: _Values) -> tuple[_Values, _Values]:
    """Of both the one that holds more, then the other: few are added to many."""
    return (one, other) if len(one.members) >= len(other.members) else (other, one)


def _around(times: Sequence[datetime], at: datetime, window: timedelta) -> tuple[int, int]:
    """Where those of some sorted times begin and end that share a period with a moment.

    By differences, for a moment less a window may be before the first year.
    """
    start = bisect_right(times, -window, key=lambda each: each - at)
    return start, bisect_left(times, window, lo=start, key=lambda each: each - at)


def _most_within(times: Sequence[datetime], window: timedelta) -> int:
    """How many of some sorted times there are within any period."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most
