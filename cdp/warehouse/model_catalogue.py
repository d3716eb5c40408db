"""What tables there are: as the dbt project describes its models, and as the warehouse has them.

Belongs here: reading the YAML files of a dbt project without dbt, so that a process which only
publishes or checks need not parse the project (seconds); listing the warehouse's columns. Does not
belong here: building anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cdp.config.personal_data import Column
from cdp.warehouse.store import Warehouse

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same safe loader, in C where the library was built with it: ten times as fast."""


@dataclass(frozen=True)
class Model:
    """One model as its YAML file declares it; its folder is its schema."""

    schema: str
    name: str
    description: str
    columns: Mapping[str, tuple[str, str]]
    meta: Mapping[str, Any]
    data_tests: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """What its columns promise, by column: dbt's data tests, as they stand in the file."""

    @property
    def unique_key(self) -> tuple[str, ...]:
        """The columns that identify a row; empty where the model does not say."""
        return tuple(self.meta.get("unique_key") or ())

    def typed_columns(self) -> list[Column]:
        """The declared columns with their types."""
        return [
            Column(self.schema, self.name, column, kind)
            for column, (kind, _) in self.columns.items()
        ]


Catalogue = dict[tuple[str, str], Model]
"""Models by schema and name."""

_kept: dict[Path, tuple[tuple[tuple[str, int, int], ...], Catalogue]] = {}


def load_catalogue(project: Path) -> Catalogue:
    """Read every model of a dbt project; read again only when one of its files has changed."""
    files = sorted((project / "models").rglob("*.yml"))
    state = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    known = _kept.get(project)
    if known and known[0] == state:
        return known[1]
    catalogue: Catalogue = {}
    for path in files:
        schema = path.relative_to(project / "models").parts[0]
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader) or {}  # noqa: S506 - safe in C
        for node in document.get("models") or ():
            model = _model(schema, node)
            catalogue[model.schema, model.name] = model
    _kept[project] = (state, catalogue)
    return catalogue


def warehouse_columns(warehouse: Warehouse) -> list[Column]:
    """Every column that the warehouse has, in the order of tables and of columns in them."""
    return [
        Column(*table, column, kind)
        for table, columns in sorted(warehouse.relations().items())
        for column, kind in columns.items()
    ]


def _model(schema: str, node: Mapping[str, Any]) -> Model:
    config = node.get("config") or {}
    return Model(
        schema=schema,
        name=node["name"],
        description=_one_line(node.get("description")),
        columns={
            column["name"]: (
                str(column.get("data_type") or ""),
                _one_line(column.get("description")),
            )
            for column in node.get("columns") or ()
        },
        meta={**(node.get("meta") or {}), **(config.get("meta") or {})},
        data_tests={
            column["name"]: tuple(tests)
            for column in node.get("columns") or ()
            if (tests := column.get("data_tests"))
        },
    )


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
