"""Solving one component: limits hold, what is said to be one counts once, births decide nothing."""

from __future__ import annotations

import random

import pytest

from cdp.identity.graph import Component, Identifier
from cdp.identity.rules import Rules, TypeRule
from cdp.identity.solving import solve
from tests.identity.stories import identifiers, left_out, people, seen, solved

RULES = Rules(
    {
        "*": TypeRule(),
        "user_id": TypeRule(max_per_profile=1, max_asserted=3),
        "email": TypeRule(max_per_profile=2, max_people=2),
    }
)


def test_the_first_to_be_seen_with_a_device_keeps_it() -> None:
    known = identifiers("user_id a", "user_id b", "device d")
    solution = solved(known, [seen(1, 3, 2), seen(2, 3, 1)], RULES)
    assert people(solution) == [[1], [2, 3]]
    assert left_out(solution) == {(1, 3): "limit:user_id"}


def test_what_tells_no_time_was_seen_last() -> None:
    known = identifiers("user_id a", "user_id b", "device d")
    assert people(solved(known, [seen(1, 3, None), seen(2, 3, 9)], RULES)) == [[1], [2, 3]]


def test_ids_that_a_source_says_are_one_count_as_one() -> None:
    known = identifiers("user_id old", "user_id new", "device d", "user_id other")
    edges = [seen(1, 2, 5, said=True), seen(1, 3), seen(2, 3), seen(3, 4, 1)]
    solution = solved(known, edges, RULES)
    assert people(solution) == [[1, 2, 3], [4]]
    assert solution.same_as == {1: 1, 2: 1}


def test_of_too_many_ids_that_are_said_to_be_one_nothing_is_believed() -> None:
    known = identifiers(*(f"user_id {n}" for n in range(4)))
    solution = solved(known, [seen(n, n + 1, said=True) for n in (1, 2, 3)], RULES)
    assert people(solution) == [[1], [2], [3], [4]]
    assert solution.same_as == {}
    assert {rule for _, rule in solution.rejected} == {"limit:user_id"}


def test_a_value_beside_too_many_people_is_nobodys_own() -> None:
    known = identifiers("email e", "user_id a", "user_id b", "user_id c", "device d")
    edges = [seen(1, 2), seen(1, 3), seen(1, 4), seen(4, 5)]
    solution = solved(known, edges, RULES)
    assert people(solution) == [[1], [2], [3], [4, 5]]
    assert {rule for _, rule in solution.rejected} == {"bad_value"}


def test_former_ids_do_not_make_an_address_nobodys_own() -> None:
    known = identifiers("email e", "user_id a", "user_id b", "user_id c")
    edges = [seen(1, 2), seen(1, 3), seen(1, 4), seen(2, 3, said=True), seen(3, 4, said=True)]
    assert people(solved(known, edges, RULES)) == [[1, 2, 3, 4]]


@pytest.mark.parametrize("seed", range(60))
def test_who_is_who_depends_neither_on_births_nor_on_the_order_of_edges(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"{kind} {kind}{n}" for kind in ("user_id", "email", "device") for n in range(4)]
    pairs = {tuple(sorted(chance.sample(range(12), 2))) for _ in range(chance.randint(3, 22))}
    told = [
        (one, other, chance.choice([0, 1, None]), one < 4 and other < 4 and chance.random() < 0.3)
        for one, other in sorted(pairs)
    ]

    def outcome(births: list[int]) -> tuple[set[frozenset[str]], set[tuple[frozenset[str], str]]]:
        known = {births[n]: Identifier(*name.split()) for n, name in enumerate(names)}
        edges = [
            seen(min(births[one], births[other]), max(births[one], births[other]), day, said=said)
            for one, other, day, said in told
        ]
        chance.shuffle(edges)
        solution = solve(Component(known, tuple(edges)), RULES)
        groups: dict[int, set[str]] = {}
        for node, profile in solution.profiles.items():
            groups.setdefault(profile, set()).add(known[node].value)
        assert all(
            min(node for node, each in solution.profiles.items() if each == profile) == profile
            for profile in groups
        )
        return (
            {frozenset(group) for group in groups.values()},
            {
                (frozenset((known[edge.left].value, known[edge.right].value)), rule)
                for edge, rule in solution.rejected
            },
        )

    births = list(range(1, 13))
    expected = outcome(births)
    chance.shuffle(births)
    assert outcome(births) == expected
