{{ config(materialized='view', contract={'enforced': true}) }}

with assignments as (

    select * from {{ ref('identity_assignments') }}

),

identifiers as (

    select * from {{ ref('dim_identifiers') }}

),

moved as (

    select * from assignments
    where profile_before is not null

)

select
    moved.birth,
    identifiers.identifier_type,
    moved.profile_before,
    moved.profile_id as profile_after,
    case when moved.profile_id < moved.profile_before then 'merge' else 'split' end as cause,
    moved.changed_at,
    moved.run_number,
    moved.run_id
from moved
left join identifiers on moved.birth = identifiers.birth
