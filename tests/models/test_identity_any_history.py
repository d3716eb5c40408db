"""Whatever happens, and in whatever order: after every run, ids, clusters and rejected edges are
those of one full build of a fresh home that was told the same, and what the pages say.

The history is hypothesis's: batches of any size, rows that come again or late, labels, blocked
values and rules put on and taken off, rebuilds, killed runs. The fresh home lands the same rows
under the same landing numbers, since births are given in the order of landing.
"""

from __future__ import annotations

import math
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from cdp.identity.identifiers import Identifier
from cdp.warehouse.runs import ensure_run_tables
from cdp.warehouse.store import open_warehouse
from tests.identity import oracle
from tests.models.landed_rows import Landed, Row
from tests.models.rule_seeds import RuleSeeds
from tests.models.said_labels import say, standing, take_back
from tests.models.worlds import START, rows_of_worlds

pytestmark = pytest.mark.integration

SWEEPS = settings.get_current_profile_name() == "sweep"
HISTORIES, STEPS, WORLDS = (100, 12, 60) if SWEEPS else (1, 4, 20)

SEEDS = st.integers(0, 2**32)
MODELS = (
    "int_identifier_tuples",
    "identifier_births",
    "int_identifier_values",
    "fct_identity_edges",
    "int_identity_labels",
    "int_identity_components",
    "int_touched_identifiers",
    "int_identity_constrained",
    "dim_identifiers",
    "identity_assignments",
)
"""Where a run may be killed, in the order of the data."""

NOBODYS = "A test says that it is nobody's own"

CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("user_id", {"max_per_profile": 2}),
    ("user_id", {"max_per_profile": None}),
    ("user_id", {"max_per_profile": 1, "window_days": 2}),
    ("user_id", {"do_not_merge": True}),
    ("user_id", {"max_asserted": 2}),
    ("email", {"max_per_profile": 1}),
    ("email", {"max_people": 1}),
    ("email", {"max_people": None, "max_values": 2}),
    ("phone", {"max_people": None, "max_per_profile": None}),
    ("crm_id", {"max_per_profile": 1}),
    ("crm_id", {"do_not_merge": True}),
    ("name", {"max_values": 1}),
    ("anonymous_id", {"max_per_profile": 2}),
    ("anonymous_id", {"max_people": 1}),
)
SIGNS = ({"identifiers": "3"}, {"given_names": "1", "surnames": "0"}, {"identifiers": ""})


class Homes:
    """The home that the history happens to, and the one that is fresh each time."""

    def __init__(self, folder: Path) -> None:
        self.lived, self.fresh = Landed(folder / "lived"), Landed(folder / "fresh")


class History(RuleBasedStateMachine):
    """One history of one home."""

    homes: Homes

    def __init__(self) -> None:
        super().__init__()
        self.lived, self.fresh = self.homes.lived, self.homes.fresh
        self.lived.forget()
        self.seeds = RuleSeeds()
        self.coming: list[Row] = []
        self.landed: list[Row] = []
        self.labels_seen = self.steps = 0
        self.whole, self.due = True, False

    def _run(self, rows: list[Row], *, again: bool = False, **fate: Any) -> None:
        self.landed += rows
        if not again:
            self.labels_seen = self._last_label()
        self.lived.lay_seeds(self.seeds.texts())
        self.lived.run(rows, again=again, **fate)
        self.whole = self.due = "through" not in fate

    def _last_label(self) -> int:
        with open_warehouse(self.lived.settings) as warehouse:
            ensure_run_tables(warehouse)
            return int(
                warehouse.scalar(
                    "SELECT coalesce(max(label_number), 0) FROM governance.identity_labels"
                )
            )

    def _take(self, chance: random.Random, least: float, most: float) -> list[Row]:
        """A share of the rows that are still to come."""
        count = math.ceil(chance.uniform(least, most) * len(self.coming))
        taken, self.coming = self.coming[:count], self.coming[count:]
        return taken

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        self.start(seed)

    def start(self, seed: int) -> None:
        self.coming = rows_of_worlds(WORLDS, seed)
        self._run(self._take(random.Random(seed), 0.2, 0.8))

    @rule(seed=SEEDS)
    def people_speak_and_a_run_follows(self, seed: int) -> None:
        """All by one chance: histories are too few to begin with those in which little happens."""
        self.steps += 1
        chance = random.Random(f"{seed} {self.steps}")
        doings = chance.choices(DOINGS, k=chance.randint(0, 3))
        run = chance.choice(RUNS if self.whole else [*RUNS, History.begin_again])
        self.happen(chance, doings, run)

    def happen(self, chance: random.Random, doings: Sequence[Happening], run: Happening) -> None:
        for doing in doings:
            doing(self, chance)
        run(self, chance)

    # --- runs

    def land(self, chance: random.Random) -> None:
        """A batch of any size, or none."""
        self._run(self._take(chance, 0, 1))

    def land_again(self, chance: random.Random) -> None:
        """Rows under other keys that say what was said before, of then or of an earlier day."""
        told = chance.choices(self.landed, k=chance.randint(1, 2 * WORLDS))
        days = chance.randint(0, 5)
        again = [self._said_again(row, days, number) for number, row in enumerate(told)]
        self._run([*again, *self._take(chance, 0, 0.3)])

    def _said_again(self, row: Row, days: int, number: int) -> Row:
        at = START - timedelta(days=days) if days else row.occurred_at
        key = f"{row.key}:again-{len(self.landed)}-{number}"
        return replace(row, key=key, occurred_at=at)

    def rebuild(self, chance: random.Random) -> None:
        self._run([], full_refresh=True)

    def kill(self, chance: random.Random) -> None:
        """What is told after it comes to a run that finds half of its work done."""
        model = chance.choice(MODELS)
        self._run(self._take(chance, 0, 0.3), publish=False, through=model)

    def begin_again(self, chance: random.Random) -> None:
        """The killed run under its own id, which sees the labels that it saw then."""
        self._run([], again=True)

    def fail_to_publish(self, chance: random.Random) -> None:
        self._run(self._take(chance, 0, 0.3), publish=False)

    # --- what people say, which the next run hears

    def put_labels(self, chance: random.Random) -> None:
        say(self.lived, chance, chance.randint(1, WORLDS), self._unseen())

    def _unseen(self) -> list[Identifier]:
        users = [row.payload.get("userId") for row in self.coming if row.source == "web"]
        told = [user for user in users if user and user not in ("null", "0")]
        return [Identifier("user_id", user) for user in told[:10]]

    def take_labels_back(self, chance: random.Random) -> None:
        labels = standing(self.lived)
        count = chance.choice([len(labels), len(labels) // 3])
        take_back(self.lived, chance.sample(labels, count))

    def block_a_value(self, chance: random.Random) -> None:
        kind, value = chance.choice(
            self.lived.rows(
                "SELECT identifier_type, raw_value FROM identity.identifier_births "
                "WHERE identifier_type NOT IN ('phone', 'name') ORDER BY birth"
            )
        )
        pattern = re.sub(r"[^0-9A-Za-z]", ".", value.strip())
        row = {"identifier_type": kind, "pattern": f"(?i)^{pattern}$", "reason": NOBODYS}
        self.seeds.blocked.append(row)

    def unblock_all(self, chance: random.Random) -> None:
        self.seeds.blocked = RuleSeeds().blocked

    def change_a_type(self, chance: random.Random) -> None:
        kind, rules = chance.choice(CHANGES)
        self.seeds.change(kind, **rules)

    def change_signs(self, chance: random.Random) -> None:
        self.seeds.signs |= chance.choice(SIGNS)

    def change_rules_back(self, chance: random.Random) -> None:
        self.seeds = RuleSeeds()

    # --- what holds

    @invariant()
    def it_is_as_in_a_fresh_home(self) -> None:
        self.compare()

    def compare(self) -> None:
        if not self.due:
            return
        self.due = False
        self.fresh.forget()
        self.fresh.lay_seeds(self.seeds.texts())
        self._tell_the_labels_again()
        self.fresh.run(self.landed)
        lived, fresh = self.lived.tables(), self.fresh.tables()
        for name in fresh:
            assert lived[name] == fresh[name], name
        self._is_what_the_pages_say()

    def _tell_the_labels_again(self) -> None:
        """Those that the last run has seen, whether or not they were taken back since."""
        labels = self.lived.rows(
            "SELECT * FROM governance.identity_labels "
            f"WHERE label_number <= {self.labels_seen} ORDER BY label_number"
        )
        with open_warehouse(self.fresh.settings) as warehouse:
            ensure_run_tables(warehouse)
            warehouse.insert("governance.identity_labels", labels)

    def _is_what_the_pages_say(self) -> None:
        found = oracle.answer(told(self.lived, self.seeds, self.labels_seen))
        people: dict[int, set[int]] = defaultdict(set)
        for birth, profile in self.lived.rows(
            "SELECT birth, profile_id FROM identity.dim_identifiers"
        ):
            people[profile].add(birth)
        assert set(map(frozenset, people.values())) == found.people
        assert all(profile == min(members) for profile, members in people.items())
        rejected = self.lived.rows(
            "SELECT left_node, right_node, rule FROM identity.fct_rejected_edges"
        )
        assert {(one, other): why for one, other, why in rejected} == found.rejected
        assert len(rejected) == len(found.rejected)


Happening = Callable[[History, random.Random], None]

RUNS: list[Happening] = [
    *[History.land] * 3,
    *[History.land_again] * 2,
    *[History.kill] * 2,
    History.rebuild,
    History.fail_to_publish,
]
DOINGS: list[Happening] = [
    *[History.put_labels] * 3,
    *[History.take_labels_back] * 2,
    *[History.block_a_value] * 2,
    *[History.change_a_type] * 2,
    History.change_signs,
    History.unblock_all,
    History.change_rules_back,
]
"""What people do between two runs."""

IN_TURN: tuple[tuple[tuple[list[Happening], Happening], ...], ...] = (
    (
        ([History.put_labels, History.block_a_value], History.kill),
        ([History.take_labels_back], History.begin_again),
        ([History.change_a_type, History.unblock_all], History.land),
        ([History.change_signs, History.put_labels], History.rebuild),
    ),
    (
        ([History.put_labels, History.change_a_type], History.land_again),
        ([History.block_a_value, History.take_labels_back], History.fail_to_publish),
        ([History.change_signs], History.land),
        ([History.change_rules_back, History.unblock_all], History.land_again),
    ),
)
"""Two histories in which everything that may happen does, each after what it needs to find."""


def told(landed: Landed, rules: RuleSeeds, labels_seen: int) -> oracle.Told:
    """What a home was told, from the edges on: as the oracle asks for it."""
    spellings = landed.rows(
        "SELECT birth, node, identifier_type, raw_value, identifier_value "
        "FROM identity.int_identifier_values ORDER BY birth"
    )
    names: dict[int, set[tuple[str | None, str | None]]] = defaultdict(set)
    for node, given, surname in landed.rows(
        "SELECT node, given_name, surname FROM identity.int_identifier_names"
    ):
        names[node].add((given, surname))
    found = oracle.Told(
        {node: (kind, value) for birth, node, kind, _, value in spellings if birth == node},
        tuple(
            oracle.Seen(*row)
            for row in landed.rows(
                "SELECT left_node, right_node, first_occurred_at, is_asserted "
                "FROM identity.fct_identity_edges"
            )
        ),
        names={node: frozenset(each) for node, each in names.items()},
        types=rules.told_types(),
        signs=rules.told_signs(),
        blocked=rules.told_blocked(),
    )
    judge = oracle.Oracle(found)
    nodes: dict[tuple[str, str], int] = {}
    for _, node, kind, raw, value in spellings:
        if not judge.blocked_by(node):
            for spelled in (raw, value):
                nodes[kind, spelled] = min(node, nodes.get((kind, spelled), node))
    return replace(found, labels=tuple(_labels(landed, nodes, labels_seen)))


def _labels(
    landed: Landed, nodes: dict[tuple[str, str], int], labels_seen: int
) -> Iterator[oracle.Label]:
    """The labels in force on what has landed."""
    rows = landed.rows(
        "SELECT label_number, kind, left_type, left_value, right_type, right_value, removes "
        f"FROM governance.identity_labels WHERE label_number <= {labels_seen}"
    )
    taken_back = {row[-1] for row in rows}
    for number, kind, left_type, left_value, right_type, right_value, removes in rows:
        if removes is not None or number in taken_back:
            continue
        left, right = nodes.get((left_type, left_value)), nodes.get((right_type, right_value))
        if left is None or left == right:
            continue
        if right is not None or kind in ("trust", "distrust"):
            yield oracle.Label(number, kind, left, right)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    return Homes(tmp_path_factory.mktemp("histories"))


def test_a_late_edge_changes_which_edge_wins_under_a_limit(homes: Homes) -> None:
    """A device that two users share is the one's who was seen on it first, whenever that landed."""
    lived, fresh = homes.lived, homes.fresh

    def seen(user: str, day: int) -> Row:
        message = {"type": "identify", "userId": user, "anonymousId": "late-d"}
        at = START + timedelta(days=day)
        return Row("web", "events", message, f"m:late-{user}-{day}", at)

    def owner() -> set[frozenset[str]]:
        return {person for person in lived.people() if "anonymous_id=late-d" in person}

    rows = [seen("ann", 3), seen("bea", 4)]
    lived.forget()
    lived.lay_seeds(RuleSeeds().texts())
    lived.run(rows)
    assert owner() == {frozenset({"user_id=ann", "anonymous_id=late-d"})}
    for user, day in (("bea", 2), ("ann", 1)):
        before = lived.rows("SELECT birth, profile_id FROM identity.dim_identifiers ORDER BY ALL")
        rows.append(seen(user, day))
        lived.run(rows[-1:])
        assert owner() == {frozenset({f"user_id={user}", "anonymous_id=late-d"})}
        after = lived.rows("SELECT birth, profile_id FROM identity.dim_identifiers ORDER BY ALL")
        assert after != before
        fresh.forget()
        fresh.lay_seeds(RuleSeeds().texts())
        fresh.run(rows)
        assert lived.tables() == fresh.tables()


@pytest.mark.slow
def test_any_history_ends_where_a_full_build_begins(homes: Homes) -> None:
    class Here(History):
        pass

    Here.homes = homes
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            # The same histories in every run of the tests, others in every sweep.
            derandomize=not SWEEPS,
            database=None,
            deadline=None,
            # A step takes seconds: what failed is told as it happened.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(IN_TURN)))
def test_a_history_in_which_everything_has_its_turn_ends_so_too(homes: Homes, number: int) -> None:
    class Here(History):
        pass

    Here.homes = homes
    history, chance = Here(), random.Random(number)
    history.start(chance.randrange(2**32))
    history.compare()
    for doings, run in IN_TURN[number]:
        history.happen(chance, doings, run)
        history.compare()


def test_everything_has_its_turn() -> None:
    steps = [step for history in IN_TURN for step in history]
    done = {each for doings, _ in steps for each in doings} | {run for _, run in steps}
    assert done == {*DOINGS, *RUNS, History.begin_again}
