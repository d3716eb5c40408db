"""dbt's look at the columns of a table, without dbt's macros.

Belongs here: asking DuckDB which columns a relation has, as dbt-duckdb asks. Does not belong here:
any other call of dbt.

An incremental model has its columns looked up four to six times, each time through a macro for
which dbt lays out all it knows anew: a fifth of what a small refresh costs. Two of the looks are
for widening text columns, which DuckDB does not have. To be removed when dbt-duckdb asks without a
macro.
"""

from __future__ import annotations

from typing import Any

import duckdb


def ask_for_columns_directly() -> None:
    """Let this process look columns up in the engine."""
    # dbt takes seconds to import, which nobody should pay who only imports this.
    from dbt.adapters.duckdb.column import DuckDBColumn
    from dbt.adapters.duckdb.impl import DuckDBAdapter

    def columns(adapter: DuckDBAdapter, relation: Any) -> list[DuckDBColumn]:
        """Columns in their order, with their full types; none where the relation is not there."""
        cursor = adapter.connections.get_thread_connection().handle.cursor()
        try:
            rows = cursor.execute(f"DESCRIBE {relation.render()}").fetchall()
        except duckdb.CatalogException:
            return []
        return [DuckDBColumn(row[0], row[1]) for row in rows]

    def nothing_to_widen(adapter: DuckDBAdapter, from_relation: Any, to_relation: Any) -> None:
        """Text has no length in DuckDB."""

    DuckDBAdapter.get_columns_in_relation = columns  # type: ignore[method-assign,assignment]
    DuckDBAdapter.expand_target_column_types = nothing_to_widen  # type: ignore[method-assign]
