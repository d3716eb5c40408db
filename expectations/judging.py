"""Great Expectations holds each number against its bounds.

Belongs here: making a suite of a gate's checks and reading its results. Does not belong here:
computing the numbers (`expectations.measuring`).

The batch that a suite is validated on has one row, in a temporary table of the warehouse, with a
column for each check. All expectations on it are aggregates, so Great Expectations evaluates a
whole suite in one query; run on the tables themselves it takes several passes over each, and SQL of
one's own (`UnexpectedRowsExpectation`) it even runs twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from expectations.checks import CheckResult, Number, Observed
from expectations.duckdb_connection import datasource
from expectations.measuring import Measured

_BATCH = "gate_measures"
_Question = tuple[str, str, Number | None, Number | None, Number | None]

_judged: dict[_Question, bool] = {}
"""What has been judged in this process. A verdict depends on the number and its bounds alone, so a
check that measures the same number again, as most do, costs a warm process no expectation."""

_MOST_KEPT = 20_000

_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
"""No value of a row in any result, should an expectation ever be made on rows themselves."""


def judge(
    cursor: duckdb.DuckDBPyConnection, stage: str, measures: Sequence[Measured]
) -> list[CheckResult]:
    """Validate the suite of a stage; one result for each measure, in their order."""
    known = {position: each for position, each in enumerate(measures) if each.value is not None}
    passed = {
        position: _judged[_question(each)]
        for position, each in known.items()
        if _question(each) in _judged
    }
    open_questions = {position: each for position, each in known.items() if position not in passed}
    if open_questions:
        passed |= _validated(cursor, stage, open_questions)
        if len(_judged) > _MOST_KEPT:
            _judged.clear()
        _judged.update(
            {_question(known[position]): passed[position] for position in open_questions}
        )
    return [
        CheckResult(
            each.check.name,
            each.check.table,
            passed.get(position, False),
            _observed(each, passed.get(position, False)),
        )
        for position, each in enumerate(measures)
    ]


def _question(measured: Measured) -> _Question:
    check = measured.check
    return check.table, check.name, check.low, check.high, measured.value


def _validated(
    cursor: duckdb.DuckDBPyConnection, stage: str, measures: dict[int, Measured]
) -> dict[int, bool]:
    import great_expectations as gx
    from great_expectations.expectations.core.expect_column_max_to_be_between import (
        ExpectColumnMaxToBeBetween,
    )

    columns = ", ".join(
        f"{_sql(each.value)} AS {_column(position)}" for position, each in measures.items()
    )
    cursor.execute(f"CREATE OR REPLACE TEMPORARY TABLE {_BATCH} AS SELECT {columns}")
    suite = gx.ExpectationSuite(
        name=stage,
        expectations=[
            ExpectColumnMaxToBeBetween(
                column=_column(position),
                min_value=each.check.low,
                max_value=each.check.high,
                description=f"{each.check.table} {each.check.name}",
                meta={"position": position, "table": each.check.table, "unit": each.check.unit},
            )
            for position, each in measures.items()
        ],
    )
    try:
        with datasource(cursor) as warehouse:
            asset = warehouse.add_table_asset(stage, table_name=_BATCH)
            batch = asset.add_batch_definition_whole_table(stage).get_batch()
            results = batch.validate(suite, result_format=_FORMAT).results
    finally:
        cursor.execute(f"DROP TABLE IF EXISTS temp.{_BATCH}")
    found: dict[int, bool] = {}
    for result in results:
        assert result.expectation_config is not None
        assert result.expectation_config.meta is not None
        found[result.expectation_config.meta["position"]] = bool(result.success)
    return found


def _observed(measured: Measured, passed: bool) -> Observed:
    if passed:
        return measured.observed
    return {**measured.observed, "expected": measured.check.bounds}


def _column(position: int) -> str:
    return f"check_{position}"


def _sql(value: Number | None) -> str:
    return f"CAST({value} AS {'BIGINT' if isinstance(value, int) else 'DOUBLE'})"
