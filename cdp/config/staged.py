"""What is staged: the entities that the streams of a deployment make, and what identifies them.

Belongs here: which staging models there are, their columns, and how their rows follow from the rows
of their stream. Does not belong here: SQL (`cdp.config.staging_sql`), the shape of a declaration
(`cdp.config.sources`).

A row of a source has versions; an entity is what the newest version of some row says it is. Where
each row is one entity for good, the newest version of the entity's key is all that counts. Where a
row can become another entity, or none (its key is not the entity's, or a condition picks rows), or
is ordered by something that the entity does not carry, what each version claims is kept beside.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from cdp.config.contract import ENTITIES, WAREHOUSE_TYPES, Entity
from cdp.config.sources import Constant, Map, Source, Sources, Stream, parse_expression

LINEAGE: dict[str, tuple[str, str]] = {
    "source": ("varchar", "The source that the row came from."),
    "stream": ("varchar", "The stream of that source."),
    "row_key": ("varchar", "The row's key in the landed envelope."),
    "is_deleted": ("boolean", "Whether the source has deleted it, or says that it is none."),
    "landed_at": ("timestamp", "When its load landed it, UTC."),
    "landing_number": ("bigint", "Its place in the order of landing."),
}

CLAIM_COLUMNS: dict[str, tuple[str, str]] = {
    "source": LINEAGE["source"],
    "stream": LINEAGE["stream"],
    "row_key": LINEAGE["row_key"],
    "row_id": ("varchar", "The row's key in its source, the same for all its versions."),
    "version": ("varchar", "What orders the versions of the row; null where nothing does."),
    "is_tombstone": ("boolean", "Whether it says that the source has the row no more."),
    "is_entity": ("boolean", "Whether it says that the row is such an entity."),
    "is_marked": ("boolean", "Whether it marks the entity as deleted."),
    "landed_at": LINEAGE["landed_at"],
    "landing_number": LINEAGE["landing_number"],
}
"""Columns of a table of claims, beside the key of the entity."""

GENERATED_KEYS = ("line_number", "refund_id", "consent_id")
"""Key columns that a map may leave out: the row itself then stands for them."""


@dataclass(frozen=True)
class StagedEntity:
    """One staging model: an entity made by one map of one stream."""

    source: Source
    stream: str
    entity: Entity
    map: Map | None

    @property
    def model(self) -> str:
        """Name of the model. Several streams of a source that feed one entity carry their names."""
        base = f"stg_{self.source.name}__{self.entity.name}"
        rivals = [
            name
            for name, stream in self.source.streams.items()
            for each in (stream.maps or (None,))
            if (each.entity if each else "events") == self.entity.name
        ]
        return base if len(rivals) == 1 else f"{base}__{self.stream}"

    @property
    def claims_model(self) -> str | None:
        """Name of the table of claims beside it, where it needs one."""
        if self.map is None or self.entity.name == "events" or self._latest_version_is_it:
            return None
        return self.model.replace("stg_", "int_", 1) + "_claims"

    @property
    def declared(self) -> Stream:
        """The declaration of its stream."""
        return self.source.streams[self.stream]

    @property
    def zone(self) -> str:
        """The zone of times that name none."""
        return str(self.source.options.get("timezone", "UTC"))

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that identify a row of the model within its source."""
        return self.entity.key or ("row_key",)

    @property
    def row_key_columns(self) -> tuple[str, ...]:
        """Source columns that tell a row, whatever its version; none where each landed row is one.

        A consent that has no id of its own is a record of what was decided then, and stays one.
        """
        if self.map and self.entity.name == "consents" and "consent_id" not in self.map.columns:
            return ()
        return self.declared.key

    @property
    def order(self) -> str | None:
        """Canonical column that orders the versions, None where only landing does, and `version`
        where it is the stream's own and stands in no canonical column.

        What a server says of a row without a version is what holds, whatever time stands in it.
        """
        assert self.map is not None, "events have no versions"
        updated = self.map.columns.get("updated_at")
        if self.declared.version is not None:
            return "updated_at" if updated == self.declared.version else "version"
        return "updated_at" if self.source.kind == "files" and updated is not None else None

    @property
    def _latest_version_is_it(self) -> bool:
        """Whether the newest version of an entity's key is what the entity is."""
        assert self.map is not None, "asked for entities of maps alone"
        if self.order == "version":
            return False
        if not self.row_key_columns:
            return True
        return self.map.where is None and self._source_key == set(self.row_key_columns)

    @property
    def _source_key(self) -> set[str] | None:
        """The source columns that make the entity's key; None where an expression makes it."""
        assert self.map is not None, "asked for entities of maps alone"
        found: set[str] = set()
        for name in self.entity.key:
            value = self.map.columns.get(name)
            if value is None:
                found |= set(self.row_key_columns)
            elif isinstance(value, str):
                found.add(value)
            elif not isinstance(value, Constant):
                return None
        return found


def staged_entities(sources: Sources) -> list[StagedEntity]:
    """Every staging model that the declarations ask for."""
    found = []
    for source in sources.sources.values():
        for stream_name, stream in source.streams.items():
            for each in stream.maps or (None,):
                entity = ENTITIES[each.entity if each else "events"]
                found.append(StagedEntity(source, stream_name, entity, each))
    return found


def output_columns(entity: Entity) -> dict[str, tuple[str, str]]:
    """Columns of a staging model of an entity: name to (warehouse type, description)."""
    contract = {
        name: (WAREHOUSE_TYPES[column.type], column.description)
        for name, column in entity.columns.items()
    }
    extra = {}
    if entity.name in ("contacts", "customers"):
        extra["attributes"] = (
            "varchar",
            "JSON object of all columns that the source has.",
        )
    return {**LINEAGE, **contract, **extra}


def claim_columns(staged: StagedEntity) -> dict[str, tuple[str, str]]:
    """Columns of the table of claims of an entity: name to (warehouse type, description)."""
    key = {
        name: (
            WAREHOUSE_TYPES[staged.entity.columns[name].type],
            staged.entity.columns[name].description,
        )
        for name in staged.entity.key
    }
    return {**CLAIM_COLUMNS, **key}


def json_path(column: str, *, nests: bool) -> str:
    """The JSON path of a source column; where rows nest, dots step into their objects."""
    return "$." + ".".join(f'"{part}"' for part in (column.split(".") if nests else [column]))


def column_names(sql: str) -> list[str]:
    """The source columns that an expression reads."""
    return [
        node.sql(dialect="duckdb").replace('"', "")
        for node in parse_expression(sql).find_all(exp.Column)
    ]
