"""Great Expectations holds each number against its bounds.

Belongs here: making a suite of a gate's checks and reading its results. Does not belong here:
computing the numbers (`expectations.measuring`).

The batch that a suite is validated on is a query of the warehouse that gives one row, with a
column for each number. All expectations on it are aggregates, so Great Expectations evaluates a
whole suite in one query; run on the tables themselves it takes several passes over each, and SQL
of one's own (`UnexpectedRowsExpectation`) it even runs twice.

A verdict depends on the number, its bounds and the engine that compares them. So each number is
held against its bounds once on an engine, for all checks that have measured it there, and what a
process has judged before costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdp.warehouse.store import Warehouse
from expectations.checks import CheckResult, Number, Observed
from expectations.engines import batch_of
from expectations.measuring import Measured

_Question = tuple[str, Number, Number | None, Number | None]
"""The engine that is asked, a number, its lower bound and its upper one."""

_judged: dict[_Question, bool] = {}
"""What has been judged in this process."""

_MOST_KEPT = 20_000

_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
"""No value of a row in any result, should an expectation ever be made on rows themselves."""


def judge(warehouse: Warehouse, stage: str, measures: Sequence[Measured]) -> list[CheckResult]:
    """Validate the suite of a stage; one result for each measure, in their order."""
    asked: dict[_Question, list[Measured]] = {}
    for each in measures:
        if each.value is not None:
            asked.setdefault(_question(warehouse, each), []).append(each)
    if len(_judged) > _MOST_KEPT:
        # Before it is looked up what has been judged, or what is taken out would be missed.
        _judged.clear()
    unjudged = {question: checks for question, checks in asked.items() if question not in _judged}
    if unjudged:
        _judged.update(_validated(warehouse, stage, unjudged))
    return [_result(warehouse, each) for each in measures]


def _result(warehouse: Warehouse, measured: Measured) -> CheckResult:
    check = measured.check
    passed = measured.value is not None and _judged[_question(warehouse, measured)]
    return CheckResult(check.name, check.table, passed, _observed(measured, passed))


def _question(warehouse: Warehouse, measured: Measured) -> _Question:
    assert measured.value is not None, "what could not be computed is not judged"
    target = warehouse.settings.target
    return target, measured.value, measured.check.low, measured.check.high


def _validated(
    warehouse: Warehouse, stage: str, questions: Mapping[_Question, list[Measured]]
) -> dict[_Question, bool]:
    import great_expectations as gx
    from great_expectations.expectations.core.expect_column_max_to_be_between import (
        ExpectColumnMaxToBeBetween,
    )

    asked = list(questions)
    suite = gx.ExpectationSuite(
        name=stage,
        expectations=[
            ExpectColumnMaxToBeBetween(
                column=_column(position),
                min_value=low,
                max_value=high,
                description="; ".join(
                    f"{each.check.table} {each.check.name}"
                    for each in questions[target, number, low, high]
                ),
                meta={"position": position},
            )
            for position, (target, number, low, high) in enumerate(asked)
        ],
    )
    columns = ", ".join(
        f"{_sql(number)} AS {_column(position)}" for position, (_, number, _, _) in enumerate(asked)
    )
    with batch_of(warehouse, stage, f"SELECT {columns}") as batch:
        results = batch.validate(suite, result_format=_FORMAT).results
    found: dict[_Question, bool] = {}
    for result in results:
        assert result.expectation_config is not None
        assert result.expectation_config.meta is not None
        found[asked[result.expectation_config.meta["position"]]] = bool(result.success)
    return found


def _observed(measured: Measured, passed: bool) -> Observed:
    if passed:
        return measured.observed
    return {**measured.observed, "expected": measured.check.bounds}


def _column(position: int) -> str:
    return f"check_{position}"


def _sql(value: Number) -> str:
    return f"CAST({value} AS {'BIGINT' if isinstance(value, int) else 'DOUBLE'})"
