"""A BigQuery that listens and answers nothing, for what dbt would have it do.

Belongs here: standing in for dbt-bigquery's connection, and which model said what. Does not belong
here: any judgement of a statement.

dbt builds as ever: it chooses macros, writes out hooks and materializations, and runs the Python
models on tables without a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from cdp.warehouse.modelling import Models

RULES = [("email", "(?i)^(test|noreply)@"), ("*", "^[^@]*$")]
"""What the seed of blocked values is said to hold."""


class Listening:
    """Builds the project and keeps what was said, by model."""

    def __init__(self, models: Models) -> None:
        self.said: list[tuple[str, str]] = []
        self.outcomes: dict[str, str] = {}
        self._models = models
        self._there = False

    def build(self, *, again: bool) -> None:
        """Build every model: for the first time, or once more when all are there."""
        self._there = again
        for command in (["run"],) if again else (["seed", "--select", "tag:seeds"], ["run"]):
            outcome = self._models._invoke(command, manifest=self._models.manifest())
            for each in outcome.result.results:
                told = "" if str(each.status) == "success" else f"{each.status}: {each.message}"
                self.outcomes[each.node.name] = told

    @contextmanager
    def instead_of_a_project(self) -> Iterator[None]:
        """Let dbt-bigquery talk to this for a while."""
        from dbt.adapters.bigquery.connections import BigQueryConnectionManager
        from dbt.adapters.bigquery.impl import BigQueryAdapter

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(BigQueryConnectionManager, "open", self._open)
            patched.setattr(BigQueryConnectionManager, "execute", _method(self._execute))
            for name, method in {
                "list_relations_without_caching": lambda *_: [],
                "list_schemas": lambda *_: [],
                "create_schema": lambda *_: None,
                "drop_relation": lambda *_: None,
                "is_replaceable": lambda *_: True,
                "get_relation": _method(self._relation),
                "get_columns_in_relation": _method(self._columns),
                "get_column_schema_from_query": _method(self._columns),
            }.items():
                patched.setattr(BigQueryAdapter, name, method)
            yield

    def _open(self, connection: Any) -> Any:
        from dbt.adapters.contracts.connection import ConnectionState

        connection.state = ConnectionState.OPEN
        connection.handle = _Client(self, connection)
        return connection

    def _execute(self, manager: Any, sql: str, *_: Any, **__: Any) -> tuple[Any, Any]:
        from dbt.adapters.bigquery.connections import BigQueryAdapterResponse
        from dbt_common.clients.agate_helper import table_from_rows

        self.hear(manager.get_thread_connection(), sql)
        # Whatever is counted comes to nothing, so that every loop ends.
        rows: list[Any] = list(RULES) if "blocked_values" in sql else [(0, 0)]
        return BigQueryAdapterResponse("OK"), table_from_rows(rows, ["one", "other"])

    def hear(self, connection: Any, sql: str) -> None:
        self.said.append((str(connection.name).rpartition(".")[2], sql))

    def _relation(self, adapter: Any, database: str, schema: str, identifier: str) -> Any:
        node = self._nodes.get(identifier)
        if not self._there or node is None:
            return None
        kind = "view" if node.config.materialized == "view" else "table"
        return adapter.Relation.create(
            database=database, schema=schema, identifier=identifier, type=kind
        )

    def _columns(self, adapter: Any, relation: Any, *_: Any) -> list[Any]:
        """Those that the table's model declares; any other query is as it is promised."""
        for name in re.findall(r"`(\w+?)(?:__dbt_tmp\d*)?`", str(relation))[::-1]:
            if name in self._nodes and len(str(relation)) < 300:
                return [adapter.Column(column, "STRING") for column in self._nodes[name].columns]
        return []

    @property
    def _nodes(self) -> dict[str, Any]:
        return {node.name: node for node in self._models.manifest().nodes.values()}

    def columns_of(self, query: Any) -> list[str]:
        """The columns of a query of frames: those of the innermost that names them."""
        if isinstance(query, exp.SetOperation):
            return self.columns_of(query.left)
        names = query.named_selects
        if names != ["*"]:
            return list(names)
        source = query.args["from_"].this
        if isinstance(source, exp.Subquery):
            return self.columns_of(source.this)
        return list(self._nodes[source.name].columns)


def _method(answer: Callable[..., Any]) -> Callable[..., Any]:
    """What a class calls with its instance first, and a bound method is not."""

    def method(instance: Any, *arguments: Any, **named: Any) -> Any:
        return answer(instance, *arguments, **named)

    return method


class _Client:
    """The client that Python models are given."""

    def __init__(self, listening: Listening, connection: Any) -> None:
        self._listening, self._connection = listening, connection

    def query(self, sql: str) -> _Rows:
        self._listening.hear(self._connection, sql)
        query = sqlglot.parse_one(sql, dialect="bigquery")
        # The one text that is asked for is a list of networks, and it is empty.
        return _Rows(self._listening.columns_of(query), "" if "networks" in sql else "0")

    def load_table_from_file(self, *_: Any, **__: Any) -> _Rows:
        return _Rows([])

    def close(self) -> None:
        """There is nothing to close."""


class _Rows:
    def __init__(self, columns: list[str], answer: str = "") -> None:
        self._columns, self._answer = columns, answer

    def to_arrow(self, **_: Any) -> pa.Table:
        if self._columns == ["wanted"]:
            return pa.table({"wanted": [self._answer]})
        return pa.table({name: pa.array([], pa.string()) for name in self._columns})

    def result(self) -> None:
        """The rows are taken."""
