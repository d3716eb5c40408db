"""The models of every landed version of a mutable row, written from `sources.yml`.

Staging keeps what a row of a database or CRM says now; who its identifiers belong to also follows
from what it said before, however many versions landed between two builds. Raw keeps each of them,
so these models are views of raw, which cost what is asked of them.

Belongs here: one view for each kind of mutable row that names people, and the YAML that describes
it. Does not belong here: what staging serves as the row (`cdp.config.staging_models`), or what the
identifiers mean (`dbt_project/models/identity`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from cdp.config.contract import ENTITIES, WAREHOUSE_TYPES, Entity
from cdp.config.sources import Sources
from cdp.config.staged import LINEAGE, StagedEntity, staged_entities
from cdp.config.staging_columns import MapSql, null_of, paths_header
from cdp.config.staging_models import YAML_HEADER, described_model, id_type
from cdp.config.staging_sql import HEADER, NOBODY

VERSIONS: dict[str, tuple[str, ...]] = {
    "int_contact_versions": ("contacts", "customers"),
    "int_order_versions": ("orders",),
    "int_refund_versions": ("refunds",),
    "int_consent_versions": ("consents",),
    "int_membership_versions": ("memberships",),
}
"""The models of versions, by the entities that each takes in."""

_ID_TYPE = ("varchar", "Identifier type of the source's customer or contact ids.")
_NEVER_DELETED = ("is_deleted",)


def version_columns(entity: Entity) -> dict[str, tuple[str, str]]:
    """Columns of a model of versions: name to (warehouse type, description)."""
    lineage = {name: told for name, told in LINEAGE.items() if name not in _NEVER_DELETED}
    evidence = {
        name: (WAREHOUSE_TYPES[entity.columns[name].type], entity.columns[name].description)
        for name in _told(entity)
    }
    return {**lineage, **evidence, "id_type": _ID_TYPE}


def _told(entity: Entity) -> list[str]:
    """What a version says: which row it is of, and whose that is."""
    return list(dict.fromkeys((*entity.key, *entity.evidence)))


def models(sources: Sources) -> dict[str, str]:
    """All files of the models: path below `models/staging/generated/` to text."""
    staged = staged_entities(sources)
    files = {
        f"{name}.sql": _sql(ENTITIES[entities[0]], _feeding(staged, entities))
        for name, entities in VERSIONS.items()
    }
    described = [_described(name, entities, staged) for name, entities in VERSIONS.items()]
    document = {"version": 2, "models": described}
    files["_versions.yml"] = YAML_HEADER + yaml.safe_dump(document, sort_keys=False, width=100)
    return files


def _described(
    name: str, entities: Sequence[str], staged: Sequence[StagedEntity]
) -> dict[str, object]:
    feeding = _feeding(staged, entities)
    return described_model(
        name,
        f"One row per version of a row of {' and '.join(entities)} that has ever landed, with what "
        "it says of whose it is. A row found gone says nothing new and is no version.",
        version_columns(ENTITIES[entities[0]]),
        feeding[0].source.owner if feeding else "data platform",
        [],
    )


def _feeding(staged: Sequence[StagedEntity], entities: Sequence[str]) -> list[StagedEntity]:
    return [each for each in staged if each.entity.name in entities]


def _sql(entity: Entity, feeding: Sequence[StagedEntity]) -> str:
    head = f"{HEADER}{{{{ config(materialized='view') }}}}\n\n"
    if not feeding:
        return head + _nothing(version_columns(entity))
    return head + "\nunion all\n\n".join(_of_one(each) for each in feeding)


def _nothing(columns: Mapping[str, tuple[str, str]]) -> str:
    nulls = ",\n".join(f"    {null_of(kind)} as {name}" for name, (kind, _) in columns.items())
    return f"select\n{nulls}\n{NOBODY}"


def _of_one(staged: StagedEntity) -> str:
    entity, source = staged.entity, staged.source
    names = _told(entity)
    mapping = MapSql(staged, only=names)
    columns = ",\n".join(
        f"    {mapping.column(name, entity.columns[name])} as {name}" for name in names
    )
    condition = mapping.condition()
    where = f"\nwhere {condition}" if condition else ""
    return f"""{paths_header(mapping.paths)}select
    '{source.name}' as source,
    stream,
    row_key,
    landed_at,
    landing_number,
{columns},
    '{id_type(source)}' as id_type
from (
    select
        *,
        {{{{ json_fields('payload', paths) }}}} as fields
    from {{{{ source('raw', '{source.name}') }}}}
    where stream = '{staged.stream}' and not is_deleted
) as parsed{where}
"""
