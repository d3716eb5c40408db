{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='edge_key'
) }}

with tuples as (

    select * from {{ ref('int_identifier_tuples') }}
    where {{ landed_since_published('last_landing_number') }}

),

identifiers as (

    select * from {{ ref('int_identifier_values') }}

),

types as (

    select * from {{ ref('identifier_types') }}

),

slots as (

    {% for column, type in identifier_slots() %}
    select
        tuple_key,
        {{ type }} as identifier_type,
        {{ column }} as raw_value
    from tuples
    where {{ column }} is not null
    {{ "union all" if not loop.last }}
    {% endfor %}

),

nodes as (

    select distinct
        slots.tuple_key,
        identifiers.node,
        identifiers.identifier_type,
        coalesce(types.priority, any_type.priority) as priority
    from slots
    inner join identifiers
        on
            slots.identifier_type = identifiers.identifier_type
            and slots.raw_value = identifiers.raw_value
    left join types on slots.identifier_type = types.identifier_type
    left join types as any_type on any_type.identifier_type = '*'
    where not identifiers.is_blocked

),

pairs as (

    select
        one.node as left_node,
        other.node as right_node,
        -- An edge is as weak as the weaker of its ends.
        greatest(one.priority, other.priority) * 1000 + least(one.priority, other.priority) as weakness,
        tuples.source,
        tuples.row_key,
        tuples.first_occurred_at,
        tuples.first_landing_number,
        tuples.last_landing_number
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
        {{ min_by('source', 'first_landing_number') }} as source,
        {{ min_by('row_key', 'first_landing_number') }} as event_id,
        min(first_occurred_at) as first_occurred_at,
        min(first_landing_number) as first_landing_number,
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
    {{ min_by('source', 'first_landing_number') }} as source,
    {{ min_by('event_id', 'first_landing_number') }} as event_id,
    min(first_occurred_at) as first_occurred_at,
    min(first_landing_number) as first_landing_number,
    max(last_landing_number) as last_landing_number
from together
group by edge_key, left_node, right_node
