"""SQL of the staging models.

Belongs here: pure functions from one staged entity to the text of its models. Does not belong here:
which models there are (`cdp.config.staged`), their descriptions (`cdp.config.staging_models`).

Three forms. Events are facts: the first landing of each is staged and stays. Where each row of the
source is one entity for good, its newest version replaces the older ones. Elsewhere a first model
keeps what each version says (which row, which entity, whether gone), and the staging model finds,
for the entities that news are about, the row that is it now and reads that row's payload again. An
entity that no row is any more stays with what it was last, as deleted, so that everything that it
was part of hears of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdp.config.contract import Column
from cdp.config.segment_paths import NAMES, OF_THE_SUBJECT, SEGMENT_PATHS
from cdp.config.staged import LINEAGE, StagedEntity, output_columns
from cdp.config.staging_columns import MapSql, field_of, id_of, name_of, paths_header, typed

NOBODY = "from (select 1 as nothing) as nobody\nwhere false\n"
"""Where a query takes no rows from: not every engine has a condition without a table."""

HEADER = "-- Generated from config/sources.yml by `cdp generate`; change that file instead.\n"


def staging_sql(staged: StagedEntity) -> str:
    """The staging model of an entity."""
    if staged.entity.name == "events":
        body = _events(staged)
        config = "materialized='incremental', incremental_strategy='append'"
    else:
        body = _of_claims(staged) if staged.claims_model else _latest_version(staged)
        keys = ", ".join(f"'{key}'" for key in ("source", *staged.key))
        config = (
            f"materialized='incremental', incremental_strategy='delete+insert', unique_key=[{keys}]"
        )
    return f"{HEADER}{{{{ config({config}) }}}}\n\n{body}"


def claims_sql(staged: StagedEntity) -> str:
    """The table of claims of an entity, for those that have one."""
    config = "materialized='incremental', incremental_strategy='append'"
    return f"{HEADER}{{{{ config({config}) }}}}\n\n{_claims(staged)}"


_LANDED_COLUMNS = (
    "stream",
    "row_key",
    "position",
    "occurred_at",
    "received_at",
    "payload",
    "is_deleted",
    "landed_at",
    "landing_number",
)


def _landed(staged: StagedEntity) -> str:
    listed = _list(_LANDED_COLUMNS, 8)
    return f"""with landed as (

    select
{listed}
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


def _where(conditions: Sequence[str | None]) -> str:
    """The clause of those conditions that there are."""
    told = " and ".join(each for each in conditions if each)
    return f"\n    where {told}" if told else ""


def _list(items: Sequence[str], indent: int) -> str:
    """Items of a select, one a line."""
    return ",\n".join(" " * indent + each for each in items)


# --- events ------------------------------------------------------------------------------------


def _events(staged: StagedEntity) -> str:
    columns = staged.entity.columns
    selects: list[str] = []
    times = {"occurred_at": "occurred_at", "received_at": "received_at"}
    row_key, where = "row_key", ""
    if staged.map is None:
        paths = list(dict.fromkeys(path for each in SEGMENT_PATHS.values() for path in each))
        for name, column in columns.items():
            if name not in times:
                selects.append(f"{_of_message(name, column, paths)} as {name}")
    else:
        mapping = MapSql(staged, of_row=bool(staged.row_key_columns))
        paths = mapping.paths
        for name, column in columns.items():
            if name in times:
                # An event that tells no time is of the moment at which it landed.
                told = [mapping.column(name, column), name]
                told += ["landed_at"] if name == "occurred_at" else []
                times[name] = f"coalesce({', '.join(told)}) as {name}"
                continue
            selects.append(f"{mapping.column(name, column)} as {name}")
        conditions = [mapping.condition()]
        if staged.row_key_columns:
            row_key = f"'k:' || {mapping.row_id} as row_key"
            # That a row which told of an event is gone does not undo the event.
            conditions.insert(0, "not is_deleted")
        where = _where(conditions)
    parsed, header = _parsed(paths)
    listed = _list(selects, 8)
    body = f"""
typed as (

    select
        '{staged.source.name}' as source,
        stream,
        {row_key},
        is_deleted,
        landed_at,
        landing_number,

{listed},

        {times["occurred_at"]},
        {times["received_at"]}
    from parsed{where}

)"""
    if not staged.row_key_columns:
        return f"{header}{_landed(staged)}{parsed}{body}\n\nselect * from typed\n"
    names = _list(list(output_columns(staged.entity)), 4)
    return f"""{header}{_landed(staged)}{parsed}{body},

-- Later versions of a row tell of the same event again.
counted as (

    select
        typed.*,
        row_number() over (partition by typed.row_key order by typed.landing_number) as nth
    from typed
    {{%- if is_incremental() %}}
    left join {{{{ this }}}} as known on typed.row_key = known.row_key
    where known.row_key is null
    {{%- endif %}}

)

select
{names}
from counted
where nth = 1
"""


def _of_message(name: str, column: Column, paths: list[str]) -> str:
    """SQL of a canonical column of a message of the Segment spec."""
    if name in NAMES:
        return _name(SEGMENT_PATHS[name], paths)
    of = id_of if column.type == "identifier" else field_of
    text = _first([of(paths, path) for path in SEGMENT_PATHS[name]])
    if name == "event_type":
        text = f"lower({text})"
    if name == "currency":
        text = f"upper({text})"
    return typed(text, column)


def _name(places: Sequence[str], paths: list[str]) -> str:
    """SQL of a name: what a company is called is nobody's."""
    subjects = [name_of(paths, path) for path in places if path.startswith(OF_THE_SUBJECT)]
    others = [name_of(paths, path) for path in places if not path.startswith(OF_THE_SUBJECT)]
    (kind,) = SEGMENT_PATHS["event_type"]
    of_a_person = f"lower({field_of(paths, kind)}) <> 'group'"
    return _first([f"case when {of_a_person} then {_first(subjects)} end", *others])


def _first(texts: Sequence[str]) -> str:
    """SQL of the first of the texts that is there."""
    return texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"


# --- rows that are one entity for good ---------------------------------------------------------


def _latest_version(staged: StagedEntity) -> str:
    entity = staged.entity
    mapping = MapSql(staged)
    parsed, header = _parsed(mapping.paths)
    names = list(output_columns(entity))
    deleted = "deleted_at is not null" if "deleted_at" in entity.columns else "false"
    keys = ("source", *staged.key)
    matched = " and ".join(f"known.{key} = typed.{key}" for key in keys)
    same_key = "\n        and ".join(f"gone.{key} = versions.{key}" for key in keys)
    # Landing knows that a row has its own key, not that it has the key of each of its entities.
    there = _where([f"{key} is not null" for key in entity.key if not staged.row_key_columns])
    order = ["case when versions.is_tombstone then 1 else 0 end"]
    if staged.order:
        order.append(f"versions.{staged.order} desc nulls last")
    order.append("versions.landing_number desc")
    return f"""{header}{_landed(staged)}{parsed}
typed as (

    select
        '{staged.source.name}' as source,
        stream,
        row_key,
        is_deleted as is_tombstone,
        landed_at,
        landing_number,

{_list(mapping.selects(), 8)}
    from parsed{_where([mapping.condition()])}

),

versions as (

    select * from typed{there}
    {{%- if is_incremental() %}}
    union all
    select
        known.source,
        known.stream,
        known.row_key,
        known.row_key like 'd:%' as is_tombstone,
        known.landed_at,
        known.landing_number,
{_list([f"known.{name}" for name in names if name not in LINEAGE], 8)}
    from {{{{ this }}}} as known
    where exists (select 1 from typed where {matched})
    {{%- endif %}}

),

-- A comparison of keys that found the row gone counts until the row lands again.
gone as (

    select
{_list(keys, 8)},
        max(case when is_tombstone then landing_number else 0 end) as gone_at
    from versions
    group by {", ".join(keys)}

),

ranked as (

    select
        versions.*,
        row_number() over (
            partition by {", ".join(f"versions.{key}" for key in keys)}
            order by
{_list(order, 16)}
        ) as nth
    from versions
    inner join gone
        on {same_key}
    where versions.landing_number >= gone.gone_at

),

latest as (

    select
{_list([name for name in names if name != "is_deleted"], 8)},
        is_tombstone or {deleted} as is_deleted
    from ranked
    where nth = 1

)

select
{_list(names, 4)}
from latest
"""


# --- rows that can become another entity, or none ----------------------------------------------


def _claims(staged: StagedEntity) -> str:
    columns = staged.entity.columns
    asked = [*staged.entity.key, *({"deleted_at", "updated_at"} & set(columns))]
    mapping = MapSql(staged, sorted(asked), of_row=True)
    parsed, header = _parsed(mapping.paths)
    keys = [f"{mapping.column(name, columns[name])} as {name}" for name in staged.entity.key]
    there = " and ".join(f"{name} is not null" for name in staged.entity.key)
    return f"""{header}{_landed(staged)}{parsed}
told as (

    select
        '{staged.source.name}' as source,
        stream,
        row_key,
        {mapping.row_id if staged.row_key_columns else "row_key"} as row_id,
        {mapping.version} as version,
        is_deleted as is_tombstone,
        {mapping.condition() or "true"} as is_picked,
        {mapping.is_marked} as is_marked,
        landed_at,
        landing_number,

{_list(keys, 8)}
    from parsed

)

select
    source,
    stream,
    row_key,
    row_id,
    version,
    is_tombstone,
    is_picked and {there} as is_entity,
    is_marked,
    landed_at,
    landing_number,
{_list(staged.entity.key, 4)}
from told
"""


def _of_claims(staged: StagedEntity) -> str:
    mapping = MapSql(staged)
    parsed, header = _parsed(mapping.paths)
    names = list(output_columns(staged.entity))
    keys = staged.entity.key
    listed = ", ".join(f"versions.{key}" for key in keys)
    same = " and ".join(f"touched.{key} = versions.{key}" for key in keys)
    order = f"{{{{ newest_version_first('versions.version', '{staged.zone}') }}}}"
    landed = [
        f"landed.{name}" for name in _LANDED_COLUMNS if name not in ("is_deleted", "landed_at")
    ]
    return f"""{header}with versions as (

    select * from {{{{ ref('{staged.claims_model}') }}}}

),

fresh as (

    select distinct row_id
    from versions
    {{%- if is_incremental() %}}
    where landing_number > (
        select coalesce(max(known.landing_number), 0) from {{{{ this }}}} as known
    )
    {{%- endif %}}

),

-- What the rows that there is news of are or ever were.
touched as (

    select distinct
{_list(keys, 8)}
    from versions
    where is_entity and row_id in (select fresh.row_id from fresh)

),

-- All rows that are or ever were one of those.
concerned as (

    select distinct versions.row_id
    from versions
    inner join touched on {same}
    where versions.is_entity

),

dated as (

    select
        versions.*,
        max(case when versions.is_tombstone then versions.landing_number else 0 end) over (
            partition by versions.row_id
        ) as gone_at
    from versions
    where versions.row_id in (select concerned.row_id from concerned)

),

-- A row is what its newest version says; a comparison of keys that found it gone counts until it
-- lands again.
ordered as (

    select
        versions.*,
        max(versions.landing_number) over (partition by versions.row_id) as row_landing_number,
        max(versions.landed_at) over (partition by versions.row_id) as row_landed_at,
        row_number() over (
            partition by versions.row_id
            order by
                case when versions.landing_number < versions.gone_at then 1 else 0 end,
                case when versions.is_tombstone then 1 else 0 end,
                {order},
                versions.landing_number desc
        ) as nth
    from dated as versions

),

-- 2: a row is it now. 1: a row is it, marked as deleted. 0: a row was it.
standing as (

    select
        ordered.*,
        case
            when nth > 1 or is_tombstone then 0
            when is_marked then 1
            else 2
        end as standing
    from ordered
    where is_entity

),

ranked as (

    select
        versions.*,
        max(versions.row_landing_number) over (partition by {listed}) as news_number,
        max(versions.row_landed_at) over (partition by {listed}) as news_at,
        row_number() over (
            partition by {listed}
            order by
                versions.standing desc,
                {order},
                versions.landing_number desc
        ) as place
    from standing as versions
    inner join touched on {same}

),

chosen as (

    select
        landing_number,
        news_number,
        news_at,
        standing < 2 as is_deleted
    from ranked
    where place = 1

),

landed as (

    select
{_list(landed, 8)},
        chosen.is_deleted,
        chosen.news_at,
        chosen.news_number
    from {{{{ source('raw', '{staged.source.name}') }}}} as landed
    inner join chosen on landed.landing_number = chosen.landing_number

),
{parsed}
typed as (

    select
        '{staged.source.name}' as source,
        stream,
        row_key,
        is_deleted,
        news_at as landed_at,
        news_number as landing_number,

{_list(mapping.selects(), 8)}
    from parsed

)

select
{_list(names, 4)}
from typed
"""
