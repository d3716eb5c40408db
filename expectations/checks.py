"""What a check is, and what comes of it.

Belongs here: the shapes that the modules of this package hand to one another, and small pieces of
SQL that several stages' checks are made of. Does not belong here: any check itself, running one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cdp.warehouse.runs import Run
from cdp.warehouse.store import Warehouse

Number = int | float
Observed = dict[str, int | float | str]
Table = tuple[str, str]
"""Schema and name."""


@dataclass(frozen=True)
class Check:
    """A number that the warehouse computes, and the bounds that it must lie in.

    Attributes:
        name: what must hold, as a phrase that follows the table's name.
        table: the table that is found wanting when it does not, as `schema.name`.
        value: SQL of the number: an aggregate over `source`.
        source: what stands after FROM. Checks with the same source are computed in one pass.
        unit: what the number counts.
        low: least value allowed; None for no bound.
        high: greatest value allowed; None for no bound.
        facts: other numbers over the same source, told beside the value: name to SQL aggregate.
        needs: tables that `source` reads; where one is missing the check fails and says so.
        told: texts told beside the value: names of tables or columns, never anything from a row.
        every_run: also done in a run that has built nothing anew.
    """

    name: str
    table: str
    value: str
    source: str
    unit: str = "violations"
    low: Number | None = None
    high: Number | None = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[Table, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    every_run: bool = False

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        if self.low is not None and self.low == self.high:
            return f"{self.low:g}"
        low = "" if self.low is None else f"at least {self.low:g}"
        high = "" if self.high is None else f"at most {self.high:g}"
        return " and ".join(part for part in (low, high) if part)


@dataclass(frozen=True)
class CheckResult:
    """What came of a check; `observed` holds numbers and names, never a value of a row."""

    name: str
    table: str
    passed: bool
    observed: Observed


@dataclass(frozen=True)
class GateVerdict:
    """What a gate says of a stage.

    Attributes:
        scope: `full`, `changes` (big tables by what changed since the last published run) or
            `unchanged` (what time and the run alone can change).
    """

    stage: str
    passed: bool
    checks: tuple[CheckResult, ...]
    scope: str = "full"
    seconds: float = 0.0

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)


@dataclass(frozen=True)
class Scope:
    """How much of the big tables a gate has to look at.

    Attributes:
        full: everything. Otherwise what has changed since the last published run, whose gates
            have passed; see `expectations.gates.scope_of`.
        landed_after: landing number up to which that run had seen everything.
        run_after: number of that run.
    """

    full: bool
    landed_after: int = 0
    run_after: int = 0

    @property
    def landed(self) -> str:
        """Condition on a table with `landing_number`: the row is to be looked at."""
        return "true" if self.full else f"landing_number > {self.landed_after}"

    def rows(self, condition: str) -> str:
        """The condition on the rows to be looked at, given the one that tells changed rows."""
        return "true" if self.full else f"({condition})"


@dataclass(frozen=True)
class Gate:
    """What the module of a stage is given to say what its tables must hold."""

    warehouse: Warehouse
    run: Run
    scope: Scope
    tables: Mapping[Table, Mapping[str, str]]
    """Every table and view of the warehouse, with its columns and their types."""

    def columns(self, schema: str, name: str) -> Mapping[str, str]:
        """Columns of a table with their types; none where there is no such table."""
        return self.tables.get((schema, name), {})

    @property
    def as_of(self) -> str:
        """The moment of the run, as SQL."""
        return f"TIMESTAMP '{self.run.as_of.isoformat(sep=' ')}'"


# --- SQL ----------------------------------------------------------------------------------------


def quoted(name: str) -> str:
    """An identifier as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def relation(schema: str, name: str) -> str:
    """A table as SQL."""
    return f"{quoted(schema)}.{quoted(name)}"


def rows_where(schema: str, name: str, condition: str = "true") -> str:
    """The rows of a table that a condition picks, as a source; checks of all rows share a pass."""
    table = relation(schema, name)
    return table if condition == "true" else f"{table} WHERE {condition}"


def missing_values(
    schema: str, name: str, columns: Sequence[str], condition: str = "true"
) -> Check:
    """None of the columns is null in the rows that the condition picks."""
    nulls = {column: f"count(*) - count({quoted(column)})" for column in columns}
    return Check(
        name="has no missing values in " + ", ".join(columns),
        table=f"{schema}.{name}",
        value=" + ".join(f"({sql})" for sql in nulls.values()),
        source=rows_where(schema, name, condition),
        unit="missing values",
        facts=nulls if len(nulls) > 1 else {},
        needs=((schema, name),),
    )


def unique(schema: str, name: str, key: Sequence[str], condition: str = "true") -> Check:
    """No two rows have the same key, and none lacks it, where one of them fits the condition."""
    table, columns = relation(schema, name), ", ".join(quoted(column) for column in key)
    picked = "true"
    if condition != "true":
        # A key that has come to stand twice stands in a changed row at least once.
        picked = f"({columns}) IN (SELECT ({columns}) FROM {table} WHERE {condition})"
    if len(key) == 1:
        value, source = f"count(*) - count(DISTINCT {columns})", rows_where(schema, name, picked)
    else:
        nulls = " OR ".join(f"{quoted(column)} IS NULL" for column in key)
        value = "coalesce(sum(n - 1), 0) + coalesce(sum(n) FILTER (lacking AND n = 1), 0)"
        source = (
            f"(SELECT count(*) AS n, {nulls} AS lacking FROM {table} WHERE {picked} "
            f"GROUP BY {columns} HAVING n > 1 OR lacking) AS doubled"
        )
    return Check(
        name="has one row per " + ", ".join(key),
        table=f"{schema}.{name}",
        value=value,
        source=source,
        unit="rows too many",
        needs=((schema, name),),
    )


def orphans(
    child: Table, column: str, parent: Table, field_name: str, condition: str = "true"
) -> Check:
    """Every value of a column that is not null stands in the parent's column."""
    return Check(
        name=f"has every {column} in {'.'.join(parent)}",
        table=".".join(child),
        value="count(*)",
        source=(
            f"{relation(*child)} AS child ANTI JOIN {relation(*parent)} AS parent "
            f"ON child.{quoted(column)} = parent.{quoted(field_name)} "
            f"WHERE child.{quoted(column)} IS NOT NULL AND {condition}"
        ),
        unit="rows",
        needs=(child, parent),
    )


def counted(
    name: str,
    table: Table,
    source: str,
    needs: Iterable[Table] = (),
    *,
    value: str = "count(*)",
    unit: str = "rows",
    high: Number = 0,
    facts: Mapping[str, str] | None = None,
    every_run: bool = False,
) -> Check:
    """What `source` gives is wrong: there must be nothing of it, or no more than `high`."""
    return Check(
        name=name,
        table=".".join(table),
        value=value,
        source=source,
        unit=unit,
        high=high,
        facts=facts or {},
        needs=tuple(dict.fromkeys((table, *needs))),
        every_run=every_run,
    )


def same_total(
    name: str,
    table: Table,
    here: tuple[str, str],
    there: tuple[str, str],
    needs: Iterable[Table],
    *,
    unit: str = "difference",
) -> Check:
    """Two totals are the same: each is (what it is called, SQL of a query that gives it)."""
    return Check(
        name=name,
        table=".".join(table),
        value="any_value(abs(here - there))",
        source=f"(SELECT coalesce(({here[1]}), 0) AS here, coalesce(({there[1]}), 0) AS there)",
        unit=unit,
        facts={here[0]: "any_value(here)", there[0]: "any_value(there)"},
        needs=tuple(dict.fromkeys((table, *needs))),
    )
