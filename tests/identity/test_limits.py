"""Limits within a period, where a person holds many values."""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta

import pytest

from cdp.identity.graph import Component, Edge, Identifier
from cdp.identity.rules import Rules, TypeRule
from cdp.identity.solving import solve
from tests.identity import oracle
from tests.identity.test_against_an_oracle import solved

START = datetime(2020, 1, 1)


@pytest.mark.parametrize("seed", range(20))
def test_many_values_within_periods_are_counted_as_the_oracle_counts_them(seed: int) -> None:
    chosen = random.Random(seed)
    kinds = ["user_id"] * 4 + ["card"] * 40
    nodes = range(1, len(kinds) + 1)
    edges = {}
    for _ in range(70):
        left, right = sorted(chosen.sample(nodes, 2))
        at = None if chosen.random() < 0.1 else START + timedelta(days=chosen.randrange(25))
        edges[left, right] = oracle.Seen(left, right, at)
    said = [sorted(chosen.sample(nodes, 2)) for _ in range(chosen.randrange(6))]
    told = oracle.Told(
        {node: (kind, f"{node:02}") for node, kind in enumerate(kinds, 1)},
        tuple(edges.values()),
        tuple(oracle.Label(number, "join", *ends) for number, ends in enumerate(said, 1)),
        types={
            "user_id": {"priority": 10},
            "card": {
                "priority": 20,
                "max_per_profile": chosen.choice([2, 3, 6]),
                "window_days": chosen.choice([2, 5, 9]),
            },
        },
    )
    assert solved(told) == oracle.answer(told)


@pytest.mark.parametrize(
    ("limit", "days"), [(3, 30), (500, 30), (10_000, 100_000)], ids=["few", "many", "any number"]
)
def test_a_limit_within_a_period_takes_seconds_for_twenty_thousand_values(
    limit: int, days: int
) -> None:
    count = 20_000
    numbers = random.Random(7).sample(range(count), count)
    person = Component(
        {0: Identifier("user_id", "u")}
        | {node: Identifier("card", f"{node:05}") for node in range(1, count + 1)},
        tuple(
            Edge(0, node, 20 + number % 3, START + timedelta(hours=number * 12))
            for node, number in enumerate(numbers, 1)
        ),
    )
    rules = Rules(
        {"card": TypeRule(max_per_profile=limit, window=timedelta(days=days)), "*": TypeRule()}
    )
    began = time.process_time()
    solution = solve(person, rules)
    assert time.process_time() - began < 15
    held = sum(profile == 0 for profile in solution.profiles.values()) - 1
    assert held == count - len(solution.rejected)
    assert (held > limit) == (days == 30)
