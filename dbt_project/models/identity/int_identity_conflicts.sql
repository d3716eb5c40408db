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

signs as (

    select * from {{ ref('identity_signs') }}

),

labels as (

    select * from {{ ref('int_identity_labels') }}
    where is_in_force

),

counted as (

    select
        touched.component_id,
        identifiers.identifier_type,
        count(*) as values_of_type
    from touched
    inner join identifiers on touched.birth = identifiers.node
    group by touched.component_id, identifiers.identifier_type

),

-- A limit within a period may hold where one for ever would not: solving looks at the times.
judged as (

    select
        counted.component_id,
        counted.values_of_type,
        counted.values_of_type > {{ rule_of_type('max_per_profile') }} as is_above_limit,
        counted.values_of_type > 1 and {{ rule_of_type('do_not_merge') }} as is_kept_apart,
        {{ rule_of_type('is_device') }} as is_device
    from counted
    left join types on counted.identifier_type = types.identifier_type
    left join types as any_type on any_type.identifier_type = '*'

),

allowed as (

    select min(case when signs.sign = 'identifiers' then signs.allowed end) as identifiers
    from signs

),

implausible as (

    select judged.component_id
    from judged
    cross join allowed
    where not judged.is_device
    group by judged.component_id
    having sum(judged.values_of_type) > min(allowed.identifiers)

)

select judged.component_id
from judged
where judged.is_above_limit or judged.is_kept_apart

union distinct

select implausible.component_id from implausible

union distinct

select touched.component_id
from labels
inner join touched on labels.left_node = touched.birth
where labels.kind in ('split', 'distrust')
