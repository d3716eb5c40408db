{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='edge_key',
    cluster_by=looked_up_by(['edge_key']),
    file_size=files_of(64),
    contract={'enforced': true}
) }}

with landed as (

    select * from {{ ref('int_identifier_tuples') }}
    where {{ landed_since_published('last_landing_number') }}

),

identifiers as (

    select * from {{ ref('int_identifier_values') }}

),

types as (

    select * from {{ ref('identifier_types') }}

),

tuples as (

    select * from landed
    {%- if is_incremental() %}
    union all
    -- An alias may name an identifier that is seen only now.
    select * from {{ ref('int_identifier_tuples') }} as waiting
    where
        waiting.previous_id is not null
        and waiting.last_landing_number <= {{ run_value('published_landing_high_water') }}
        and waiting.previous_id in (
            select identifiers.raw_value from identifiers
            where identifiers.first_landing_number > {{ run_value('published_landing_high_water') }}
        )
    {%- endif %}

),

sightings as (

    {{ identifiers_of('tuples', ['tuple_key']) }}

),

-- The id that an alias call replaces may be a device's or a former user id: it is whichever has been
-- seen, and both where both have.
aliases as (

    {% for type, slot in [('user_id', 'same'), ('anonymous_id', 'beside')] %}
    select
        tuple_key,
        '{{ type }}' as identifier_type,
        previous_id as raw_value,
        '{{ slot }}' as slot
    from tuples
    where previous_id is not null
    {{ "union all" if not loop.last }}
    {% endfor %}

),

named as (

    select
        sightings.*,
        false as is_alias
    from sightings
    union all
    select
        aliases.*,
        true as is_alias
    from aliases

),

nodes as (

    select distinct
        named.tuple_key,
        identifiers.node,
        identifiers.identifier_type,
        named.slot,
        -- What is nobody's own ties nobody, and what could not be read neither; it is told all the same.
        case
            when not identifiers.is_blocked then null
            when identifiers.identifier_value is null then 'unreadable'
            else 'blocked'
        end as blocked_by,
        case when named.is_alias then identifiers.first_landing_number end as seen_since,
        {{ rule_of_type('priority') }} as priority
    from named
    inner join identifiers
        on
            named.identifier_type = identifiers.identifier_type
            and named.raw_value = identifiers.raw_value
    left join types on named.identifier_type = types.identifier_type
    left join types as any_type on any_type.identifier_type = '*'

),

pairs as (

    select
        one.node as left_node,
        other.node as right_node,
        -- An edge is as weak as the weaker of its ends.
        greatest(one.priority, other.priority) * 1000 + least(one.priority, other.priority) as weakness,
        one.identifier_type = other.identifier_type
        and one.slot || ' ' || other.slot in ('own same', 'same own') as is_asserted,
        case
            when one.blocked_by = 'blocked' or other.blocked_by = 'blocked' then 'blocked'
            else coalesce(one.blocked_by, other.blocked_by)
        end as blocked_by,
        tuples.source,
        tuples.row_key,
        tuples.first_occurred_at,
        tuples.first_landing_number,
        greatest(
            tuples.first_landing_number, coalesce(one.seen_since, 0), coalesce(other.seen_since, 0)
        ) as known_landing_number,
        greatest(
            tuples.last_landing_number, coalesce(one.seen_since, 0), coalesce(other.seen_since, 0)
        ) as last_landing_number
    from nodes as one
    inner join nodes as other
        on one.tuple_key = other.tuple_key and one.node < other.node
    inner join tuples on one.tuple_key = tuples.tuple_key

),

new_edges as (

    select
        left_node,
        right_node,
        min(weakness) as weakness,
        {{ dbt.bool_or('is_asserted') }} as is_asserted,
        min(blocked_by) as blocked_by,
        {{ min_by('source', 'first_landing_number') }} as source,
        {{ min_by('row_key', 'first_landing_number') }} as event_id,
        min(first_occurred_at) as first_occurred_at,
        min(first_landing_number) as first_landing_number,
        min(known_landing_number) as known_landing_number,
        max(last_landing_number) as last_landing_number
    from pairs
    group by left_node, right_node

),

keyed as (

    select
        {{ text_key(['left_node', 'right_node']) }} as edge_key,
        new_edges.*
    from new_edges

),

together as (

    select * from keyed
    {%- if is_incremental() %}
    union all
    select * from {{ this }} as known
    where known.edge_key in (select keyed.edge_key from keyed)
    {%- endif %}

)

select
    edge_key,
    left_node,
    right_node,
    min(weakness) as weakness,
    {{ dbt.bool_or('is_asserted') }} as is_asserted,
    min(blocked_by) as blocked_by,
    {{ min_by('source', 'first_landing_number') }} as source,
    {{ min_by('event_id', 'first_landing_number') }} as event_id,
    min(first_occurred_at) as first_occurred_at,
    min(first_landing_number) as first_landing_number,
    min(known_landing_number) as known_landing_number,
    max(last_landing_number) as last_landing_number
from together
group by edge_key, left_node, right_node
