"""Computing the numbers of checks in the warehouse, each table in one pass.

Belongs here: putting the checks of one source together into one statement, and telling a check that
cannot be computed from one that failed. Does not belong here: what the numbers must be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from cdp.warehouse.store import Warehouse
from expectations.checks import Check, Number, Observed, Table


@dataclass(frozen=True)
class Measured:
    """A check with its number; `value` is None where it could not be computed, and `observed` says
    why."""

    check: Check
    value: Number | None
    observed: Observed = field(default_factory=dict)


def measure(
    warehouse: Warehouse,
    checks: Iterable[Check],
    tables: Mapping[Table, Mapping[str, str]],
) -> list[Measured]:
    """The numbers of all checks, in their order."""
    checks = list(checks)
    found: dict[int, Measured] = {}
    passes: dict[str, list[int]] = {}
    for position, check in enumerate(checks):
        missing = [table for table in check.needs if table not in tables]
        if missing:
            names = ", ".join(".".join(table) for table in missing)
            found[position] = Measured(check, None, {"missing table": names})
        else:
            passes.setdefault(check.source, []).append(position)

    together = [[checks[position] for position in positions] for positions in passes.values()]
    for positions, measures in zip(passes.values(), _passes(warehouse, together), strict=True):
        found.update(zip(positions, measures, strict=True))
    return [found[position] for position in range(len(checks))]


def _passes(
    warehouse: Warehouse, together: Sequence[Sequence[Check]]
) -> Iterable[Sequence[Measured]]:
    """Each pass over a source, as many at once as the engine is asked best."""
    if warehouse.at_once == 1:
        return [_one_pass(warehouse, checks) for checks in together]
    with ThreadPoolExecutor(warehouse.at_once) as pool:
        return list(pool.map(partial(_one_pass, warehouse), together))


def _one_pass(warehouse: Warehouse, checks: Sequence[Check]) -> list[Measured]:
    try:
        return _numbers(warehouse, checks)
    except warehouse.failures as error:
        if len(checks) > 1:
            # One that cannot be computed must not take the others of its table with it.
            return [measured for check in checks for measured in _one_pass(warehouse, [check])]
        # The engine's text may quote a value; the kind of error may not.
        return [Measured(checks[0], None, {"could not be computed": type(error).__name__})]


def _numbers(warehouse: Warehouse, checks: Sequence[Check]) -> list[Measured]:
    selected = [sql for check in checks for sql in (check.value, *check.facts.values())]
    # Aggregates without grouping give one row.
    (row,) = warehouse.rows(f"SELECT {', '.join(selected)} FROM {checks[0].source}")
    numbers = iter(row)
    measured = []
    for check in checks:
        value = _number(next(numbers))
        facts = {name: _number(next(numbers)) for name in check.facts}
        observed: Observed = {check.unit: value, **facts, **check.told}
        measured.append(Measured(check, value, observed))
    return measured


def _number(value: Any) -> Number:
    """A number as JSON has it; an aggregate over no rows is none of anything."""
    if value is None:
        return 0
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    raise TypeError(f"a check must compute a number, not {type(value).__name__}")
