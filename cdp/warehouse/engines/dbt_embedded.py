"""dbt on the embedded engine, as this project uses it.

Belongs here: what dbt-duckdb lacks. Does not belong here: opening the engine (`embedded`), the SQL
of a model or a materialization (`dbt_project/macros/engine/duckdb/`).

- Columns are asked for directly: an incremental model has its columns looked up four to six times,
  each time through a macro for which dbt lays out all it knows anew, a fifth of what a small
  refresh costs. Two of the looks are for widening text columns, which DuckDB does not have. To be
  removed when dbt-duckdb asks without a macro.
- A macro may ask for connected components, compiled: a function of DuckDB takes values and not
  tables. To be removed when a function may take two tables.
"""

from __future__ import annotations

from typing import Any

import duckdb

from cdp.warehouse.engines import components

_MARK = "_tributary_runs_here"


def run_on_the_embedded_engine() -> None:
    """Let dbt-duckdb work with the engine as this process has it."""
    # dbt takes seconds to import, which nobody should pay who only imports this.
    from dbt.adapters.duckdb.impl import DuckDBAdapter

    if hasattr(DuckDBAdapter, _MARK):
        return
    adapter: Any = DuckDBAdapter
    adapter.get_columns_in_relation = _columns
    adapter.expand_target_column_types = _nothing_to_widen
    adapter.connected_components = _connected_components
    # What a macro may call is a set that dbt makes with the class.
    adapter._available_ = adapter._available_ | {"connected_components"}
    setattr(adapter, _MARK, True)


def _cursor(adapter: Any) -> Any:
    return adapter.connections.get_thread_connection().handle.cursor()


def _columns(adapter: Any, relation: Any) -> list[Any]:
    """Columns in their order, with their full types; none where the relation is not there."""
    from dbt.adapters.duckdb.column import DuckDBColumn

    try:
        rows = _cursor(adapter).execute(f"DESCRIBE {relation.render()}").fetchall()
    except duckdb.CatalogException:
        return []
    return [DuckDBColumn(row[0], row[1]) for row in rows]


def _nothing_to_widen(adapter: Any, from_relation: Any, to_relation: Any) -> None:
    """Text has no length in DuckDB."""


def _connected_components(adapter: Any, nodes: str, edges: str, to_be_joined: bool) -> str:
    """What the components of two queries can be selected from, for a macro."""
    return components.lay(_cursor(adapter), nodes, edges, to_be_joined=to_be_joined)
