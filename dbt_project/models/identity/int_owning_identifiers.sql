{#- Rows belong to identifiers that are somebody's own: a value that proves to be nobody's passes what
    it stands in to the next that the row carries. -#}
{{ config(materialized='view') }}

with identifiers as (

    select * from {{ ref('int_identifier_values') }}
    where not is_blocked

),

nobodys as (

    select birth as node from {{ ref('int_identity_constrained') }}
    where kind = 'member' and is_nobodys

)

select
    identifiers.identifier_type,
    identifiers.raw_value,
    identifiers.node
from identifiers
left join nobodys on identifiers.node = nobodys.node
where nobodys.node is null
