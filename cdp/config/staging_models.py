"""The staging models of a deployment, written from `sources.yml`.

Belongs here: pure functions from declarations to dbt files: one staging model for each source and
entity, one union a canonical entity, and the YAML that describes them. Does not belong here: the
shape of a declaration (`cdp.config.sources`), writing files (`cdp.generation`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import yaml
from sqlglot import exp

from cdp.config.contract import ENTITIES, WAREHOUSE_TYPES, Column, Entity
from cdp.config.segment_paths import SEGMENT_PATHS
from cdp.config.sources import (
    Constant,
    Expression,
    Map,
    Source,
    Sources,
    parse_expression,
)

HEADER = "-- Generated from config/sources.yml by `cdp generate`; change that file instead.\n"
YAML_HEADER = HEADER.replace("--", "#")

LINEAGE: dict[str, tuple[str, str]] = {
    "source": ("varchar", "The source that the row came from."),
    "stream": ("varchar", "The stream of that source."),
    "row_key": ("varchar", "The row's key in the landed envelope."),
    "is_deleted": ("boolean", "Whether the source has deleted it."),
    "landed_at": ("timestamp", "When its load landed it, UTC."),
    "landing_number": ("bigint", "Its place in the order of landing."),
}

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


def staged_entities(sources: Sources) -> list[StagedEntity]:
    """Every staging model that the declarations ask for."""
    found = []
    for source in sources.sources.values():
        for stream_name, stream in source.streams.items():
            for each in stream.maps or (None,):
                entity = ENTITIES[each.entity if each else "events"]
                found.append(StagedEntity(source, stream_name, entity, each))
    return found


def models(sources: Sources) -> dict[str, str]:
    """All generated staging files: path below `models/staging/generated/` to text."""
    staged = staged_entities(sources)
    files = {f"{each.source.name}/{each.model}.sql": _staging_sql(each) for each in staged}
    for union, entities in UNIONS.items():
        feeding = [each for each in staged if each.entity.name in entities]
        files[f"int_{union}.sql"] = _union_sql(union, feeding)
    files["_sources.yml"] = _sources_yaml(sources)
    files["_models.yml"] = _models_yaml(staged)
    return files


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


# --- one staging model -------------------------------------------------------------------------


def _staging_sql(staged: StagedEntity) -> str:
    if staged.entity.name == "events":
        body = _event_selects(staged)
        config = "materialized='incremental', incremental_strategy='append'"
    else:
        body = _row_selects(staged)
        keys = ", ".join(f"'{key}'" for key in ("source", *_key(staged.entity)))
        config = (
            f"materialized='incremental', incremental_strategy='delete+insert', unique_key=[{keys}]"
        )
    return f"{HEADER}{{{{ config({config}) }}}}\n\n{body}"


def _key(entity: Entity) -> tuple[str, ...]:
    return entity.key or ("row_key",)


def _landed(staged: StagedEntity) -> str:
    return f"""with landed as (

    select
        stream,
        row_key,
        position,
        occurred_at,
        received_at,
        payload,
        is_deleted,
        landed_at,
        landing_number
    from {{{{ source('raw', '{staged.source.name}') }}}}
    where stream = '{staged.stream}'
    {{%- if is_incremental() %}}
        and landing_number > (
            select coalesce(max(known.landing_number), 0) from {{{{ this }}}} as known
        )
    {{%- endif %}}

),
"""


def _parsed(paths: list[str]) -> tuple[str, str]:
    """The CTE that parses a payload once, and the list of paths that stands above the query."""
    parsed = """
parsed as (

    select
        *,
        {{ json_fields('payload', paths) }} as fields
    from landed

),
"""
    return parsed, paths_header(paths)


def paths_header(paths: Iterable[str]) -> str:
    """The list of paths that `json_fields` parses and `json_field` takes from."""
    listed = ",\n".join(f"    '{_jinja_text(path)}'" for path in paths)
    return f"{{%- set paths = [\n{listed}\n] %}}\n\n"


def _event_selects(staged: StagedEntity) -> str:
    columns = staged.entity.columns
    selects: list[str] = []
    times = {"occurred_at": "occurred_at", "received_at": "received_at"}
    if staged.map is None:
        paths = list(dict.fromkeys(path for each in SEGMENT_PATHS.values() for path in each))
        for name, column in columns.items():
            if name in times:
                continue
            texts = [_field(paths, path) for path in SEGMENT_PATHS[name]]
            text = texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"
            if name in ("event_type",):
                text = f"lower({text})"
            if name == "currency":
                text = f"upper({text})"
            selects.append(f"{_typed(text, column)} as {name}")
    else:
        mapping = MapSql(staged)
        paths = mapping.paths
        for name, column in columns.items():
            if name in times:
                times[name] = f"coalesce({mapping.column(name, column)}, {name}) as {name}"
                continue
            selects.append(f"{mapping.column(name, column)} as {name}")
    parsed, header = _parsed(paths)
    where = _where(staged, paths)
    listed = ",\n".join(f"        {each}" for each in selects)
    return f"""{header}{_landed(staged)}{parsed}
typed as (

    select
        '{staged.source.name}' as source,
        stream,
        row_key,
        is_deleted,
        landed_at,
        landing_number,

{listed},

        {times["occurred_at"]},
        {times["received_at"]}
    from parsed{where}

)

select * from typed
"""


def _row_selects(staged: StagedEntity) -> str:
    entity = staged.entity
    mapping = MapSql(staged)
    parsed, header = _parsed(mapping.paths)
    selects = [
        f"{mapping.column(name, column)} as {name}" for name, column in entity.columns.items()
    ]
    if "attributes" in output_columns(entity):
        selects.append("payload as attributes")
    listed = ",\n".join(f"        {each}" for each in selects)
    names = list(output_columns(entity))
    ordered = ",\n".join(f"    {name}" for name in names)
    deleted = "deleted_at is not null" if "deleted_at" in entity.columns else "false"
    version = "updated_at" if "updated_at" in entity.columns else "cast(null as timestamp)"
    keys = ", ".join(("source", *_key(entity)))
    matched = " and ".join(f"known.{key} = typed.{key}" for key in ("source", *_key(entity)))
    plain = ",\n".join(f"        {name}" for name in names if name not in ("is_deleted",))
    kept = ",\n".join(f"        known.{name}" for name in names if name not in LINEAGE)
    lawful = " and known.deleted_at is null" if "deleted_at" in entity.columns else ""
    same_key = "\n".join(
        f"        and gone.{key} = versions.{key}" for key in ("source", *_key(entity))
    ).removeprefix("        and ")
    return f"""{header}{_landed(staged)}{parsed}
typed as (

    select
        '{staged.source.name}' as source,
        stream,
        row_key,
        is_deleted as is_tombstone,
        landed_at,
        landing_number,

{listed}
    from parsed{_where(staged, mapping.paths)}

),

versions as (

    select * from typed
    {{%- if is_incremental() %}}
    union all
    select
        known.source,
        known.stream,
        known.row_key,
        known.is_deleted{lawful} as is_tombstone,
        known.landed_at,
        known.landing_number,
{kept}
    from {{{{ this }}}} as known
    where exists (select 1 from typed where {matched})
    {{%- endif %}}

),

-- A comparison of keys that found the row gone counts until the row lands again.
gone as (

    select
        {keys.replace(", ", f",{chr(10)}        ")},
        max(case when is_tombstone then landing_number else 0 end) as gone_at
    from versions
    group by {keys}

),

ranked as (

    select
        versions.*,
        row_number() over (
            partition by {", ".join(f"versions.{key}" for key in ("source", *_key(entity)))}
            order by
                case when versions.is_tombstone then 1 else 0 end,
                {f"versions.{version}" if version == "updated_at" else version} desc nulls last,
                versions.landing_number desc
        ) as nth
    from versions
    inner join gone
        on {same_key}
    where versions.landing_number >= gone.gone_at

),

latest as (

    select
{plain},
        is_tombstone or {deleted} as is_deleted
    from ranked
    where nth = 1

)

select
{ordered}
from latest
"""


class MapSql:
    """SQL of the columns of one map, or of `only` some of them, over the JSON paths needed."""

    def __init__(self, staged: StagedEntity, only: Collection[str] | None = None) -> None:
        assert staged.map is not None
        self._map, self._staged = staged.map, staged
        self._zone = str(staged.source.options.get("timezone", "UTC"))
        self._nests = staged.source.streams[staged.stream].nests
        found: list[str] = []
        for name, value in self._map.columns.items():
            if only is not None and name not in only:
                continue
            if isinstance(value, str):
                found.append(json_path(value, nests=self._nests))
            elif isinstance(value, Expression):
                found += [json_path(each, nests=self._nests) for each in column_names(value.sql)]
        if self._map.where:
            names = column_names(self._map.where)
            found += [json_path(name, nests=self._nests) for name in names]
        self.paths = list(dict.fromkeys(found)) or ["$"]

    def expression(self, sql: str) -> str:
        """An expression of the map over the paths."""
        return _expression(sql, self.paths, self._nests)

    def condition(self) -> str | None:
        """Which rows of the stream the map takes; None where it takes all."""
        return self.expression(self._map.where) if self._map.where else None

    def column(self, name: str, column: Column) -> str:
        """SQL of one canonical column; null of its type where the map leaves it out."""
        value = self._map.columns.get(name)
        if value is None:
            if name == "line_number":
                return "position"
            if name in ("consent_id", "refund_id"):
                return "row_key"
            return f"cast(null as {WAREHOUSE_TYPES[column.type]})"
        if isinstance(value, Constant):
            literal = str(value.value).lower() if isinstance(value.value, bool) else value.value
            text = exp.Literal.string(str(literal)).sql(dialect="duckdb")
            return f"cast({text} as {WAREHOUSE_TYPES[column.type]})"
        if isinstance(value, Expression):
            text = _as_jinja_argument(self.expression(value.sql))
            # Landing keeps out rows that it fails on; those of before it did must not stop a run.
            return f"{{{{ try_cast_to({text}, '{WAREHOUSE_TYPES[column.type]}') }}}}"
        text = _field(self.paths, json_path(value, nests=self._nests))
        return _typed(text, column, self._zone)


def _where(staged: StagedEntity, paths: list[str]) -> str:
    if staged.map is None or staged.map.where is None:
        return ""
    nests = staged.source.streams[staged.stream].nests
    # A tombstone counts whatever the condition says of what its row said last.
    return f"\n    where is_deleted or ({_expression(staged.map.where, paths, nests)})"


def json_path(column: str, *, nests: bool) -> str:
    """The JSON path of a source column; where rows nest, dots step into their objects."""
    return "$." + ".".join(f'"{part}"' for part in (column.split(".") if nests else [column]))


def column_names(sql: str) -> list[str]:
    """The source columns that an expression reads."""
    return [
        node.sql(dialect="duckdb").replace('"', "")
        for node in parse_expression(sql).find_all(exp.Column)
    ]


def _expression(sql: str, paths: list[str], nests: bool) -> str:
    tree = parse_expression(sql)
    # From the leaves up, since what is replaced is not looked into.
    for node in reversed(list(tree.walk())):
        new: exp.Expr = node
        if isinstance(node, exp.Column):
            name = node.sql(dialect="duckdb").replace('"', "")
            new = exp.Var(this=_field(paths, json_path(name, nests=nests)))
        elif type(node) is exp.Cast:
            new = exp.TryCast(**node.args)
        tree = new if node is tree else tree
        if node is not new and tree is not new:
            node.replace(new)
    return _lower(tree.sql(dialect="duckdb"))


def _lower(sql: str) -> str:
    """Keywords and functions in the letters of the project; what stands in quotes stays."""
    quoted = re.split(r"""(\{\{.*?\}\}|'(?:[^']|'')*'|"[^"]*")""", sql)
    return "".join(part if number % 2 else part.lower() for number, part in enumerate(quoted))


def _field(paths: list[str], path: str) -> str:
    return f"{{{{ json_field('fields', paths, {paths.index(path)}) }}}}"


def _typed(text: str, column: Column, zone: str = "UTC") -> str:
    if column.type == "json":
        return text
    quoted = _as_jinja_argument(text)
    if column.type == "timestamp":
        return f"{{{{ as_utc({quoted}, '{zone}') }}}}"
    return f"{{{{ as_type({quoted}, '{WAREHOUSE_TYPES[column.type]}') }}}}"


def _as_jinja_argument(text: str) -> str:
    """SQL with macro calls in it as one Jinja expression: texts and calls joined by `~`."""
    parts: list[str] = []
    rest = text
    while rest:
        before, found, after = rest.partition("{{ ")
        if before:
            parts.append("'" + before.replace("'", "\\'") + "'")
        if not found:
            break
        call, _, rest = after.partition(" }}")
        parts.append(call)
    return " ~ ".join(parts)


def _jinja_text(path: str) -> str:
    return path.replace("\\", "\\\\").replace("'", "\\'")


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
        nulls = ",\n".join(
            f"    cast(null as {kind}) as {name}" for name, (kind, _) in columns.items()
        )
        extra = f",\n    cast(null as varchar) as {kind}" if kind else ""
        parts.append(
            f"select\n{nulls},\n    cast(null as varchar) as id_type{extra}\nwhere false\n"
        )
    return f"{HEADER}{{{{ config(materialized='view') }}}}\n\n" + "\nunion all\n\n".join(parts)


def id_type(source: Source) -> str:
    """The identifier type of the ids that a source gives its customers or contacts."""
    return source.id_type or f"{source.name}_id"


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
                _row_key_columns(each.entity),
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


def _row_key_columns(entity: Entity) -> list[str]:
    return ["source", *_key(entity)]


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
