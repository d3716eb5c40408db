"""Solving a component says what the pages say, told by an oracle in plain Python that shares
nothing with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.identity.graph import Component, Edge, Identifier, Label, Name
from cdp.identity.rules import Rules, Signs, TypeRule
from cdp.identity.solving import solve
from tests.identity import oracle

START = datetime(2026, 6, 1)
TYPES = ("user_id", "user_id", "email", "card", "device")
"""`card` is a type that no rule names."""

COUNTS = st.none() | st.integers(1, 3)
OF_A_TYPE = st.fixed_dictionaries(
    {
        "priority": st.sampled_from([10, 20, 20, 30]),
        "max_per_profile": COUNTS,
        "window_days": st.none() | st.integers(1, 3),
        "do_not_merge": st.sampled_from([False, False, False, True]),
        "is_device": st.just(False),
        "max_people": COUNTS,
        "max_asserted": COUNTS,
        "max_values": COUNTS,
    }
)
LIKELY: dict[str, dict[str, Any]] = {
    "user_id": {"priority": 10, "max_per_profile": 1, "max_asserted": 3},
    "email": {"priority": 30, "max_per_profile": 2, "max_people": 3},
    "device": {"priority": 90, "is_device": True},
    "*": {"priority": 20},
}


@st.composite
def worlds(draw: st.DrawFn) -> oracle.Told:
    """A few identifiers, and whatever can be said of them."""
    count = draw(st.integers(2, 9))
    identifiers: dict[int, tuple[str, str | None]] = {}
    letters = draw(st.permutations("abcdefghi"))
    for node in range(1, count + 1):
        identifiers[node] = (draw(st.sampled_from(TYPES)), letters[node - 1])
    pairs = st.tuples(st.integers(1, count), st.integers(1, count)).filter(lambda p: p[0] < p[1])
    moments = st.none() | st.integers(0, 4).map(lambda day: START + timedelta(days=day))
    edges = tuple(
        oracle.Seen(left, right, draw(moments), identifiers[left][0] == identifiers[right][0])
        for left, right in draw(st.lists(pairs, unique=True, min_size=count - 1, max_size=16))
    )
    kinds = st.sampled_from(["join", "split", "split", "trust", "distrust"])
    labels = []
    for number, (left, right) in enumerate(draw(st.lists(pairs, max_size=4)), 1):
        kind = draw(kinds)
        labels.append(
            oracle.Label(number, kind, left, right if kind in ("join", "split") else None)
        )
    parts = st.sampled_from("ABC") | st.none()
    names = draw(
        st.dictionaries(
            st.integers(1, count), st.frozensets(st.tuples(parts, parts), max_size=2), max_size=6
        )
    )
    types = draw(
        st.just(LIKELY)
        | st.fixed_dictionaries(
            {
                "user_id": OF_A_TYPE,
                "email": OF_A_TYPE,
                "device": OF_A_TYPE.map(lambda rule: rule | {"is_device": True}),
                "*": OF_A_TYPE,
            }
        )
    )
    signs = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "identifiers": st.integers(1, 6),
                "given_names": st.integers(1, 2),
                "surnames": st.integers(0, 2),
            },
        )
    )
    return oracle.Told(identifiers, edges, tuple(labels), names, types, signs)


def solved(told: oracle.Told) -> oracle.Answer:
    """What the product says to the same."""
    types = {
        kind: TypeRule(
            max_per_profile=rule.get("max_per_profile"),
            max_people=rule.get("max_people"),
            max_asserted=rule.get("max_asserted"),
            max_values=rule.get("max_values"),
            window=timedelta(rule["window_days"]) if rule.get("window_days") else None,
            do_not_merge=bool(rule.get("do_not_merge")),
            is_device=bool(rule.get("is_device")),
        )
        for kind, rule in told.types.items()
    }
    signs = Signs(*(told.signs.get(sign) for sign in ("identifiers", "given_names", "surnames")))
    weakness = oracle.Oracle(told).weakness
    verdicts = {label.left: label.kind == "trust" for label in told.labels if label.right is None}
    solution = solve(
        Component(
            {
                node: Identifier(kind, value or "")
                for node, (kind, value) in told.identifiers.items()
            },
            tuple(
                Edge(each.left, each.right, weakness(each), each.at, each.said)
                for each in told.edges
            ),
            tuple(
                Label(
                    each.number, "join" if each.kind == "join" else "split", each.left, each.right
                )
                for each in told.labels
                if each.right is not None
            ),
            {node: frozenset(Name(*name) for name in each) for node, each in told.names.items()},
            verdicts,
        ),
        Rules(types, signs),
    )
    people: dict[int, set[int]] = {}
    for node, profile in solution.profiles.items():
        people.setdefault(profile, set()).add(node)
    assert all(profile == min(members) for profile, members in people.items())
    return oracle.Answer(
        frozenset(map(frozenset, people.values())),
        {(edge.left, edge.right): rule for edge, rule in solution.rejected},
    )


@settings(deadline=None, max_examples=max(300, getattr(settings.default, "max_examples", 0)))
@given(worlds())
def test_any_component_is_solved_as_the_oracle_solves_it(told: oracle.Told) -> None:
    assert solved(told) == oracle.answer(told)
