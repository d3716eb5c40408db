"""Every check finds the fault that it is for, says where and how many, and nothing of a person.

The gates run on a tiny warehouse that is in order; each test breaks one thing.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from cdp.generation import SHIPPED_PROJECT
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.runs import STAGES, stage_states, utc_now
from expectations import gates, judging
from expectations.checks import Gate, GateVerdict, Scope
from expectations.gates import UnknownStage, validate
from tests.expectations.faults import FAULTS, Fault
from tests.expectations.tiny_warehouse import CANARY, TinyWarehouse

DECLARED = ("has the columns", "has at least", "has one row per")
"""How the checks begin that models declare themselves; they have tests of their own."""


def names(verdict: GateVerdict) -> set[tuple[str, str]]:
    return {(check.table, check.name) for check in verdict.failed}


def recorded(tiny: TinyWarehouse) -> str:
    return repr(tiny.store.rows("FROM governance.gate_results"))


@pytest.mark.parametrize("stage", STAGES)
def test_tables_that_are_in_order_pass(tiny: TinyWarehouse, stage: str) -> None:
    verdict = validate(stage, tiny.store, tiny.run)
    assert names(verdict) == set()
    assert verdict.passed
    assert len(verdict.checks) > 10
    assert verdict.scope == "full"


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_fails_its_check_and_no_other(tiny: TinyWarehouse, fault: Fault) -> None:
    tiny.plant(fault.sql)
    verdict = validate(fault.stage, tiny.store, tiny.run)
    assert not verdict.passed
    failed = names(verdict)
    for table, check in fault.fails:
        assert any(each == table and name.startswith(check) for each, name in failed), failed
    assert len(failed) == len(fault.fails), failed
    assert CANARY not in repr(verdict)
    assert CANARY not in recorded(tiny)


def test_there_is_a_fault_for_every_kind_of_check(tiny: TinyWarehouse) -> None:
    """Checks that several tables have alike need one table with a fault."""
    planted = {check for fault in FAULTS for _, check in fault.fails}
    for stage in STAGES:
        for check in validate(stage, tiny.store, tiny.run).checks:
            if check.name.startswith(DECLARED):
                continue
            alike = check.name
            for source in ("web", "shop", "consent"):
                alike = alike.replace(f"rows of {source} in", "rows of crm in")
            kinds = {
                name.replace("contacts", "").replace("orders", "")
                for name in planted
                if name.startswith("has every key")
            }
            found = any(alike.startswith(name) for name in planted) or any(
                alike.startswith(kind) for kind in kinds
            )
            assert found, f"no fault is planted for: {check.table} {check.name}"


def test_a_failed_check_tells_its_table_a_count_and_what_was_expected(tiny: TinyWarehouse) -> None:
    tiny.plant("UPDATE profiles.dim_profiles SET total_spent = NULL, order_count = NULL")
    (failed,) = [
        check
        for check in validate("profiles", tiny.store, tiny.run).failed
        if check.name.startswith("has no missing values")
    ]
    assert failed.table == "profiles.dim_profiles"
    assert failed.observed["missing values"] == 4
    assert failed.observed["total_spent"] == 2
    assert failed.observed["profile_id"] == 0
    assert failed.observed["expected"] == "at most 0"


def test_what_has_been_judged_is_forgotten_without_harm_to_what_is_asked(
    tiny: TinyWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = validate("profiles", tiny.store, tiny.run)
    monkeypatch.setattr(judging, "_MOST_KEPT", 0)
    tiny.plant("UPDATE profiles.dim_profiles SET total_spent = NULL, order_count = NULL")
    again = validate("profiles", tiny.store, tiny.run)
    assert len(again.checks) == len(first.checks)
    assert again.failed


# --- what models declare ---------------------------------------------------------------------


def test_every_model_of_the_project_has_its_row_floor_and_columns_checked(
    tiny: TinyWarehouse,
) -> None:
    checked = {
        (check.table, check.name)
        for stage in STAGES
        for check in validate(stage, tiny.store, tiny.run).checks
    }
    for (schema, name), model in load_catalogue(SHIPPED_PROJECT).items():
        table, floor = f"{schema}.{name}", model.meta["row_floor"]
        assert (table, f"has at least {floor} row{'' if floor == 1 else 's'}") in checked
        columns = "has the columns that it declares and no others, of the types that it declares"
        assert (table, columns) in checked
        if model.unique_key:
            assert (table, "has one row per " + ", ".join(model.unique_key)) in checked


def floors() -> list[tuple[str, str, str]]:
    return [
        (str(model.meta["stage"]), schema, name)
        for (schema, name), model in load_catalogue(SHIPPED_PROJECT).items()
        if model.meta["row_floor"] > 0
        and name not in ("int_segment_verdict_rows",)  # a view over a table that has a floor
    ]


@pytest.mark.parametrize(("stage", "schema", "name"), floors())
def test_an_empty_table_with_a_floor_fails(
    tiny: TinyWarehouse, stage: str, schema: str, name: str
) -> None:
    tiny.plant(f"DELETE FROM {schema}.{name}")
    (floor,) = [
        check
        for check in validate(stage, tiny.store, tiny.run).failed
        if check.table == f"{schema}.{name}" and check.name.startswith("has at least")
    ]
    assert floor.observed == {"rows": 0, "expected": "at least 1"}


@pytest.mark.parametrize(
    ("stage", "table"),
    [
        ("raw", "raw.loads"),
        ("raw", "raw.web"),
        ("staging", "staging.stg_crm__contacts"),
        ("identity", "identity.dim_identifiers"),
        ("profiles", "profiles.fct_orders"),
        ("segments", "segments.segment_sizes"),
    ],
)
def test_a_missing_table_fails_and_is_named(tiny: TinyWarehouse, stage: str, table: str) -> None:
    tiny.plant(f"DROP TABLE {table}")
    verdict = validate(stage, tiny.store, tiny.run)
    assert not verdict.passed
    said = [check for check in verdict.failed if check.table == table]
    assert said
    assert all(table in str(check.observed["missing table"]) for check in said)


def test_a_column_of_another_type_fails_and_is_named(tiny: TinyWarehouse) -> None:
    tiny.plant("ALTER TABLE profiles.dim_profiles ALTER total_spent TYPE DOUBLE")
    (failed,) = [
        check
        for check in validate("profiles", tiny.store, tiny.run).failed
        if check.name.startswith("has the columns")
    ]
    assert failed.table == "profiles.dim_profiles"
    assert failed.observed["columns"] == "total_spent"


def test_a_column_that_nobody_declared_fails_and_is_named(tiny: TinyWarehouse) -> None:
    tiny.plant("ALTER TABLE profiles.dim_profiles ADD COLUMN shoe_size INTEGER")
    (failed,) = validate("profiles", tiny.store, tiny.run).failed
    assert (failed.table, failed.observed["columns"]) == ("profiles.dim_profiles", "shoe_size")


def test_a_check_that_cannot_be_computed_fails_alone_and_quotes_no_value(
    tiny: TinyWarehouse,
) -> None:
    tiny.plant(
        "ALTER TABLE profiles.fct_orders ALTER net_base TYPE VARCHAR; "
        "UPDATE profiles.fct_orders SET net_base = '{canary}'"
    )
    verdict = validate("profiles", tiny.store, tiny.run)
    broken = {
        check.name: check.observed["could not be computed"]
        for check in verdict.failed
        if "could not be computed" in check.observed
    }
    assert any(name.startswith("spends what orders net") for name in broken)
    assert not any(name.startswith("has every order of staging") for name in broken)
    assert CANARY not in repr(verdict)
    assert CANARY not in recorded(tiny)


# --- the record ------------------------------------------------------------------------------


def test_a_verdict_is_recorded_check_by_check_and_publishing_goes_by_it(
    tiny: TinyWarehouse,
) -> None:
    tiny.store.execute(
        f"INSERT INTO governance.stage_builds VALUES ('identity', '{tiny.run.run_id}', 'built', "
        "TIMESTAMP '2026-01-01')"
    )
    validate("identity", tiny.store, tiny.run)
    assert stage_states(tiny.store)["identity"].passed
    tiny.plant("UPDATE identity.dim_identifiers SET profile_id = 2 WHERE profile_id = 1")
    verdict = validate("identity", tiny.store, tiny.run)
    assert not stage_states(tiny.store)["identity"].passed
    rows = tiny.store.rows(
        "SELECT check_name, observed FROM governance.gate_results WHERE NOT passed"
    )
    told = {name: json.loads(observed) for name, observed in rows}
    failed = "identity.dim_identifiers calls every profile after its earliest-born member"
    assert set(told) == {"suite", failed}
    assert told[failed]["profiles"] == 1
    assert told["suite"]["checks"] == len(verdict.checks)


def test_an_unknown_stage_is_refused_with_those_that_there_are(tiny: TinyWarehouse) -> None:
    with pytest.raises(UnknownStage, match="raw, staging, identity, profiles, segments"):
        validate("marts", tiny.store, tiny.run)


# --- how much is looked at -------------------------------------------------------------------


@pytest.fixture
def second(tiny: TinyWarehouse) -> TinyWarehouse:
    """The tiny warehouse in a second run, after one that passed every gate and was published."""
    for stage in STAGES:
        assert validate(stage, tiny.store, tiny.run).passed
    tiny.publish()
    tiny.next_run("run-2")
    return tiny


@pytest.mark.parametrize("stage", STAGES)
def test_after_a_published_run_a_gate_looks_at_what_has_changed(
    second: TinyWarehouse, stage: str
) -> None:
    verdict = validate(stage, second.store, second.run)
    assert names(verdict) == set()
    assert verdict.scope == "changes"


CHANGED = {
    "raw": "INSERT INTO raw.web SELECT * REPLACE (13 AS landing_number, 'load-2' AS load_id) "
    "FROM raw.web WHERE landing_number = 1; INSERT INTO raw.loads "
    "VALUES ('load-2', 'run-2', 'web', now(), now(), 1, 1, 0, 0)",
    "staging": "INSERT INTO raw.shop SELECT * REPLACE (13 AS landing_number) FROM raw.shop "
    "WHERE landing_number = 5; INSERT INTO staging.stg_shop__orders "
    "SELECT * REPLACE (13 AS landing_number) FROM staging.stg_shop__orders WHERE order_id = 'o1'",
    "identity": "INSERT INTO identity.int_touched_identifiers VALUES (3, 3); "
    "UPDATE identity.dim_identifiers SET identifier_value = 'd1' WHERE birth = 3",
    "profiles": "INSERT INTO profiles.int_changed_visitors VALUES (3, 2); "
    "UPDATE profiles.fct_events SET event_id = 'm:1' WHERE visitor_birth = 3",
    "segments": "INSERT INTO segments.int_changed_members VALUES (3); "
    "UPDATE segments.fct_segment_memberships SET exited_run_number = entered_run_number "
    "WHERE profile_id = 3",
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_in_what_has_changed_is_found_without_looking_at_the_rest(
    second: TinyWarehouse, stage: str
) -> None:
    second.plant(CHANGED[stage])
    verdict = validate(stage, second.store, second.run)
    assert verdict.scope == "changes"
    assert len(verdict.failed) == 1


@pytest.mark.parametrize(
    "why",
    [
        "UPDATE governance.runs SET logic_hash = 'other' WHERE run_number = 1",
        "UPDATE governance.runs SET as_of = as_of + INTERVAL 1 DAY WHERE run_number = 1",
        "UPDATE governance.runs SET base_currency = 'EUR' WHERE run_number = 1",
        "UPDATE governance.runs SET status = 'failed'",
        "UPDATE governance.gate_results SET passed = false",
        "UPDATE governance.int_current_run SET everything_changed = true",
        "UPDATE governance.gate_results SET observed = replace(observed, 'fingerprint\": \"', "
        "'fingerprint\": \"x')",
    ],
)
def test_everything_is_looked_at_where_what_was_passed_may_not_hold(
    second: TinyWarehouse, why: str
) -> None:
    second.plant(why)
    assert validate("profiles", second.store, second.run).scope == "full"


def test_everything_is_looked_at_once_a_day(
    second: TinyWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utc_now()
    monkeypatch.setattr(gates, "utc_now", lambda: now + timedelta(hours=23, minutes=59))
    assert validate("identity", second.store, second.run).scope == "changes"
    monkeypatch.setattr(gates, "utc_now", lambda: now + timedelta(hours=24, minutes=1))
    assert validate("identity", second.store, second.run).scope == "full"


def test_a_run_that_built_nothing_checks_what_time_can_break(second: TinyWarehouse) -> None:
    verdict = validate("profiles", second.store, second.run, unchanged=True)
    assert verdict.scope == "unchanged"
    assert verdict.passed
    second.plant("UPDATE profiles.dim_profiles SET next_change_at = '2026-06-30 12:00'")
    (failed,) = validate("profiles", second.store, second.run, unchanged=True).failed
    assert failed.name == "has no value that should have changed by as_of"


def test_nothing_is_taken_on_trust_before_the_gate_has_passed_once(tiny: TinyWarehouse) -> None:
    assert validate("profiles", tiny.store, tiny.run, unchanged=True).scope == "full"


def test_the_changed_rows_of_a_table_are_those_that_its_model_replaces(
    tiny: TinyWarehouse,
) -> None:
    """A gate that keeps to the change set must use the one that the model itself uses."""
    gate = Gate(tiny.store, tiny.run, Scope(False, 5, 1), {})
    for (schema, name), model in load_catalogue(SHIPPED_PROJECT).items():
        stage = str(model.meta["stage"])
        condition = gates._CHANGED[stage](gate, name)
        path = SHIPPED_PROJECT / "models" / schema / f"{name}.sql"
        if condition == "true" or not path.exists():
            continue
        sql = path.read_text(encoding="utf-8")
        if "change_set='" in sql:
            change_set = sql.partition("change_set='")[2].partition("'")[0]
            key = sql.partition("change_key='")[2].partition("'")[0]
            assert change_set in condition, f"{schema}.{name}"
            assert f"{key} IN" in condition, f"{schema}.{name}"
