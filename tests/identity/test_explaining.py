"""Why two identifiers are one person, or two, as the tables of a warehouse tell it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cdp.commands.explaining import tell_explanation
from cdp.identity.explaining import explain
from cdp.identity.looking_up import NeverSeen, NothingBuilt
from cdp.identity.tied_by import Evidence, evidence_of
from cdp.warehouse.runs import begin_run, finish_run, mark_stage, utc_now
from cdp.warehouse.settings import load_settings
from cdp.warehouse.store import Warehouse, open_warehouse

NOON = datetime(2026, 7, 1, 12)

TABLES = """
CREATE TABLE staging.identifier_types (identifier_type VARCHAR, normaliser VARCHAR);
CREATE TABLE identity.int_identifier_values (birth BIGINT, identifier_type VARCHAR,
    raw_value VARCHAR, identifier_value VARCHAR, node BIGINT, is_blocked BOOLEAN);
CREATE TABLE identity.dim_identifiers (identifier_type VARCHAR, identifier_value VARCHAR,
    birth BIGINT, component_id BIGINT, profile_id BIGINT);
CREATE TABLE identity.fct_identity_edges (left_node BIGINT, right_node BIGINT, weakness INTEGER,
    source VARCHAR, event_id VARCHAR, first_occurred_at TIMESTAMP);
CREATE TABLE identity.fct_rejected_edges (left_node BIGINT, right_node BIGINT, component_id BIGINT,
    rule VARCHAR, source VARCHAR, event_id VARCHAR, first_occurred_at TIMESTAMP);
"""

PLACES = [
    # birth, component, profile: one profile of four; two that a rule parts; two that stand alone.
    (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1),
    (5, 5, 5), (6, 5, 6), (7, 5, 6),
    (8, 8, 8), (9, 9, 9),
    # two components that a label joins
    (10, 10, 10), (11, 11, 10),
]  # fmt: skip

EDGES = [
    # left, right, weakness, event, hours after noon
    (1, 2, 10, "a", 3), (1, 3, 30, "b", 1), (2, 4, 30, "c", 0), (3, 4, 20, "d", 2),
    (5, 7, 20, "e", 0), (6, 7, 10, "f", 1),
]  # fmt: skip


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    (tmp_path / "config").mkdir()
    with open_warehouse(load_settings(home=tmp_path / "home", config=tmp_path / "config")) as held:
        yield held


@pytest.fixture
def built(warehouse: Warehouse) -> Warehouse:
    """Identifiers `email:p1`, `email:p2` …, which one published run has built."""
    warehouse.execute(TABLES)
    warehouse.insert("staging.identifier_types", [("email", "email"), ("*", "exact")])
    warehouse.insert(
        "identity.int_identifier_values",
        [(n, "email", f" P{n}", f"p{n}", n, n == 9) for n, *_ in PLACES],
    )
    warehouse.insert(
        "identity.dim_identifiers",
        # What is blocked is in no component.
        [("email", f"p{n}", n, *where) for n, *where in PLACES if n != 9],
    )
    warehouse.insert(
        "identity.fct_identity_edges",
        [
            (left, right, weakness, "web", event, NOON + timedelta(hours=hours))
            for left, right, weakness, event, hours in EDGES
        ],
    )
    warehouse.insert("identity.fct_rejected_edges", [(5, 7, 5, "limit:email", "web", "e", NOON)])
    build(warehouse, "first")
    return warehouse


def build(warehouse: Warehouse, run_id: str, *, publish: bool = True) -> None:
    run = begin_run(warehouse, run_id, "test", "logic")
    mark_stage(warehouse, run, "identity", "built")
    finish_run(warehouse, run, "published" if publish else "failed")


def join(warehouse: Warehouse, one: int, other: int) -> None:
    row = (1, "join", "email", f"p{one}", "email", f"p{other}", "ada", "why", NOON, None)
    warehouse.insert("governance.identity_labels", [row])


def events(warehouse: Warehouse, left: str, right: str) -> list[tuple[str, str, str | None]]:
    return [
        (step.from_.value, step.to.value, step.edge.event_id)
        for step in explain(warehouse, left, right).path
    ]


def test_two_of_a_profile_are_tied_by_the_shortest_path_the_strongest_of_them(
    built: Warehouse,
) -> None:
    explanation = explain(built, "email:p1", "email:p4")
    assert explanation.why == "tied"
    assert explanation.left.profile_id == explanation.right.profile_id == 1
    assert explanation.is_published
    # Both ways have two edges, the weakest of either as weak: the other edge decides.
    assert events(built, "email:p1", "email:p4") == [("p1", "p2", "a"), ("p2", "p4", "c")]
    assert events(built, "email:p4", "email:p1") == [("p4", "p2", "c"), ("p2", "p1", "a")]
    (first, _) = explanation.path
    assert (first.edge.source, first.edge.first_occurred_at) == ("web", NOON + timedelta(hours=3))


@pytest.mark.parametrize("spelling", ["email: P1", "email:P1 ", "email:p1"])
def test_any_spelling_is_found(built: Warehouse, spelling: str) -> None:
    assert explain(built, spelling, "email:p1").why == "same_identifier"


def test_two_that_a_rule_parts_are_told_what_was_left_out_and_by_which_rule(
    built: Warehouse,
) -> None:
    explanation = explain(built, "email:p5", "email:p6")
    assert explanation.why == "left_out"
    assert [(each.edge.event_id, each.edge.rule) for each in explanation.path] == [
        ("e", "limit:email"),
        ("f", None),
    ]


def test_an_edge_that_was_left_out_ties_nobody_of_one_profile(built: Warehouse) -> None:
    built.insert("identity.fct_rejected_edges", [(1, 2, 1, "bad_value", "web", "a", NOON)])
    assert events(built, "email:p1", "email:p4") == [("p1", "p3", "b"), ("p3", "p4", "d")]


def test_two_whom_no_row_ties_are_told_so_and_that_one_of_them_is_nobodys(
    built: Warehouse,
) -> None:
    explanation = explain(built, "email:p8", "email:p9")
    assert (explanation.why, explanation.path) == ("nothing", ())
    assert (explanation.left.is_blocked, explanation.right.is_blocked) == (False, True)


def test_a_blocked_value_between_two_is_told_as_what_was_left_out(built: Warehouse) -> None:
    for one, other, component in ((8, 9, 8), (9, 10, 10)):
        edge = (one, other, 10, "web", f"k{one}", NOON)
        built.insert("identity.fct_identity_edges", [edge])
        rejected = (one, other, component, "blocked", "web", f"k{one}", NOON)
        built.insert("identity.fct_rejected_edges", [rejected])
    explanation = explain(built, "email:p8", "email:p10")
    assert explanation.why == "left_out"
    assert [(each.to.value, each.edge.rule) for each in explanation.path] == [
        ("p9", "blocked"),
        ("p10", "blocked"),
    ]
    with_it = explain(built, "email:p8", "email:p9")
    assert (with_it.why, with_it.is_one_person) == ("left_out", False)
    assert (with_it.right.profile_id, with_it.right.is_blocked) == (None, True)


def test_a_way_over_two_blocked_values_and_a_third_person_is_not_denied(
    built: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    built.insert("identity.int_identifier_values", [(12, "email", "p12", "p12", 12, True)])
    # 8 and 10 stand beside one blocked value each, and 1 beside both.
    for one, other, component in ((8, 9, 8), (1, 9, 1), (1, 12, 1), (10, 12, 10)):
        told = ("web", f"k{one}", NOON)
        built.insert("identity.fct_identity_edges", [(one, other, 10, *told)])
        built.insert("identity.fct_rejected_edges", [(one, other, component, "blocked", *told)])
    explanation = explain(built, "email:p8", "email:p10")
    assert explanation.why == "nothing"
    tell_explanation(explanation, as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "others that are somebody's own, or through one blocked value between two of them" in said
    )


def test_a_label_is_an_edge_for_the_runs_that_have_seen_it(built: Warehouse) -> None:
    join(built, 10, 11)
    assert explain(built, "email:p10", "email:p11").why == "elsewhere"
    build(built, "second")
    explanation = explain(built, "email:p10", "email:p11")
    assert explanation.why == "tied"
    assert [(each.edge.source, each.edge.event_id) for each in explanation.path] == [("label", "1")]


def test_what_an_earlier_version_has_built_is_explained(built: Warehouse) -> None:
    built.execute("ALTER TABLE governance.runs DROP COLUMN label_high_water")
    join(built, 10, 11)
    assert explain(built, "email:p1", "email:p2").why == "tied"
    assert explain(built, "email:p10", "email:p11").why == "elsewhere"


def test_what_a_run_has_built_that_is_not_published_is_said_to_be_so(built: Warehouse) -> None:
    build(built, "second", publish=False)
    assert not explain(built, "email:p1", "email:p2").is_published


def test_what_was_never_seen_is_told_apart_from_what_nobody_has_built(
    warehouse: Warehouse, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(NothingBuilt, match="cdp run"):
        explain(warehouse, "email:p1", "email:p2")
    built = request.getfixturevalue("built")
    with pytest.raises(NeverSeen, match="the second identifier: no row with that email"):
        explain(built, "email:p1", "email:p99")
    built.execute("DELETE FROM identity.dim_identifiers WHERE birth = 2")
    with pytest.raises(NeverSeen, match="no run has built whose it is"):
        explain(built, "email:p1", "email:p2")


def test_edges_of_other_components_are_not_read(built: Warehouse) -> None:
    """Were they, one that nobody can read would be missed."""
    built.execute("CREATE OR REPLACE TABLE identity.edges_told AS FROM identity.fct_identity_edges")
    built.execute("DROP TABLE identity.fct_identity_edges")
    built.execute(
        "CREATE VIEW identity.fct_identity_edges AS SELECT * REPLACE (CASE WHEN left_node >= 5 "
        "THEN error('read') ELSE source END AS source) FROM identity.edges_told"
    )
    assert explain(built, "email:p1", "email:p4").why == "tied"
    with pytest.raises(built.failures):
        explain(built, "email:p5", "email:p6")


def test_the_evidence_of_an_identifier_is_the_strongest_edge_inside_its_profile(
    built: Warehouse,
) -> None:
    def told(event: str, hours: int) -> Evidence:
        return Evidence("web", event, NOON + timedelta(hours=hours))

    assert evidence_of(built, 1) == {
        1: told("a", 3),
        2: told("a", 3),
        3: told("d", 2),
        4: told("d", 2),
    }
    # The edge that was left out is none of them.
    assert evidence_of(built, 5) == {}
    assert evidence_of(built, 6) == {6: told("f", 1), 7: told("f", 1)}
    built.insert("identity.fct_rejected_edges", [(1, 2, 1, "bad_value", "web", "a", utc_now())])
    assert evidence_of(built, 1)[1] == told("b", 1)


def test_a_label_is_the_evidence_of_whom_it_ties_with_its_author_and_reason(
    built: Warehouse,
) -> None:
    join(built, 10, 11)
    assert evidence_of(built, 10) == {}
    build(built, "second")
    said = Evidence("label", None, NOON, label="1", author="ada", reason="why")
    assert evidence_of(built, 10) == {10: said, 11: said}
    # What a person says is stronger than what a row has told.
    built.insert("identity.fct_identity_edges", [(10, 11, 10, "web", "k", NOON)])
    assert evidence_of(built, 10) == {10: said, 11: said}


def test_a_label_of_the_seed_is_evidence_that_tells_where_it_stands(built: Warehouse) -> None:
    row = ("join", "email", "p10", "email", "p11")
    names = "kind, left_type, left_value, right_type, right_value"
    seeds = built.settings.config / "seeds"
    seeds.mkdir()
    (seeds / "identity_labels.csv").write_text(
        f"{names.replace(' ', '')},author,reason\n{','.join(row)},bo,one household\n"
    )
    types = ", ".join(f"{name} VARCHAR" for name in names.split(", "))
    built.execute(f"CREATE TABLE staging.identity_labels ({types})")
    built.insert("staging.identity_labels", [row])
    told = evidence_of(built, 10)[11]
    assert (told.label, told.author, told.reason) == (
        "identity_labels.csv:2",
        "bo",
        "one household",
    )


def test_the_evidence_of_whom_matching_ties_tells_how_likely_it_is(built: Warehouse) -> None:
    built.execute(
        "CREATE TABLE identity.int_match_edges (left_node BIGINT, right_node BIGINT, "
        "weakness INTEGER, source VARCHAR, probability DOUBLE, is_in_force BOOLEAN)"
    )
    built.insert("identity.int_match_edges", [(10, 11, 1_000_003, "match:m", 0.97, True)])
    likely = Evidence("match:m", None, None, probability=0.97)
    assert evidence_of(built, 10) == {10: likely, 11: likely}
    # A row that has told it needs no likelihood.
    assert evidence_of(built, 1)[1].probability is None
