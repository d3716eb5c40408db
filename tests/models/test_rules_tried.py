"""What `cdp identity diff` says rules would change is what a run under them changes, to the last
profile; rules that are in force change nothing, whatever has come since; and nothing is written."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp.identity.identifiers import Identifier
from cdp.identity.label_record import Said, record
from cdp.identity.labels import Claim
from cdp.warehouse.rehearsal import published_base
from cdp.warehouse.runs import STAGES, logic_hash
from cdp.warehouse.settings import PROJECT_ROOT
from cdp.warehouse.store import open_warehouse
from tests.cli.command import cdp, complaint
from tests.models.landed_rows import Landed
from tests.models.worlds import cut, rows_of_worlds

pytestmark = pytest.mark.integration

SHIPPED = PROJECT_ROOT / "dbt_project" / "seeds"
WHOLE = STAGES[1:]
EARLY, LATE = cut(rows_of_worlds(50, seed=8), 2, seed=3)

SEGMENT = """
name: early_birds
description: Whom the worlds tell of in their first days.
owner: a@example.com
purpose: analytics
rule: first seen within 28 days AND event_count >= 1
"""


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """Worlds in a warehouse that has been built whole and published; not to be built again."""
    made = Landed(tmp_path_factory.mktemp("worlds"))
    (made.settings.config / "segments" / "early_birds.yml").write_text(SEGMENT, encoding="utf-8")
    made.run(EARLY, stages=WHOLE)
    return made


def copy_of(landed: Landed, home: Path) -> Landed:
    shutil.copytree(landed.home, home)
    place = {"home": home / "data", "config": home / "config"}
    settings = landed.settings.model_copy(update=place)
    return Landed(home, landed.runs, landed.landed, _settings=settings)


@pytest.fixture(scope="module")
def joined(landed: Landed) -> tuple[str, str]:
    """The user ids of two people, which a label of the rules joins."""
    (one,), (other,) = landed.rows(
        "SELECT min(identifier_value) FROM identity.dim_identifiers "
        "WHERE identifier_type = 'user_id' AND identifier_value LIKE 'w%' "
        "GROUP BY split_part(identifier_value, '-', 1) ORDER BY min(birth) LIMIT 2"
    )
    return one, other


@pytest.fixture
def rules(joined: tuple[str, str], tmp_path: Path) -> Path:
    """Rules of every kind, each of which moves somebody."""
    folder = tmp_path / "rules"
    folder.mkdir()
    types = _edited("identifier_types.csv", "identifier_type")
    types["user_id"]["max_per_profile"] = "2"
    types["email"]["max_per_profile"] = "1"
    _write(folder / "identifier_types.csv", types.values())
    blocked = [row for row in _rows("blocked_values.csv") if "noreply" not in row["pattern"]]
    blocked.append({"identifier_type": "email", "pattern": "^w8000[3-6]-e", "reason": "a test"})
    _write(folder / "blocked_values.csv", blocked)
    signs = _edited("identity_signs.csv", "sign")
    signs["identifiers"]["allowed"] = "9"
    _write(folder / "identity_signs.csv", signs.values())
    # Contacts of the CRM told people by their names so far.
    scopes = [{"source": "shop", "scope": "people", "min_name_parts": "2"}]
    _write(folder / "identity_scopes.csv", scopes)
    label = {"kind": "join", "left_type": "user_id", "left_value": joined[0]}
    label |= {"right_type": "user_id", "right_value": joined[1], "author": "ada", "reason": "so"}
    _write(folder / "identity_labels.csv", [label])
    return folder


def _rows(name: str) -> list[dict[str, str]]:
    with (SHIPPED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _edited(name: str, key: str) -> dict[str, dict[str, str]]:
    return {row[key]: row for row in _rows(name)}


def _write(path: Path, rows: Any) -> None:
    found = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)


def told_by(landed: Landed, *arguments: str) -> dict[str, Any]:
    settings = landed.settings
    done = cdp(
        settings.home, "identity", "diff", *arguments, "--json",
        config=settings.config, default_country="DE",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def files_of(landed: Landed) -> dict[str, str]:
    """Every file of the home and the configuration, by its bytes."""
    return {
        str(path.relative_to(landed.home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(landed.home.rglob("*"))
        if path.is_file()
    }


class State:
    """Who is who and what is said of them, read with nothing of what is under test."""

    def __init__(self, landed: Landed) -> None:
        self.owner: dict[int, int | None] = dict(
            landed.rows(
                "SELECT v.birth, i.profile_id FROM identity.int_identifier_values AS v "
                "LEFT JOIN identity.dim_identifiers AS i ON i.birth = v.node"
            )
        )
        with open_warehouse(landed.settings) as warehouse:
            found = warehouse.arrow("SELECT * FROM profiles.dim_profiles").to_pylist()
        self.profiles = {row["profile_id"]: row for row in found}
        self.members = set(
            landed.rows(
                "SELECT segment_name, profile_id FROM segments.fct_segment_memberships "
                "WHERE exited_at IS NULL"
            )
        )
        self.left_out = landed.rows(
            "SELECT left_node, right_node, rule FROM identity.fct_rejected_edges"
        )
        self.quarantine = {
            row[0] for row in landed.rows("SELECT cluster_id FROM identity.quarantined_clusters")
        }

    @property
    def ids(self) -> set[int]:
        return {profile for profile in self.owner.values() if profile is not None}


def _together(before: State, after: State) -> Iterator[tuple[int, int]]:
    for birth, profile in before.owner.items():
        now = after.owner.get(birth)
        if profile is not None and now is not None:
            yield profile, now


def real_change(before: State, after: State) -> dict[str, Any]:
    made_of, into = defaultdict(set), defaultdict(set)
    for was, now in _together(before, after):
        made_of[now].add(was)
        into[was].add(now)
    merges = {now: sorted(parts) for now, parts in made_of.items() if len(parts) > 1}
    splits = {was: sorted(parts) for was, parts in into.items() if len(parts) > 1}
    births = before.owner.keys() | after.owner.keys()
    moves = [(before.owner.get(each), after.owner.get(each)) for each in births]
    kept = before.profiles.keys() & after.profiles.keys()
    columns: Counter[str] = Counter()
    for profile in kept:
        was, now = before.profiles[profile], after.profiles[profile]
        columns.update(name for name in was if was[name] != now[name])
    rules = {
        "before": Counter(rule for *_, rule in before.left_out),
        "after": Counter(rule for *_, rule in after.left_out),
    }
    edges = [{row[:2] for row in state.left_out} for state in (before, after)]
    return {
        "profiles": {"before": len(before.ids), "after": len(after.ids)},
        "merges": len(merges),
        "merged": len({part for parts in merges.values() for part in parts}),
        "merge_examples": merges,
        "splits": len(splits),
        "split_examples": splits,
        "ids_ended": len(before.ids - after.ids),
        "ids_begun": len(after.ids - before.ids),
        "moved": sum(was != now for was, now in moves),
        "freed": sum(was is not None and now is None for was, now in moves),
        "claimed": sum(was is None and now is not None for was, now in moves),
        "changed": sum(before.profiles[each] != after.profiles[each] for each in kept),
        "changed_columns": dict(columns),
        "left_out": {
            rule: {side: counted[rule] for side, counted in rules.items()}
            for rule in rules["before"].keys() | rules["after"].keys()
        },
        "left_out_anew": len(edges[1] - edges[0]),
        "joins_again": len(edges[0] - edges[1]),
        "quarantine": {"before": len(before.quarantine), "after": len(after.quarantine)},
        "quarantined": sorted(after.quarantine - before.quarantine),
        "released": sorted(before.quarantine - after.quarantine),
        "segments": {
            name: (
                sum(each == name for each, _ in before.members),
                sum(each == name for each, _ in after.members),
                sum(each == name for each, _ in after.members - before.members),
                sum(each == name for each, _ in before.members - after.members),
            )
            for name, _ in before.members | after.members
        },
    }


def test_what_is_told_is_what_a_run_makes_of_it(
    landed: Landed, rules: Path, joined: tuple[str, str], tmp_path: Path
) -> None:
    files = files_of(landed)
    told = told_by(landed, "--rules", str(rules), "--limit", "10000")
    assert files_of(landed) == files
    assert told["only_rules"]
    assert told["differs"]

    before = State(landed)
    real = copy_of(landed, tmp_path / "real")
    for path in rules.iterdir():
        shutil.copyfile(path, real.settings.config / "seeds" / path.name)
    # A first run loads the seeds.
    real.runs = 0
    real.run(full_refresh=True, stages=WHOLE, name="under-other-rules")
    after = State(real)
    change = real_change(before, after)
    ends = [
        birth
        for (birth,) in real.rows(
            "SELECT birth FROM identity.dim_identifiers "
            f"WHERE identifier_type = 'user_id' AND identifier_value IN {joined}"
        )
    ]
    assert len({before.owner[each] for each in ends}) == 2
    assert len({after.owner[each] for each in ends}) == 1

    told["merge_examples"] = {each["profile_id"]: each["of"] for each in told["merge_examples"]}
    told["split_examples"] = {each["profile_id"]: each["into"] for each in told["split_examples"]}
    ended = {each["former_id"]: each["profile_id"] for each in told["ended_examples"]}
    segments = {
        each["segment"]: (each["before"], each["after"], each["entered"], each["left"])
        for each in told["segments"]
    }
    told["segments"] = {name: sizes for name, sizes in segments.items() if any(sizes)}
    assert {name: told[name] for name in change} == change
    assert ended == dict(
        real.rows(
            "SELECT former_id, profile_id FROM identity.dim_profile_ids "
            f"WHERE former_id IN ({', '.join(map(str, before.ids - after.ids))})"
        )
    )
    assert set(told["changed_examples"]) == {
        each
        for each in before.profiles.keys() & after.profiles.keys()
        if before.profiles[each] != after.profiles[each]
    }
    # Else equality would say little.
    for name in (
        "merges", "splits", "ids_ended", "ids_begun", "freed", "claimed", "changed",
        "left_out_anew", "joins_again", "quarantined",
    ):  # fmt: skip
        assert change[name], name
    assert any(entered or left for *_, entered, left in change["segments"].values())


def test_rules_in_force_change_nothing_whatever_has_come_since(
    landed: Landed, tmp_path: Path
) -> None:
    since = copy_of(landed, tmp_path / "since")
    one, other = since.rows(
        "SELECT identifier_type, min(identifier_value) FROM identity.dim_identifiers "
        "WHERE identifier_type IN ('user_id', 'email') GROUP BY identifier_type ORDER BY 1"
    )
    with open_warehouse(since.settings) as warehouse:
        since.lay(warehouse, LATE)
        said = Claim("join", Identifier(*one), Identifier(*other))
        record(warehouse, [Said(said, "ada", "a test")])
    before = files_of(since)
    seeds = since.settings.config / "seeds"
    told = told_by(since, "--rules", str(SHIPPED / "identifier_types.csv"), "--rules", str(seeds))
    assert files_of(since) == before
    assert (told["differs"], told["only_rules"]) == (False, True)
    assert told["profiles"]["before"] == told["profiles"]["after"] > 50
    assert {name for name, number in told.items() if number == 0} >= {
        "merges", "splits", "moved", "ids_ended", "ids_begun", "changed", "left_out_anew",
        "joins_again",
    }  # fmt: skip
    assert sum(each["before"] for each in told["segments"]) > 0


def test_the_page_on_trying_a_rule_works_as_it_stands(landed: Landed, tmp_path: Path) -> None:
    page = (PROJECT_ROOT / "docs" / "how-to" / "try-a-rule.md").read_text(encoding="utf-8")
    *tried, counting = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    assert "cdp run" in counting
    (tmp_path / "dbt_project").symlink_to(PROJECT_ROOT / "dbt_project")
    done = subprocess.run(
        ["bash", "-euc", f'cdp() {{ "{sys.executable}" -m cdp "$@"; }}\n' + "".join(tried)],
        cwd=tmp_path,
        env={**environment(landed), "PYTHONPATH": str(PROJECT_ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("What identifier_types.csv would change of run 1, as of 2026-06-")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert any(re.match(r"limit:email \d+ [1-9]\d*$", line) for line in lines), done.stdout
    assert any(re.match(r"(\d+) becomes \1, \d+", line) for line in lines), done.stdout
    assert any(line.startswith("early_birds ") for line in lines), done.stdout
    assert (SHIPPED / "identifier_types.csv").read_text() != (
        tmp_path / "tried" / "identifier_types.csv"
    ).read_text()


def environment(landed: Landed) -> dict[str, str]:
    return {
        **os.environ,
        "CDP_HOME": str(landed.settings.home),
        "CDP_CONFIG": str(landed.settings.config),
        "CDP_DEFAULT_COUNTRY": "DE",
    }


def test_where_more_than_rules_has_changed_it_is_said(landed: Landed, tmp_path: Path) -> None:
    edited = copy_of(landed, tmp_path / "edited")
    definition = edited.settings.config / "segments" / "early_birds.yml"
    definition.write_text(SEGMENT.replace(">= 1", ">= 3"), encoding="utf-8")
    told = told_by(edited, "--rules", str(SHIPPED / "identity_signs.csv"))
    assert (told["only_rules"], told["differs"]) == (False, True)
    assert (told["moved"], told["changed"], told["left_out_anew"]) == (0, 0, 0)
    (birds,) = [each for each in told["segments"] if each["segment"] == "early_birds"]
    assert birds["left"] == birds["before"] - birds["after"] > 0
    assert birds["entered"] == 0


def test_settings_that_tables_follow_from_are_more_than_rules(landed: Landed) -> None:
    settings = landed.settings
    with open_warehouse(settings) as warehouse:
        base = published_base(warehouse)
    assert base.is_of(settings, logic_hash(settings))
    for change in (
        {"timezone": "Asia/Tokyo"},
        {"base_currency": "CHF"},
        {"default_country": "AT"},
        {"internal_networks": ("192.168.0.0/16",)},
        {"internal_email_domains": ("elsewhere.example",)},
    ):
        assert not base.is_of(settings.model_copy(update=change), logic_hash(settings))


def test_a_process_that_is_ended_leaves_nothing_and_a_killed_one_nothing_for_long(
    landed: Landed, rules: Path
) -> None:
    before = files_of(landed)
    known: set[Path] = set()
    for number, leaves_something in ((signal.SIGKILL, True), (signal.SIGTERM, False)):
        process = subprocess.Popen(
            [sys.executable, "-m", "cdp", "identity", "diff", "--rules", str(rules)],
            cwd=PROJECT_ROOT,
            env=environment(landed),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_another(landed, known, process)
        finally:
            process.send_signal(number)
            process.wait(60)
        assert process.returncode != 0
        # What the first has left, the second has swept.
        known = built(landed)
        assert bool(known) == leaves_something
        assert {
            name: held for name, held in files_of(landed).items() if "/scratch/" not in name
        } == before


def built(landed: Landed) -> set[Path]:
    """Copies in which rules are being tried."""
    return set((landed.settings.home / "scratch").glob("*/dbt/project"))


def wait_for_another(landed: Landed, known: set[Path], process: subprocess.Popen[bytes]) -> None:
    """Until a process is trying rules in a copy of its own."""
    until = time.monotonic() + 240
    while built(landed) <= known:
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_is_not_as_published_is_held_against_nothing(
    landed: Landed, rules: Path, tmp_path: Path
) -> None:
    unpublished = copy_of(landed, tmp_path / "unpublished")
    with open_warehouse(unpublished.settings) as warehouse:
        warehouse.execute("UPDATE governance.stage_builds SET run_id = 'killed'")
    settings = unpublished.settings
    asked = ("identity", "diff", "--rules", str(rules))
    done = cdp(settings.home, *asked, config=settings.config)
    assert done.returncode == 3
    assert "are not those of the last published run (1)" in complaint(done)
    with open_warehouse(unpublished.settings) as warehouse:
        warehouse.execute("DELETE FROM governance.runs")
    done = cdp(settings.home, *asked, config=settings.config)
    assert done.returncode == 5
    assert "no run has been published yet" in complaint(done)
    assert list((settings.home / "scratch").iterdir()) == []
