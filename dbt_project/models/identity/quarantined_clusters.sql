{{ config(materialized='view', contract={'enforced': true}) }}

with constrained as (

    select * from {{ ref('int_identity_constrained') }}
    where kind in ('cluster', 'value')

),

signs as (

    select * from {{ ref('identity_signs') }}

)

select
    constrained.birth as cluster_id,
    constrained.component_id,
    constrained.kind,
    constrained.rule as sign,
    constrained.seen,
    signs.allowed,
    constrained.identifiers,
    constrained.edges as edges_left_out
from constrained
left join signs
    on
        signs.sign = case constrained.rule when 'names' then 'given_names' else constrained.rule end
