"""What people say beats every rule; too much for one person is taken apart where it is weakest."""

from __future__ import annotations

from datetime import timedelta

from cdp.identity.graph import Component, Identifier, Label
from cdp.identity.plausibility import Finding
from cdp.identity.rules import Rules, Signs, TypeRule
from cdp.identity.solving import solve
from tests.identity.stories import identifiers, left_out, likely, people, seen, solved

RULES = Rules(
    {
        "*": TypeRule(),
        "user_id": TypeRule(max_per_profile=1, max_asserted=3),
        "email": TypeRule(max_per_profile=5, max_people=2),
        "passport": TypeRule(do_not_merge=True),
        "card": TypeRule(max_per_profile=2, window=timedelta(days=7)),
        "device": TypeRule(is_device=True),
    },
    Signs(identifiers=6, given_names=1, surnames=1),
)


# --- labels ---


def test_a_split_parts_two_identifiers_at_the_weakest_edge_of_their_path() -> None:
    known = identifiers("email a", "user_id u", "device d")
    edges = [seen(1, 2, weakness=1), seen(2, 3, weakness=9)]
    split = solved(known, edges, RULES, (Label(1, "split", 1, 3),))
    assert people(split) == [[1, 2], [3]]
    assert left_out(split) == {(2, 3): "split"}


def test_a_split_parts_what_a_source_says_is_one() -> None:
    known = identifiers("user_id old", "user_id new")
    told = solved(known, [seen(1, 2, said=True)], RULES, (Label(1, "split", 1, 2),))
    assert people(told) == [[1], [2]]
    assert told.same_as == {}


def test_a_join_beats_limits_and_the_two_count_as_one() -> None:
    known = identifiers("user_id a", "user_id b", "email e", "passport p", "passport q")
    edges = [seen(1, 3), seen(2, 3), seen(1, 4), seen(2, 5)]
    assert len(people(solved(known, edges, RULES))) == 2
    joined = (Label(1, "join", 1, 2), Label(2, "join", 4, 5))
    together = solved(known, edges, RULES, joined)
    assert people(together) == [[1, 2, 3, 4, 5]]
    assert together.rejected == ()
    assert together.same_as == {1: 1, 2: 1, 4: 4, 5: 4}


def test_a_join_ties_a_value_that_is_nobodys_own_and_no_one_else() -> None:
    known = identifiers("email e", "user_id a", "user_id b", "user_id c")
    edges = [seen(1, 2), seen(1, 3), seen(1, 4)]
    tied = solved(known, edges, RULES, (Label(1, "join", 1, 3),))
    assert people(tied) == [[1, 3], [2], [4]]


def test_of_labels_that_contradict_each_other_the_newest_holds() -> None:
    known = identifiers("email a", "email b", "email c")
    chain = (Label(1, "join", 1, 2), Label(2, "join", 2, 3))
    assert people(solved(known, [], RULES, (*chain, Label(3, "split", 1, 3)))) == [[1], [2, 3]]
    assert people(solved(known, [], RULES, (Label(0, "split", 1, 3), *chain))) == [[1, 2, 3]]


def test_a_person_may_say_that_a_value_tells_somebody_or_nobody() -> None:
    known = identifiers("email e", "user_id a", "user_id b", "user_id c", "device d")
    edges = [seen(1, 2, 1), seen(1, 3, 2), seen(1, 4, 3), seen(1, 5, 4)]
    assert people(solved(known, edges, RULES)) == [[1], [2], [3], [4], [5]]
    assert people(solved(known, edges, RULES, verdicts={1: True})) == [[1, 2, 5], [3], [4]]
    alone = solved(known, edges[:1], RULES, verdicts={1: False})
    assert left_out(alone) == {(1, 2): "bad_value"}


# --- what is merely likely ---


def test_what_is_likely_gives_way_to_a_split_and_to_what_rows_have_told() -> None:
    known = identifiers("crm_id c", "crm_id d", "email e", "user_id u", "user_id v")
    edges = [seen(1, 3), seen(2, 4), seen(3, 5), likely(1, 2)]
    apart = solved(known, edges, RULES)
    assert people(apart) == [[1, 3, 5], [2, 4]]
    assert left_out(apart) == {(1, 2): "limit:user_id"}
    parted = solved(known, [seen(1, 3), likely(1, 2)], RULES, (Label(1, "split", 2, 3),))
    assert people(parted) == [[1, 3], [2], [4], [5]]
    assert left_out(parted) == {(1, 2): "split"}


def test_what_is_likely_takes_nothing_away_from_a_value_that_rows_have_told() -> None:
    """However many people are likely the one of an e-mail address, it stays what it is."""
    known = identifiers("email e", "user_id a", "user_id b", "user_id c", "user_id d")
    told = solved(known, [seen(1, 2), likely(1, 3), likely(1, 4), likely(1, 5)], RULES)
    assert people(told) == [[1, 2], [3], [4], [5]]
    assert set(left_out(told).values()) == {"limit:user_id"}


# --- limits ---


def test_two_values_of_a_type_that_never_merges_are_two_people() -> None:
    known = identifiers("passport p", "passport q", "email e")
    told = solved(known, [seen(1, 2, said=True), seen(1, 3, 1), seen(2, 3, 2)], RULES)
    assert people(told) == [[1, 3], [2]]
    assert left_out(told) == {(1, 2): "do_not_merge:passport", (2, 3): "do_not_merge:passport"}


def test_a_limit_within_a_period_counts_what_was_first_seen_within_it() -> None:
    known = identifiers("email e", "card a", "card b", "card c")
    slow = [seen(1, 2, 0), seen(1, 3, 3), seen(1, 4, 7)]
    assert people(solved(known, slow, RULES)) == [[1, 2, 3, 4]]
    fast = [seen(1, 2, 0), seen(1, 3, 3), seen(1, 4, 6)]
    assert left_out(solved(known, fast, RULES)) == {(1, 4): "limit:card"}
    timeless = [seen(1, 2, 0), seen(1, 3, 3), seen(1, 4, None)]
    assert left_out(solved(known, timeless, RULES)) == {(1, 4): "limit:card"}


# --- signs ---


def test_too_many_identifiers_lose_their_weakest_class_of_edges() -> None:
    """Seven addresses and phones hang together by a device, each pair by an account's row."""
    known = identifiers(
        *(f"email e{n}" for n in range(4)), *(f"phone p{n}" for n in range(3)), "device d"
    )
    pairs = [seen(n, n + 4, weakness=1) for n in (1, 2, 3)]
    device = [seen(n, 8, weakness=9) for n in (1, 2, 3, 4)]
    told = solved(known, pairs + device, RULES)
    assert people(told) == [[1, 5], [2, 6], [3, 7], [4], [8]]
    assert set(left_out(told).values()) == {"implausible"}
    assert told.findings == (Finding("cluster", 1, "identifiers", 7, 8, 4),)


def test_any_number_of_devices_is_plausible() -> None:
    known = identifiers("user_id u", *(f"device d{n}" for n in range(2000)))
    told = solved(known, [seen(1, n) for n in range(2, 2002)], RULES)
    assert len(people(told)) == 1
    assert told.findings == ()


def test_what_stands_beside_one_person_only_stays_with_them() -> None:
    known = identifiers(*(f"email e{n}" for n in range(7)), "device shared", "device own")
    pairs = [seen(1, 2, weakness=1), seen(2, 3, weakness=1)]
    shared = [seen(n, 8, weakness=9) for n in (1, 4, 5, 6, 7)]
    told = solved(known, [*pairs, *shared, seen(3, 9, weakness=9)], RULES)
    assert people(told) == [[1, 2, 3, 9], [4], [5], [6], [7], [8]]
    assert (3, 9) not in left_out(told)


def test_many_given_names_with_many_surnames_are_several_people() -> None:
    known = identifiers("phone p", "crm_id a", "crm_id b")
    edges = [seen(1, 2, weakness=5), seen(1, 3, weakness=5)]
    strangers = solved(known, edges, RULES, names={2: "ada lovelace", 3: "alan turing"})
    assert people(strangers) == [[1], [2], [3]]
    assert strangers.findings == (Finding("cluster", 1, "names", 2, 3, 2),)
    married = solved(known, edges, RULES, names={2: "ada byron", 3: "ada lovelace"})
    assert people(married) == [[1, 2, 3]]


def test_an_address_beside_many_names_is_nobodys_own_and_is_found_as_such() -> None:
    known = identifiers("email e", "crm_id a", "crm_id b")
    edges = [seen(1, 2), seen(1, 3)]
    told = solved(known, edges, RULES, names={1: "ada lovelace;alan turing"})
    assert people(told) == [[1], [2], [3]]
    assert set(left_out(told).values()) == {"bad_value"}
    assert told.findings == (Finding("value", 1, "names", 2, 3, 2),)


def test_a_split_of_an_implausible_group_leaves_its_parts_whole() -> None:
    known = identifiers("email a", "crm_id a", "email b", "crm_id b", "phone p")
    names = {2: "ada lovelace", 4: "alan turing"}
    edges = [seen(1, 2, weakness=1), seen(3, 4, weakness=1), seen(2, 5, weakness=5)]
    edges.append(seen(4, 5, weakness=6))
    assert people(solved(known, edges, RULES, names=names)) == [[1, 2, 5], [3, 4]]
    told = solved(known, edges, RULES, (Label(1, "split", 1, 3),), names)
    assert people(told) == [[1, 2, 5], [3, 4]]
    assert left_out(told) == {(4, 5): "split"}
    assert told.findings == ()


def test_a_group_that_comes_apart_further_is_not_held_together_by_what_is_weakest() -> None:
    rules = Rules({"*": TypeRule()}, Signs(identifiers=3))
    known = identifiers("email a1", "email a2", "email b1", "email b2", "email c")
    edges = [seen(1, 2, weakness=1), seen(3, 4, weakness=1), seen(2, 3, weakness=5)]
    edges += [seen(1, 4, weakness=9), seen(1, 5, weakness=9)]
    told = solved(known, edges, rules)
    assert people(told) == [[1, 2], [3, 4], [5]]
    assert set(left_out(told).values()) == {"implausible"}


def test_an_alias_of_two_whom_labels_give_too_much_together_is_left_out() -> None:
    known = identifiers("user_id u1", "user_id u2", "passport c1", "passport c2")
    labels = (Label(1, "join", 1, 3), Label(2, "join", 2, 4))
    told = solved(known, [seen(1, 2, said=True)], RULES, labels)
    assert people(told) == [[1, 3], [2, 4]]
    assert left_out(told) == {(1, 2): "do_not_merge:passport"}


def test_a_value_that_somebody_is_joined_with_enters_quarantine_once() -> None:
    rules = Rules(
        {
            "*": TypeRule(),
            "user_id": TypeRule(max_per_profile=1),
            "email": TypeRule(max_people=1),
        },
        Signs(identifiers=2),
    )
    known = identifiers("email e", "user_id u1", "user_id u2", "crm_id c", "crm_id d")
    edges = [seen(1, 2), seen(1, 3), seen(2, 4, weakness=2), seen(2, 5, weakness=3)]
    told = solved(known, edges, rules, (Label(1, "join", 1, 2),))
    assert [(each.kind, each.first) for each in told.findings] == [("cluster", 1)]


def test_a_value_beside_many_names_and_nothing_else_is_no_group() -> None:
    told = solved(identifiers("email e"), [], RULES, names={1: "ada lovelace;alan turing"})
    assert told.findings == ()


def test_a_name_of_too_many_addresses_tells_nobody_and_one_of_many_devices_does() -> None:
    rules = Rules(
        {"*": TypeRule(), "name": TypeRule(max_values=2), "device": TypeRule(is_device=True)}
    )
    known = identifiers("name n", "email a", "email b", "email c", *(f"device {n}" for n in "abc"))
    beside = [seen(1, n) for n in range(2, 8)]
    assert people(solved(known, beside, rules)) == [[n] for n in range(1, 8)]
    fewer = {node: each for node, each in known.items() if node != 4}
    assert people(solved(fewer, [each for each in beside if each.right != 4], rules)) == [
        sorted(fewer)
    ]


def test_what_a_source_says_is_one_stays_one_and_is_told() -> None:
    known = identifiers("crm_id a", "crm_id b", "email e")
    names = {1: "ada lovelace", 2: "alan turing"}
    edges = [seen(1, 2, said=True, weakness=5), seen(2, 3, weakness=6)]
    told = solved(known, edges, RULES, names=names)
    assert people(told) == [[1, 2], [3]]
    assert [(each.kind, each.sign) for each in told.findings] == [("cluster", "names")]


def test_of_two_labels_of_the_seed_that_contradict_each_other_the_one_that_parts_holds() -> None:
    """Rows of the seed have no order; a wrong merge does more harm than a missed one."""
    nodes = {1: Identifier("user_id", "a"), 2: Identifier("user_id", "b")}
    labels = (Label(0, "join", 1, 2), Label(0, "split", 1, 2))
    for told in (labels, labels[::-1]):
        assert solve(Component(nodes, (), told), Rules({})).profiles == {1: 1, 2: 2}
