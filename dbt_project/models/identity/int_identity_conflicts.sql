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

names as (

    select * from {{ ref('int_identifier_names') }}

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
        {{ rule_of_type('max_values') }} as max_values,
        {{ rule_of_type('is_device') }} as is_device
    from counted
    left join types on counted.identifier_type = types.identifier_type
    left join types as any_type on any_type.identifier_type = '*'

),

allowed as (

    select
        min(case when signs.sign = 'identifiers' then signs.allowed end) as identifiers,
        min(case when signs.sign = 'given_names' then signs.allowed end) as given_names,
        min(case when signs.sign = 'surnames' then signs.allowed end) as surnames
    from signs

),

implausible as (

    select judged.component_id
    from judged
    cross join allowed
    where not judged.is_device
    group by judged.component_id
    having sum(judged.values_of_type) > min(allowed.identifiers)

),

of_several_people as (

    select touched.component_id
    from touched
    inner join names on touched.birth = names.node
    cross join allowed
    group by touched.component_id
    having
        count(distinct names.given_name) > min(allowed.given_names)
        and count(distinct names.surname) > min(allowed.surnames)

),

-- Perhaps: which value stands beside how many others is for solving to say.
too_common as (

    select judged.component_id
    from judged
    group by judged.component_id
    having max(judged.values_of_type) > min(judged.max_values)

)

select judged.component_id
from judged
where judged.is_above_limit or judged.is_kept_apart

union distinct

select implausible.component_id from implausible

union distinct

select of_several_people.component_id from of_several_people

union distinct

select too_common.component_id from too_common

union distinct

select touched.component_id
from labels
inner join touched on labels.left_node = touched.birth
where labels.kind in ('split', 'distrust')
