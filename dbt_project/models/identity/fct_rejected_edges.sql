{{ config(materialized='view', contract={'enforced': true}) }}

with constrained as (

    select * from {{ ref('int_identity_constrained') }}
    where kind = 'rejected'

),

components as (

    select * from {{ ref('int_identity_components') }}

),

edges as (

    select * from {{ ref('fct_identity_edges') }}

),

matches as (

    select * from {{ ref('int_match_edges') }}
    where is_in_force

)

select
    edges.left_node,
    edges.right_node,
    constrained.component_id,
    constrained.rule,
    edges.source,
    edges.event_id,
    edges.first_occurred_at,
    cast(null as {{ type_named('double') }}) as probability
from constrained
inner join edges
    on constrained.birth = edges.left_node and constrained.other_birth = edges.right_node

union all

select
    matches.left_node,
    matches.right_node,
    constrained.component_id,
    constrained.rule,
    matches.source,
    cast(null as {{ dbt.type_string() }}) as event_id,
    cast(null as {{ dbt.type_timestamp() }}) as first_occurred_at,
    matches.probability
from constrained
inner join matches
    on constrained.birth = matches.left_node and constrained.other_birth = matches.right_node

union all

-- An identifier that is nobody's own is in no component; the other end may be.
select
    edges.left_node,
    edges.right_node,
    coalesce(one.component_id, other.component_id) as component_id,
    edges.blocked_by as rule,
    edges.source,
    edges.event_id,
    edges.first_occurred_at,
    cast(null as {{ type_named('double') }}) as probability
from edges
left join components as one on edges.left_node = one.node
left join components as other on edges.right_node = other.node
where edges.blocked_by is not null
