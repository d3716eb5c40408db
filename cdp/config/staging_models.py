"""The staging models of a deployment, written from `sources.yml`.

Belongs here: pure functions from declarations to dbt files: the staging models, one union for each
canonical entity, and the YAML that describes them. Does not belong here: the SQL of a staging model
(`cdp.config.staging_sql`), the shape of a declaration (`cdp.config.sources`), writing files
(`cdp.generation`).
"""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from cdp.config.contract import ENTITIES
from cdp.config.sources import Source, Sources
from cdp.config.staged import StagedEntity, claim_columns, output_columns, staged_entities
from cdp.config.staging_columns import null_of
from cdp.config.staging_sql import HEADER, NOBODY, claims_sql, staging_sql

YAML_HEADER = HEADER.replace("--", "#")

UNIONS = {
    "all_events": ("events",),
    "contacts": ("contacts", "customers"),
    "orders": ("orders",),
    "order_lines": ("order_lines",),
    "refunds": ("refunds",),
    "products": ("products",),
    "consents": ("consents",),
    "memberships": ("memberships",),
}
"""The union models, by the entities that each takes in."""


def models(sources: Sources) -> dict[str, str]:
    """All generated staging files: path below `models/staging/generated/` to text."""
    staged = staged_entities(sources)
    files = {f"{each.source.name}/{each.model}.sql": staging_sql(each) for each in staged}
    for each in staged:
        if each.claims_model:
            files[f"{each.source.name}/{each.claims_model}.sql"] = claims_sql(each)
    for union, entities in UNIONS.items():
        feeding = [each for each in staged if each.entity.name in entities]
        files[f"int_{union}.sql"] = _union_sql(union, feeding)
    files["_sources.yml"] = _sources_yaml(sources)
    files["_models.yml"] = _models_yaml(staged)
    return files


# --- unions ------------------------------------------------------------------------------------


def _union_sql(union: str, feeding: list[StagedEntity]) -> str:
    entity = ENTITIES[UNIONS[union][0]]
    columns = output_columns(entity)
    kind = {"contacts": "contact_kind"}.get(union)
    parts = []
    for each in feeding:
        names = ",\n".join(f"    {name}" for name in columns)
        extra = f",\n    '{each.entity.name}' as {kind}" if kind else ""
        parts.append(
            f"select\n{names},\n    '{id_type(each.source)}' as id_type{extra}\n"
            f"from {{{{ ref('{each.model}') }}}}\n"
        )
    if not parts:
        nulls = ",\n".join(f"    {null_of(each)} as {name}" for name, (each, _) in columns.items())
        text = null_of("varchar")
        extra = f",\n    {text} as {kind}" if kind else ""
        parts.append(f"select\n{nulls},\n    {text} as id_type{extra}\n{NOBODY}")
    return f"{HEADER}{{{{ config(materialized='view') }}}}\n\n" + "\nunion all\n\n".join(parts)


def id_type(source: Source) -> str:
    """The identifier type of the ids that a source gives its customers or contacts."""
    return source.id_type or f"{source.name}_id"


def id_types(sources: Iterable[Source]) -> set[str]:
    """The types of ids that sources are declared to bring."""
    return {id_type(source) for source in sources}


# --- descriptions ------------------------------------------------------------------------------


def _sources_yaml(sources: Sources) -> str:
    tables = [
        {
            "name": source.name,
            "description": f"One row per landed row of {source.name}. {source.description}",
            "config": {"meta": {"owner": source.owner, "purpose": source.purpose}},
        }
        for source in sources.sources.values()
    ]
    document = {
        "version": 2,
        "sources": [
            {
                "name": "raw",
                "schema": "raw",
                "description": "Rows as they landed, in a fixed envelope; never rewritten.",
                "tables": tables,
            }
        ],
    }
    return YAML_HEADER + yaml.safe_dump(document, sort_keys=False, width=100)


def _models_yaml(staged: list[StagedEntity]) -> str:
    described = []
    for each in staged:
        described.append(
            described_model(
                each.model,
                f"{each.entity.grain} Stream {each.stream} of {each.source.name}: "
                f"{each.source.description}",
                output_columns(each.entity),
                each.source.owner,
                ["source", *each.key],
            )
        )
        if each.claims_model:
            described.append(
                described_model(
                    each.claims_model,
                    f"One row per landed row of stream {each.stream} of {each.source.name}: which "
                    f"of the {each.entity.name} it says that it is, if any.",
                    claim_columns(each),
                    each.source.owner,
                    ["landing_number"],
                )
            )
    for union, entities in UNIONS.items():
        columns = dict(output_columns(ENTITIES[entities[0]]))
        columns["id_type"] = (
            "varchar",
            "Identifier type of the source's customer or contact ids.",
        )
        if union == "contacts":
            columns["contact_kind"] = (
                "varchar",
                "contacts or customers: what the source calls it.",
            )
        names = " and ".join(entities)
        owner = next(
            (each.source.owner for each in staged if each.entity.name in entities),
            "data platform",
        )
        described.append(
            described_model(
                f"int_{union}",
                f"{ENTITIES[entities[0]].grain} All sources' {names} together.",
                columns,
                owner,
                [],
            )
        )
    return YAML_HEADER + yaml.safe_dump(
        {"version": 2, "models": described}, sort_keys=False, width=100
    )


def described_model(
    name: str,
    description: str,
    columns: dict[str, tuple[str, str]],
    owner: str,
    key: list[str],
) -> dict[str, object]:
    """What a model's YAML says of it."""
    meta: dict[str, object] = {
        "stage": "staging",
        "kind": "current",
        "row_floor": 0,
        "row_floor_reason": "A source may have delivered nothing yet; landing's own gate counts.",
        "owner": owner,
    }
    if key:
        meta["unique_key"] = key
    return {
        "name": name,
        "description": description,
        "config": {"meta": meta},
        "columns": [
            {"name": column, "data_type": kind, "description": text}
            for column, (kind, text) in columns.items()
        ],
    }
