{{ config(materialized='view', contract={'enforced': true}) }}

with constrained as (

    select * from {{ ref('int_identity_constrained') }}
    where kind = 'rejected'

),

edges as (

    select * from {{ ref('fct_identity_edges') }}

)

select
    constrained.birth as left_node,
    constrained.other_birth as right_node,
    constrained.component_id,
    constrained.rule,
    edges.source,
    edges.event_id,
    edges.first_occurred_at
from constrained
inner join edges
    on constrained.birth = edges.left_node and constrained.other_birth = edges.right_node
