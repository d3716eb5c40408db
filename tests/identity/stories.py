"""Components told in a line or two, and who comes out of them.

Belongs here: making components for the tests of solving. Does not belong here: any expectation.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cdp.identity.graph import Component, Edge, Identifier, Label, Name
from cdp.identity.rules import Rules
from cdp.identity.solving import Solution, solve

DAY = datetime(2026, 6, 1)


def identifiers(*names: str) -> dict[int, Identifier]:
    """Births from 1, in the order given, of `type value`."""
    return {birth: Identifier(*name.split()) for birth, name in enumerate(names, 1)}


def seen(
    left: int, right: int, day: int | None = 0, *, said: bool = False, weakness: int = 1
) -> Edge:
    """Two identifiers seen together on a day; None for no known day."""
    at = None if day is None else DAY + timedelta(days=day)
    return Edge(left, right, weakness, at, said)


def likely(left: int, right: int) -> Edge:
    """Two identifiers that nobody has seen together, and that are likely one person's."""
    return Edge(left, right, 1_000_000, None, is_likely=True)


def solved(
    known: dict[int, Identifier],
    edges: list[Edge],
    rules: Rules,
    labels: tuple[Label, ...] = (),
    names: dict[int, str] | None = None,
    verdicts: dict[int, bool] | None = None,
) -> Solution:
    """What comes of a component; `names` by birth, `Given Surname` parted by semicolons."""
    told = {
        node: frozenset(Name(*each.split()) for each in text.split(";"))
        for node, text in (names or {}).items()
    }
    return solve(Component(known, tuple(edges), labels, told, verdicts or {}), rules)


def people(solution: Solution) -> list[list[int]]:
    """Who is one person, by births; each called after the earliest."""
    found: dict[int, list[int]] = {}
    for node, profile in sorted(solution.profiles.items()):
        found.setdefault(profile, []).append(node)
    assert all(profile == members[0] for profile, members in found.items())
    return sorted(found.values())


def left_out(solution: Solution) -> dict[tuple[int, int], str]:
    """The rule by edge."""
    return {(edge.left, edge.right): rule for edge, rule in solution.rejected}
