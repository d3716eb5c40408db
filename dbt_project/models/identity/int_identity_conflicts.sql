{{ config(materialized='table') }}

with touched as (

    select * from {{ ref('int_touched_identifiers') }}

),

identifiers as (

    select * from {{ ref('int_identifier_values') }}
    where birth = node

),

types as (

    select * from {{ ref('identifier_types') }}

),

counted as (

    select
        touched.component_id,
        identifiers.identifier_type,
        count(*) as values_of_type
    from touched
    inner join identifiers on touched.birth = identifiers.node
    group by touched.component_id, identifiers.identifier_type

)

select distinct counted.component_id
from counted
left join types on counted.identifier_type = types.identifier_type
left join types as any_type on any_type.identifier_type = '*'
where counted.values_of_type > {{ rule_of_type('max_per_profile') }}
