"""`cdp identity explain` and the evidence of a profile, over a shop that has been run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from filelock import FileLock

from cdp.warehouse.readers import open_reader
from cdp.warehouse.store import open_warehouse
from tests.cli.command import cdp, complaint
from tests.models.identity_cases import Case
from tests.models.landed_rows import Landed
from tests.services.shop_run import ShopRun, settings_of

INSIDE = """
    FROM identity.fct_identity_edges AS edges
    JOIN identity.dim_identifiers AS elder ON elder.birth = edges.left_node
    JOIN identity.dim_identifiers AS younger ON younger.birth = edges.right_node
    ANTI JOIN identity.fct_rejected_edges AS rejected
      ON (rejected.left_node, rejected.right_node) = (edges.left_node, edges.right_node)
"""


@pytest.fixture(scope="module")
def home(finished_shop_run: ShopRun) -> Path:
    return finished_shop_run.settings.home


def named(kind: str, value: str) -> str:
    return f"{kind}:{value}"


def test_two_identifiers_of_one_row_are_tied_by_it(home: Path) -> None:
    with open_warehouse(settings_of(home)) as warehouse:
        rows = warehouse.rows(
            "SELECT elder.identifier_type, elder.identifier_value, younger.identifier_type, "
            f"younger.identifier_value, edges.event_id, elder.profile_id {INSIDE} "
            "WHERE elder.identifier_type = 'email' ORDER BY edges.edge_key LIMIT 1"
        )
    ((one_type, one, other_type, other, event, profile),) = rows
    # In another spelling than the one that is kept.
    asked = ("identity", "explain", named(one_type, one.upper()), named(other_type, other))
    told = json.loads(cdp(home, *asked, "--json").stdout)
    assert (told["is_one_person"], told["why"], told["is_published"]) == (True, "tied", True)
    assert told["left"] == {
        "type": one_type, "value": one, "profile_id": profile, "is_blocked": False
    }  # fmt: skip
    (step,) = told["path"]
    assert (step["from"]["value"], step["to"]["value"]) == (one, other)
    assert (step["event_id"], step["left_out_by"]) == (event, None)
    shown = cdp(home, *asked)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"One person: profile {profile}.")
    assert event in shown.stdout.replace("\n", "")
    assert shown.stderr == ""


def test_two_whom_a_rule_parts_are_told_the_rule(tmp_path: Path) -> None:
    """Two people on one device: whoever came later is left out."""
    landed = Landed(tmp_path)
    story = Case("a shared device", []).says(userId="u1", anonymousId="d")
    landed.run(story.says(userId="u2", anonymousId="d").rows)
    settings = landed.settings
    asked = ("identity", "explain", "user_id:u1", "user_id:u2")
    done = cdp(settings.home, *asked, "--json", config=settings.config)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["is_one_person"], told["why"]) == (False, "left_out")
    assert [
        (step["from"]["value"], step["to"]["value"], step["left_out_by"]) for step in told["path"]
    ] == [("u1", "d", None), ("d", "u2", "limit:user_id")]
    shown = cdp(settings.home, *asked, config=settings.config).stdout
    assert shown.startswith("Two people: profiles ")
    assert "limit:user_id" in shown


def test_two_whom_nothing_ties_are_told_so(home: Path) -> None:
    with open_warehouse(settings_of(home)) as warehouse:
        rows = warehouse.rows(
            "SELECT identifier_type, min_by(identifier_value, birth) "
            "FROM identity.dim_identifiers WHERE identifier_type = 'user_id' "
            "GROUP BY identifier_type, component_id ORDER BY component_id LIMIT 2"
        )
    done = cdp(home, "identity", "explain", *(named(kind, value) for kind, value in rows))
    assert done.returncode == 0, done.stderr
    assert "No row ties them together, not even through others that are somebody's own" in (
        done.stdout
    )


def test_whom_nobody_has_seen_cannot_be_explained(home: Path) -> None:
    done = cdp(home, "identity", "explain", "email:a@nowhere.test", "email:b@nowhere.test")
    assert done.returncode == 5
    assert complaint(done).startswith("the first identifier: no row with that email has landed")
    assert "nowhere.test" not in done.stderr


def test_the_evidence_of_a_profile_is_told_as_its_reader_may_see_it(home: Path) -> None:
    with open_warehouse(settings_of(home)) as warehouse:
        ((profile, event, source),) = warehouse.rows(
            f"SELECT elder.profile_id, edges.event_id, edges.source {INSIDE} "
            "QUALIFY count(*) OVER (PARTITION BY elder.profile_id) = 1 "
            "ORDER BY edges.edge_key LIMIT 1"
        )
    asked = ("profile", "show", str(profile), "--evidence", "--json")
    marketing = json.loads(cdp(home, *asked, "--role", "marketing").stdout)
    assert len(marketing["identifiers"]) == 2
    for each in marketing["identifiers"]:
        assert each["value"]
        assert (each["evidence"]["event_id"], each["evidence"]["source"]) == (event, source)
        assert each["evidence"]["first_occurred_at"].endswith("Z")
    analyst = json.loads(cdp(home, *asked).stdout)
    for each in analyst["identifiers"]:
        assert (each["value"], each["evidence"]["event_id"]) == (None, None)
        assert each["evidence"]["source"] == source
    # Without being asked for, too.
    shown = cdp(home, "profile", "show", str(profile), "--role", "marketing").stdout
    assert "first at" in shown
    assert event in shown
    without = cdp(home, "profile", "show", str(profile), "--role", "marketing", "--no-evidence")
    assert event not in without.stdout


def test_evidence_is_left_out_where_a_run_holds_the_warehouse_and_is_said_to_be(
    home: Path,
) -> None:
    settings = settings_of(home)
    with open_reader(settings, "analyst") as reader:
        (profile,) = reader.execute("SELECT min(profile_id) FROM dim_profiles").fetchall()[0]
    with FileLock(settings.lock_file, timeout=0):
        done = cdp(home, "profile", "show", str(profile), "--json")
        assert done.returncode == 0, done.stderr
        assert "What ties the identifiers together is not shown: the warehouse is held" in (
            done.stderr
        )
        assert all("evidence" not in each for each in json.loads(done.stdout)["identifiers"])
        refused = cdp(home, "profile", "show", str(profile), "--evidence")
    assert refused.returncode == 4
    assert "held by another run" in complaint(refused)
