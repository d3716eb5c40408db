"""What is in force, given every row of the record, and what one more label would contradict.

Held against the meaning itself, tried out on every way in which few identifiers can be people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.identity.identifiers import Identifier
from cdp.identity.labels import (
    KINDS,
    OF_TWO,
    Claim,
    Label,
    LabelRefused,
    SaidAlready,
    Standing,
    in_force,
)

NOON = datetime(2026, 7, 1, 12)
NAMES = tuple(Identifier("email", value) for value in "abcde")


def label(number: int, claim: Claim, removes: int | None = None) -> Label:
    return Label(number, claim, "ada", "why", NOON, removes)


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    kind = draw(st.sampled_from(KINDS))
    left, right = draw(st.permutations(NAMES))[:2]
    return Claim(kind, left, right if kind in OF_TWO else None)


@cache
def worlds() -> tuple[dict[Identifier, int], ...]:
    """Every way in which the identifiers can be people's; 0 is nobody."""

    def ways(count: int) -> Iterator[tuple[int, ...]]:
        if not count:
            yield ()
            return
        for rest in ways(count - 1):
            for person in range(max(rest, default=0) + 2):
                yield (*rest, person)

    return tuple(dict(zip(NAMES, way, strict=True)) for way in ways(len(NAMES)))


def holds(claim: Claim, world: dict[Identifier, int]) -> bool:
    one = world[claim.left]
    other = None if claim.right is None else world[claim.right]
    match claim.kind:
        case "join":
            return one == other != 0
        case "split":
            return one != other or one == 0
        case "trust":
            return one != 0
        case _:
            return one == 0


def can_be(claims: Iterable[Claim]) -> bool:
    told = list(claims)
    return any(all(holds(claim, world) for claim in told) for world in worlds())


def put_on(told: Sequence[Claim]) -> list[Label]:
    """The labels that pass, in turn."""
    passed: list[Label] = []
    for claim in told:
        if refusal_of(claim, passed) is None:
            passed.append(label(len(passed) + 1, claim))
    return passed


def refusal_of(claim: Claim, standing: Sequence[Label]) -> LabelRefused | None:
    try:
        Standing(standing).refuse(claim)
    except LabelRefused as refusal:
        return refusal
    return None


@given(st.lists(claims(), max_size=8), claims())
def test_a_label_is_refused_exactly_where_nobody_could_be_as_all_of_them_say(
    told: list[Claim], one: Claim
) -> None:
    passed = put_on(told)
    said = [each.claim for each in passed]
    assert can_be(said)
    refusal = refusal_of(one, passed)
    if refusal is None:
        assert can_be([*said, one])
        assert not any(each.says_the_same(one) for each in said)
        return
    assert set(refusal.against) <= set(passed)
    if isinstance(refusal, SaidAlready):
        (same,) = refusal.against
        assert same.claim.says_the_same(one)
        return
    against = [each.claim for each in refusal.against]
    assert not can_be([*against, one])
    # None of them is named in vain.
    for each in against:
        assert can_be([*(other for other in against if other != each), one])


@st.composite
def records(draw: st.DrawFn) -> list[Label]:
    """Rows in which labels are put on and taken back."""
    rows: list[Label] = []
    for claim in draw(st.lists(claims(), max_size=8)):
        standing = in_force(rows)
        is_removal = draw(st.booleans())
        if standing and is_removal:
            back = draw(st.sampled_from(standing))
            rows.append(label(len(rows) + 1, back.claim, back.number))
        else:
            rows.append(label(len(rows) + 1, claim))
    return rows


@given(records(), st.lists(claims(), max_size=6), st.randoms())
def test_labels_put_on_and_taken_back_leave_exactly_what_was_in_force(
    rows: list[Label], told: list[Claim], random: object
) -> None:
    before = in_force(rows)
    for claim in told:
        rows.append(label(len(rows) + 1, claim))
    put = rows[len(rows) - len(told) :]
    assert in_force(rows) == (*before, *put)
    random.shuffle(put)  # type: ignore[attr-defined]
    for each in put:
        rows.append(label(len(rows) + 1, each.claim, each.number))
    assert in_force(rows) == before


@given(records(), st.randoms())
def test_what_is_in_force_does_not_depend_on_the_order_in_which_rows_are_read(
    rows: list[Label], random: object
) -> None:
    before = in_force(rows)
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert in_force(rows) == before


@given(st.lists(claims(), max_size=8))
def test_taking_one_back_never_makes_the_others_contradict(told: list[Claim]) -> None:
    passed = put_on(told)
    for gone in passed:
        rest = [each for each in passed if each != gone]
        again = put_on([each.claim for each in rest])
        assert [each.claim for each in again] == [each.claim for each in rest]


A, B, C, D, _ = NAMES


@pytest.mark.parametrize(
    ("standing", "claim", "said"),
    [
        ([Claim("join", A, B), Claim("join", B, C)], Claim("split", A, C), "labels 1 and 2"),
        ([Claim("join", A, B), Claim("split", C, A)], Claim("join", C, B), "labels 1 and 2"),
        ([Claim("split", A, B)], Claim("join", B, A), "label 1"),
        ([Claim("split", A, B)], Claim("split", B, A), "label 1 says the same already"),
        ([Claim("distrust", A)], Claim("trust", A), "label 1"),
        ([Claim("trust", B), Claim("trust", A)], Claim("distrust", A), "label 2"),
        ([Claim("distrust", D)], Claim("join", A, D), "label 1"),
        ([Claim("join", A, D)], Claim("distrust", D), "label 1"),
        (
            [Claim("join", A, B), Claim("join", C, D), Claim("split", A, D)],
            Claim("join", B, C),
            "labels 1, 2 and 3",
        ),
        ([], Claim("join", A, A), "the same one"),
    ],
    ids=lambda value: f"{value.kind}" if isinstance(value, Claim) else "",
)
def test_whoever_is_refused_is_told_by_which_labels(
    standing: list[Claim], claim: Claim, said: str
) -> None:
    labels = [label(number, each) for number, each in enumerate(standing, 1)]
    with pytest.raises(LabelRefused, match=said) as refused:
        Standing(labels).refuse(claim)
    assert not any(f"email:{name.value}" in str(refused.value) for name in NAMES)


def test_many_labels_are_taken_in_time() -> None:
    """A review hands over thousands: none of them may look at all the others."""
    standing = Standing()
    for number in range(1, 20_001):
        claim = Claim(
            "join" if number % 2 else "split",
            Identifier("user_id", str(number)),
            Identifier("email", str(number)),
        )
        standing.refuse(claim)
        standing.add(label(number, claim))
