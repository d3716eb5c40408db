"""Gates: the time of a gate against the same checks written as SQL by hand, and as plain suites.

Belongs here: how a gate's time compares with that of one SQL statement asking the same (to reach:
1.5 times, and 20 million rows in 10 seconds), on a fact table of events made up for it. Does not
belong here: whether a check finds its fault (`tests/expectations`).

Three ways of asking the same of the same table, on the same connection:

- sql: one statement with all aggregates, put together by hand;
- gate: the checks as the gates make and judge them, measured in the warehouse, judged by Great
  Expectations; once in a process that has judged nothing yet, once with what has changed alone;
- plain: Great Expectations' own expectations run on the table itself.

Run: python -m benchmarks.gates [rows ...]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.figures import Figure
from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse
from expectations import judging
from expectations.checks import Check, counted, missing_values, rows_where, unique
from expectations.duckdb_connection import datasource
from expectations.gates import warm_up
from expectations.judging import judge
from expectations.measuring import measure

FIGURES = (
    Figure("gate_ratio", "a gate over all rows", "one SQL statement by hand, time", 1.5, "rows"),
)

TABLE = ("profiles", "events")
REQUIRED = ("event_id", "source", "profile_id", "event_type", "occurred_at", "landing_number")
TYPES = ("track", "page", "screen", "identify", "group", "alias")
CHANGED_SHARE = 500
"""One row in so many is new in the run that looks at changes alone."""

MAKE = """
CREATE OR REPLACE TABLE profiles.events AS
SELECT 'm:' || md5(i::VARCHAR) AS event_id, 'web' AS source,
       (i * 2654435761) % ($rows // 20 + 1) AS profile_id,
       CASE i % 10 WHEN 0 THEN 'identify' WHEN 1 THEN 'page' ELSE 'track' END AS event_type,
       TIMESTAMP '2026-03-01' + to_seconds(i % 7776000) AS occurred_at,
       i % 50 = 0 AS is_bot, (i % 1000) / 10 AS value, i AS landing_number
FROM range(1, $rows + 1) AS numbers(i)
"""

BY_HAND = """
SELECT count(*) >= 1,
       count(*) - count(event_id), count(*) - count(source), count(*) - count(profile_id),
       count(*) - count(event_type), count(*) - count(occurred_at),
       count(*) - count(landing_number),
       count(*) FILTER (event_type NOT IN ('track','page','screen','identify','group','alias')),
       count(*) FILTER (occurred_at < TIMESTAMP '1970-01-01' OR
                        occurred_at > TIMESTAMP '2026-07-03'),
       count(*) FILTER (value < 0 OR value > 100),
       count(*) - count(DISTINCT landing_number) + max(landing_number) - count(*)
FROM profiles.events
"""


def checks(landed_after: int = 0) -> list[Check]:
    """The checks of `BY_HAND` as a gate makes them; of rows landed since, if a number is given."""
    picked = f"landing_number > {landed_after}" if landed_after else "true"
    rows = rows_where(*TABLE, picked)
    types = ", ".join(f"'{name}'" for name in TYPES)
    key = unique(*TABLE, ("landing_number",), picked)
    return [
        Check("has rows", "profiles.events", "count(*)", rows_where(*TABLE), "rows", 1, None),
        missing_values(*TABLE, REQUIRED, picked),
        counted("types", TABLE, rows, value=f"count(*) FILTER (event_type NOT IN ({types}))"),
        counted(
            "times",
            TABLE,
            rows,
            value="count(*) FILTER (occurred_at < TIMESTAMP '1970-01-01' "
            "OR occurred_at > TIMESTAMP '2026-07-03')",
        ),
        counted("values", TABLE, rows, value="count(*) FILTER (value < 0 OR value > 100)"),
        key,
        counted(
            "numbers",
            TABLE,
            rows_where(*TABLE),
            value="max(landing_number) - count(*)",
        ),
    ]


def by_gate(warehouse: Warehouse, landed_after: int = 0) -> None:
    """The checks as a gate does them, with nothing judged before."""
    judging._judged.clear()
    results = judge(warehouse, "bench", measure(warehouse, checks(landed_after), {TABLE: {}}))
    assert all(result.passed for result in results), results


def by_hand(cursor: duckdb.DuckDBPyConnection) -> None:
    """One statement."""
    row = cursor.execute(BY_HAND).fetchone()
    assert row is not None
    assert row[0] is True
    assert not any(row[1:]), row


def by_plain_suite(cursor: duckdb.DuckDBPyConnection, result_format: Any) -> None:
    """Great Expectations on the table itself."""
    import great_expectations as gx

    all_of: Any = gx.expectations
    suite = gx.ExpectationSuite(
        name="plain",
        expectations=[
            all_of.ExpectTableRowCountToBeBetween(min_value=1),
            *(all_of.ExpectColumnValuesToNotBeNull(column=column) for column in REQUIRED),
            all_of.ExpectColumnValuesToBeInSet(column="event_type", value_set=list(TYPES)),
            all_of.ExpectColumnValuesToBeBetween(
                column="occurred_at", min_value="1970-01-01", max_value="2026-07-03"
            ),
            all_of.ExpectColumnValuesToBeBetween(column="value", min_value=0, max_value=100),
            all_of.ExpectColumnValuesToBeUnique(column="landing_number"),
        ],
    )
    cursor.execute("USE warehouse.profiles")
    with datasource(cursor) as warehouse:
        asset = warehouse.add_table_asset("events", table_name="events")
        batch = asset.add_batch_definition_whole_table("events").get_batch()
        assert batch.validate(suite, result_format=result_format).success
    cursor.execute("USE warehouse")


def seconds(work: Callable[[], None], times: int = 3) -> float:
    """The median of a few runs."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def compare(warehouse: Warehouse, rows: int) -> dict[str, float]:
    """All ways on a table of so many rows: seconds, and ratios to the statement by hand."""
    with warehouse.desk() as cursor:
        cursor.execute(MAKE, {"rows": rows})
        warehouse.checkpoint()
        summary = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
        changed = rows - rows // CHANGED_SHARE
        taken = {
            "sql": seconds(lambda: by_hand(cursor)),
            "gate": seconds(lambda: by_gate(warehouse)),
            "gate_of_changes": seconds(lambda: by_gate(warehouse, changed)),
            "plain_boolean_only": seconds(lambda: by_plain_suite(cursor, "BOOLEAN_ONLY"), 1),
            "plain_summary": seconds(lambda: by_plain_suite(cursor, summary), 1),
        }
        cursor.execute("DROP TABLE profiles.events")
    ratios = {f"{name}_ratio": taken[name] / taken["sql"] for name in taken if name != "sql"}
    return {"rows": rows, **{name: round(each, 3) for name, each in (taken | ratios).items()}}


def run(sizes: Sequence[int] = (1_000_000, 5_000_000, 20_000_000)) -> list[dict[str, float]]:
    """Measure each size in a warehouse of its own."""
    warm_up()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(home=Path(folder), config=PROJECT_ROOT / "config")
        with open_warehouse(settings) as warehouse:
            return [compare(warehouse, rows) for rows in sizes]


if __name__ == "__main__":
    for result in run([int(size) for size in sys.argv[1:]] or (1_000_000, 5_000_000, 20_000_000)):
        sys.stdout.write(json.dumps(result) + "\n")
