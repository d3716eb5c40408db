"""A session of an engine that is told each statement in its own dialect and commits it at once.

Belongs here: what such engines have in common: statements with their parameters in them, tables
that are made where they are missing, few rows written into a statement, and the order of commits
that stands in for a transaction. Does not belong here: how an engine runs a statement.

No transaction spans several tables here. So one is an order: what a killed try may have left is
taken away first, and the last statement is what makes the others count.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import pyarrow as pa

from cdp.warehouse.engines.translation import literal_text, translated
from cdp.warehouse.store import Left, Parameters, Session

_IF_MISSING = "CREATE TABLE IF NOT EXISTS"

_AS_LITERALS = 500
"""Up to so many rows are written into the statement itself, which costs no job of their own."""

_LONGEST = 500_000
"""And up to so many characters: BigQuery takes twice as many, whatever they become."""


class StatementFailed(RuntimeError):
    """The engine could not run a statement; of an error among rows its kind alone is told."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"{kind} (its text may hold values of rows, and is told nowhere)")


class TranslatedSession(Session):
    """Statements of the core in one engine's dialect."""

    dialect: ClassVar[str]

    def __init__(self, made: set[str]) -> None:
        """
        Args:
            made: statements that have made a table where it was missing; nobody else takes one
                away.
        """
        self._made = made

    @abstractmethod
    def run(self, statement: str) -> None:
        """Run one statement of the engine's own dialect."""

    @abstractmethod
    def fetched(self, statement: str) -> pa.Table:
        """All rows of a query in the engine's own dialect; moments are naive UTC."""

    @abstractmethod
    def append(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Add many rows to a table, in one commit."""

    def execute(self, sql: str, parameters: Parameters = None) -> None:
        for statement in translated(sql, self.dialect, parameters):
            # Asking for a table that is there costs a look into the catalogue.
            if statement in self._made:
                continue
            self.run(statement)
            if statement.startswith(_IF_MISSING):
                self._made.add(statement)

    def rows(self, sql: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        columns = [column.to_pylist() for column in self.arrow(sql, parameters).columns]
        return list(zip(*columns, strict=True))

    def arrow(self, sql: str, parameters: Parameters = None) -> pa.Table:
        (statement,) = translated(sql, self.dialect, parameters)
        return self.fetched(statement)

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        if len(rows) <= _AS_LITERALS:
            values = ", ".join(
                "(" + ", ".join(literal_text(value, self.dialect) for value in row) + ")"
                for row in rows
            )
            if len(values) <= _LONGEST:
                self.run(f"INSERT INTO {table} VALUES {values}")
                return
        self.append(table, rows)

    def take_away(self, undo: Sequence[Left]) -> None:
        """Take away what a killed try has left."""
        for table, condition, parameters in undo:
            # Looking costs a tenth of deleting nothing.
            if self.rows(f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1", parameters):
                self.execute(f"DELETE FROM {table} WHERE {condition}", parameters)
