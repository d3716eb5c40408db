"""The figures of who is who, over people that can be counted by eye, on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from cdp.identity.agreement import Agreement, of_labels
from cdp.identity.benchmark import (
    Alike,
    Benchmark,
    Churn,
    Cluster,
    Quarantined,
    SizeClass,
    TooMuch,
    benchmark,
)
from cdp.identity.looking_up import NothingBuilt
from cdp.warehouse.settings import load_settings
from cdp.warehouse.store import Warehouse, open_warehouse
from tests.identity.told_identities import AT, lay

FIGURES = Benchmark(
    run_id="run-2",
    is_published=True,
    identifiers=10,
    edges=10,
    likely=0,
    profiles=5,
    by_type={"email": 4, "anonymous_id": 3, "user_id": 3},
    sizes=(
        SizeClass(1, 1, 3, 3),
        SizeClass(2, 2, 0, 0),
        SizeClass(3, 5, 2, 7),
        SizeClass(6, 10, 0, 0),
        SizeClass(11, 50, 0, 0),
        SizeClass(51, 500, 0, 0),
        SizeClass(501, None, 0, 0),
    ),
    largest=(
        Cluster(4, 4, {"email": 2, "user_id": 2}, 0, 0, 0),
        Cluster(1, 3, {"anonymous_id": 2, "user_id": 1}, 3, 2, 6),
    ),
    # A limit within a period holds of values of one period, which a count does not tell.
    too_much=(
        TooMuch("given_names", 2, 1, (1,)),
        TooMuch("surnames", 2, 0, ()),
        TooMuch("postcodes", 5, 1, (1,)),
        TooMuch("limit:user_id", 1, 1, (4,)),
    ),
    singles=3,
    # One word is no whole name.
    alike=(Alike("name_and_postcode", 1, 2), Alike("name_and_birth_date", 0, 0)),
    left_out={"bad_value": 4, "blocked": 1},
    blocked={"email": 1},
    unreadable={"phone": 1},
    bad_values=1,
    quarantined={"value": 1},
    quarantine=(Quarantined(10, "value", "identifiers", 600, 500, 8, 4),),
    churn=(
        Churn(2, AT.replace(month=7, day=2), 4, 1, 9, {"label": 1, "merge": 2}),
        Churn(1, AT.replace(month=7, day=1), 0, 0, 0, {}),
    ),
    labels=Agreement(joins=2, splits=2, joins_tied=1, splits_tied=1),
)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(load_settings(home=tmp_path)) as warehouse:
        lay(warehouse)
        yield warehouse


def test_what_is_counted_by_eye_is_counted_here(told: Warehouse) -> None:
    assert benchmark(told, limit=2) == FIGURES


def test_what_no_run_has_built_is_not_measured(tmp_path: Path) -> None:
    with (
        open_warehouse(load_settings(home=tmp_path)) as warehouse,
        pytest.raises(NothingBuilt, match="cdp run"),
    ):
        benchmark(warehouse)


def test_names_are_no_sign_where_the_seed_leaves_them_open(told: Warehouse) -> None:
    told.execute("UPDATE staging.identity_signs SET allowed = NULL WHERE sign = 'surnames'")
    told.execute("DELETE FROM staging.identity_signs WHERE sign = 'given_names'")
    signs = [each.sign for each in benchmark(told).too_much]
    assert signs == ["postcodes", "limit:user_id"]


def test_a_type_that_is_not_named_is_as_any_type_is(told: Warehouse) -> None:
    told.execute(
        "UPDATE staging.identifier_types SET do_not_merge = true WHERE identifier_type = '*'"
    )
    found = benchmark(told).too_much[-2:]
    assert found == (
        TooMuch("limit:anonymous_id", 1, 1, (1,)),
        TooMuch("limit:user_id", 1, 1, (4,)),
    )


def test_who_tells_the_same_is_not_known_before_profiles_are_built(told: Warehouse) -> None:
    told.execute("DROP TABLE profiles.dim_profiles")
    assert benchmark(told, limit=2) == replace(FIGURES, alike=None)


def test_labels_that_were_taken_back_are_held_against_nothing(told: Warehouse) -> None:
    told.execute("UPDATE identity.int_identity_labels SET is_in_force = false")
    assert benchmark(told, limit=2) == replace(FIGURES, labels=None)


def test_what_matching_finds_likely_ties_as_rows_do_until_it_is_withdrawn(told: Warehouse) -> None:
    told.execute(
        "CREATE TABLE identity.int_match_edges AS "
        "SELECT * FROM (VALUES (8, 9, true), (1, 8, true), (2, 9, false)) "
        "AS likely (left_node, right_node, is_in_force)"
    )
    agreed = Agreement(joins=2, splits=2, joins_tied=2, splits_tied=2)
    assert benchmark(told, limit=2) == replace(FIGURES, likely=2, labels=agreed)


def test_precision_and_recall_are_of_what_rows_tie() -> None:
    found = of_labels([("join", 1, 3), ("join", 1, 4), ("split", 2, 3)], [(1, 2), (2, 3)])
    assert found == Agreement(joins=2, splits=1, joins_tied=1, splits_tied=1)
    assert (found.precision, found.recall) == (0.5, 0.5)
    nothing = of_labels([("split", 1, 2)], [])
    assert (nothing.precision, nothing.recall) == (None, None)


@pytest.mark.skipif(not find_spec("fakesnow"), reason="needs what `make engines` installs")
def test_the_figures_are_the_same_on_snowflake(tmp_path: Path) -> None:
    from cdp.warehouse.engines.snowflake_store import opened
    from tests.engines.fake_snowflake import connection_settings, patched

    with patched(tmp_path), opened(connection_settings(tmp_path / "home")) as warehouse:
        lay(warehouse)
        assert benchmark(warehouse, limit=2) == FIGURES


@pytest.mark.skipif(
    not find_spec("google.cloud.bigquery"), reason="needs what `make engines` installs"
)
def test_the_figures_are_the_same_on_bigquery(tmp_path: Path) -> None:
    from cdp.warehouse.engines.bigquery_store import BigQuery
    from tests.engines.duck_bigquery import DuckBigQuery

    settings = load_settings(
        home=tmp_path, target="bigquery", bigquery_project="acme-cdp", bigquery_location="EU"
    )
    warehouse = BigQuery(settings, DuckBigQuery().client())  # type: ignore[arg-type]
    warehouse.prepare()
    lay(warehouse)
    assert benchmark(warehouse, limit=2) == FIGURES
