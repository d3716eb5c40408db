"""Run after run, the segment models end where a rebuild and plain Python end.

The tables before them are laid by hand, so that a test can move the clock, land events, merge
profiles and let runs fail without the stages that do so.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cdp.generation import generate
from cdp.warehouse.modelling import Models
from cdp.warehouse.runs import begin_run, finish_run
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse

START = datetime(2026, 6, 1, 12)
DAY = timedelta(days=1)

LAID = """
CREATE SCHEMA IF NOT EXISTS profiles; CREATE SCHEMA IF NOT EXISTS governance;
CREATE TABLE governance.int_current_run (run_number BIGINT, run_id VARCHAR, as_of TIMESTAMP,
    previous_run_number BIGINT, previous_run_id VARCHAR);
CREATE TABLE profiles.dim_profiles (profile_id BIGINT, first_seen TIMESTAMP, order_count BIGINT,
    last_purchase_date TIMESTAMP, total_spent DECIMAL(18,4), country VARCHAR,
    next_change_at TIMESTAMP);
CREATE TABLE profiles.fct_events (profile_id BIGINT, event_key VARCHAR, occurred_at TIMESTAMP,
    is_bot BOOLEAN, is_internal BOOLEAN, landing_number BIGINT);
CREATE TABLE profiles.int_changed_profiles (profile_id BIGINT);
CREATE TABLE profiles.int_changed_births (birth BIGINT, anchor_birth BIGINT,
    profile_before BIGINT, profile_id BIGINT);
"""

CURRENT = ("int_segment_features", "int_segment_verdicts", "fct_segment_memberships")


@dataclass
class Person:
    """What the profile stage would know of a person, and the events that it did."""

    orders: list[tuple[datetime, int]] = field(default_factory=list)
    events: list[tuple[datetime, int, str]] = field(default_factory=list)

    def first_seen(self, now: datetime) -> datetime | None:
        return min((at for at in self._times() if at <= now), default=None)

    def next_change(self, now: datetime) -> datetime | None:
        return min((at for at in self._times() if at > now), default=None)

    def _times(self) -> list[datetime]:
        return [at for at, _, _ in self.events] + [at for at, _ in self.orders]

    def segments(self, now: datetime) -> set[str]:
        """The shipped segments, by plain Python."""
        found = set()
        first = self.first_seen(now)
        if first and first > now - 7 * DAY:
            found.add("new_visitors")
        bought = [at for at, _ in self.orders if at <= now]
        spent = sum(amount for at, amount in self.orders if at <= now)
        if len(bought) >= 3 and max(bought) > now - 60 * DAY:
            found.add("loyal_customers")
        if bought and max(bought) > now - 30 * DAY and spent > 500:
            found.add("high_value_recent")
        added = [each[:2] for each in self.events if each[2] == "product added" and each[0] <= now]
        ordered = [
            each[:2] for each in self.events if each[2] == "order completed" and each[0] <= now
        ]
        if added and max(added)[0] > now - DAY and not (ordered and max(ordered) > max(added)):
            found.add("active_cart_abandoners")
        return found


class Shop:
    """A warehouse whose profiles are laid by hand, and the people that they are laid from."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = home / "config"
        shutil.copytree(PROJECT_ROOT / "config", self.config)
        self.people: dict[int, Person] = {}
        self.changed: set[int] = set()
        self.now = START
        self.landed = 0
        self.runs = 0

    def settings(self) -> Settings:
        return load_settings(home=self.home / "data", config=self.config, as_of=self.now)

    def did(self, person: int, key: str, at: datetime) -> None:
        self.landed += 1
        self.people.setdefault(person, Person()).events.append((at, self.landed, key))
        self.changed.add(person)

    def bought(self, person: int, at: datetime, amount: int) -> None:
        self.people.setdefault(person, Person()).orders.append((at, amount))
        self.changed.add(person)

    def run(
        self,
        *,
        everybody: bool = False,
        full_refresh: bool = False,
        merged: dict[int, int] | None = None,
        publish: bool = True,
        cut_off: bool = False,
    ) -> None:
        """Build the segments at the clock's moment, and publish or fail.

        A run that is cut off has built the profiles and no segment.
        """
        settings = self.settings()
        project = generate(settings)
        self.runs += 1
        with open_warehouse(settings) as warehouse:
            self._lay(warehouse, f"run-{self.runs}", everybody, merged or {})
            run = begin_run(warehouse, f"run-{self.runs}", "test")
            warehouse.execute(
                "UPDATE governance.int_current_run SET run_number = ?", [run.run_number]
            )
            if not cut_off:
                models = Models(settings, project)
                models.build(warehouse, run, "segments", full_refresh=full_refresh)
            publish = publish and not cut_off
            finish_run(warehouse, run, "published" if publish else "failed")
        if publish:
            self.changed.clear()

    def _lay(
        self, warehouse: Warehouse, run_id: str, everybody: bool, merged: dict[int, int]
    ) -> None:
        if not warehouse.has_table("profiles", "dim_profiles"):
            warehouse.execute(LAID)
        now = self.now
        changed: set[int] = self.changed | set(merged) | set(merged.values())
        if everybody:
            changed |= set(self.people)
        # What comes due between runs, as the profile stage and the verdicts say.
        due = warehouse.rows(
            "SELECT profile_id FROM profiles.dim_profiles WHERE next_change_at <= ?", [now]
        )
        changed |= {row[0] for row in due}
        if warehouse.has_table("segments", "int_segment_verdicts"):
            due = warehouse.rows(
                "SELECT profile_id FROM segments.int_segment_verdicts WHERE next_flip_at <= ?",
                [now],
            )
            changed |= {row[0] for row in due}
        # What unpublished runs computed is computed anew, as the profile stage has it.
        self.changed = changed
        previous = (
            warehouse.rows(
                "SELECT run_number, run_id FROM governance.runs WHERE status = 'published' "
                "ORDER BY run_number DESC LIMIT 1"
            )
            if warehouse.has_table("governance", "runs")
            else []
        )
        before = previous[0] if previous else (0, None)
        warehouse.execute("DELETE FROM governance.int_current_run")
        warehouse.execute(
            "INSERT INTO governance.int_current_run VALUES (0, ?, ?, ?, ?)",
            [run_id, now, *before],
        )
        for table in ("dim_profiles", "fct_events", "int_changed_profiles", "int_changed_births"):
            warehouse.execute(f"DELETE FROM profiles.{table}")
        for number, person in self.people.items():
            bought = [at for at, _ in person.orders if at <= now]
            warehouse.execute(
                "INSERT INTO profiles.dim_profiles VALUES (?, ?, ?, ?, ?, 'DE', ?)",
                [
                    number,
                    person.first_seen(now),
                    len(bought),
                    max(bought, default=None),
                    sum(amount for at, amount in person.orders if at <= now),
                    person.next_change(now),
                ],
            )
            for at, landing_number, key in person.events:
                warehouse.execute(
                    "INSERT INTO profiles.fct_events VALUES (?, ?, ?, false, false, ?)",
                    [number, key, at, landing_number],
                )
        for number in sorted(changed):
            warehouse.execute("INSERT INTO profiles.int_changed_profiles VALUES (?)", [number])
        for gone, into in merged.items():
            warehouse.execute(
                "INSERT INTO profiles.int_changed_births VALUES (?, ?, ?, ?)",
                [gone, gone, gone, into],
            )

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with open_warehouse(self.settings()) as warehouse:
            return warehouse.rows(sql)

    def members(self) -> set[tuple[int, str]]:
        """Who is in which segment, as the views of the segments say."""
        names = [each.stem for each in (self.config / "segments").glob("*.yml")]
        return {
            (int(str(row[0])), name)
            for name in names
            for row in self.rows(f"SELECT profile_id FROM segments.{name}")
        }

    def expected(self) -> set[tuple[int, str]]:
        return {
            (number, name)
            for number, person in self.people.items()
            for name in person.segments(self.now)
        }

    def changes(self, person: int) -> list[tuple[object, ...]]:
        """A person's record: run, segment, change and cause."""
        return self.rows(
            "SELECT run_number, segment_name, change, cause FROM segments.fct_segment_changes "
            f"WHERE profile_id = {person} ORDER BY ALL"
        )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_any_sequence_of_runs_ends_where_a_rebuild_ends(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    for step in range(7):
        for _ in range(12):
            person = chance.randrange(1, 15)
            # Late ones, ones at the same moment, and ones that are still to come.
            at = shop.now + timedelta(hours=chance.choice([-200, -23, -2, -2, -1, 0, 5, 30]))
            if chance.random() < 0.3:
                shop.bought(person, at, chance.choice([100, 300, 501]))
            else:
                shop.did(person, chance.choice(["product added", "order completed", "x"]), at)
        shop.run(publish=step in (0, 1, 3, 6) or chance.random() < 0.5)
        if step in (0, 1, 3, 6):
            assert shop.members() == shop.expected()
        if step < 6:
            shop.now += timedelta(hours=chance.choice([1, 3, 24, 100, 400]))
    before = {name: sorted(map(str, shop.rows(f"FROM segments.{name}"))) for name in CURRENT}
    shop.run(full_refresh=True, everybody=True)
    after = {name: sorted(map(str, shop.rows(f"FROM segments.{name}"))) for name in CURRENT}
    assert after == before


def test_who_falls_out_of_a_window_leaves_without_anything_landing(shop: Shop) -> None:
    shop.did(1, "page", START - 6 * DAY)
    shop.did(2, "page", START)
    shop.run()
    shop.now += DAY - timedelta(seconds=1)
    shop.run()
    assert shop.members() == {(1, "new_visitors"), (2, "new_visitors")}
    shop.now += timedelta(seconds=1)
    shop.run()
    assert shop.members() == {(2, "new_visitors")}
    assert shop.changes(1) == [
        (1, "new_visitors", "entered", "definition"),
        (3, "new_visitors", "left", "rule"),
    ]
    sizes = shop.rows(
        "SELECT run_number, members FROM segments.segment_sizes "
        "WHERE segment_name = 'new_visitors' ORDER BY run_number"
    )
    assert sizes == [(1, 2), (2, 2), (3, 1)]


def test_a_change_that_an_unpublished_run_saw_is_recorded_by_the_next(shop: Shop) -> None:
    shop.did(1, "page", START - 6 * DAY)
    shop.run()
    shop.now += 2 * DAY
    shop.did(2, "page", shop.now)
    shop.run(publish=False)
    shop.now += timedelta(hours=1)
    shop.run()
    assert shop.members() == {(2, "new_visitors")} == shop.expected()
    assert shop.changes(1)[-1] == (3, "new_visitors", "left", "rule")
    assert shop.changes(2) == [(3, "new_visitors", "entered", "rule")]
    assert shop.rows("SELECT DISTINCT run_number FROM segments.segment_sizes ORDER BY ALL") == [
        (1,),
        (3,),
    ]


def test_what_came_due_in_a_run_that_was_cut_off_before_the_segments_counts_in_the_next(
    shop: Shop,
) -> None:
    shop.bought(1, START + DAY, 600)
    shop.did(1, "page", START - 10 * DAY)
    shop.run()
    assert shop.members() == set()
    shop.now += 2 * DAY
    shop.run(cut_off=True)
    shop.now += timedelta(hours=1)
    shop.run()
    assert shop.members() == {(1, "high_value_recent")} == shop.expected()
    assert shop.changes(1) == [(3, "high_value_recent", "entered", "rule")]


def test_a_merge_ends_the_stays_of_the_profile_that_is_no_more(shop: Shop) -> None:
    shop.did(1, "page", START - 20 * DAY)
    shop.did(2, "page", START)
    shop.bought(2, START, 600)
    shop.run()
    gone = shop.people.pop(2)
    shop.people[1].events += gone.events
    shop.people[1].orders += gone.orders
    shop.run(merged={2: 1})
    assert shop.members() == {(1, "high_value_recent")} == shop.expected()
    assert shop.changes(2)[-2:] == [
        (2, "high_value_recent", "left", "identity"),
        (2, "new_visitors", "left", "identity"),
    ]
    assert shop.changes(1) == [(2, "high_value_recent", "entered", "identity")]


def test_a_segment_can_come_change_and_go(shop: Shop) -> None:
    shop.did(1, "page", START - 3 * DAY)
    shop.did(2, "page", START)
    shop.did(2, "signed up", START)
    shop.run()
    path = shop.config / "segments" / "new_visitors.yml"
    written = path.read_text(encoding="utf-8")
    path.write_text(written.replace("within 7 days", "within 2 days"), encoding="utf-8")
    added = path.with_name("newcomers.yml")
    added.write_text(
        written.replace("name: new_visitors", "name: newcomers").replace(
            "rule: first seen within 7 days", "rule: did 'Signed Up' within 1 week"
        ),
        encoding="utf-8",
    )
    shop.run(everybody=True)
    assert shop.members() == {(2, "new_visitors"), (2, "newcomers")}
    assert shop.changes(1)[-1] == (2, "new_visitors", "left", "definition")
    assert shop.changes(2)[-1] == (2, "newcomers", "entered", "definition")
    # Who stays in keeps the rule by which it came in.
    old, new = shop.rows(
        "SELECT m.rule_version, s.rule_version FROM segments.new_visitors AS m, "
        "segments.dim_segments AS s WHERE s.segment_name = 'new_visitors'"
    )[0]
    assert old != new
    added.unlink()
    shop.run(everybody=True)
    assert shop.members() == {(2, "new_visitors")}
    assert shop.changes(2)[-1] == (3, "newcomers", "left", "definition")
    assert shop.rows("SELECT count(*) FROM segments.segment_sizes WHERE run_number = 3") == [(4,)]


def test_a_deployment_without_segments_builds(shop: Shop) -> None:
    for path in (shop.config / "segments").glob("*.yml"):
        path.unlink()
    shop.did(1, "page", START)
    shop.run()
    assert shop.rows("SELECT count(*) FROM segments.dim_segments") == [(0,)]
    assert shop.rows("SELECT profile_id, next_flip_at FROM segments.int_segment_verdicts") == [
        (1, None)
    ]
