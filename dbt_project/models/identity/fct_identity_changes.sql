{{ config(materialized='view', contract={'enforced': true}) }}

with assignments as (

    select * from {{ ref('identity_assignments') }}

),

births as (

    select * from {{ ref('identifier_births') }}

),

moved as (

    select * from assignments
    where profile_before is not null

)

select
    moved.birth,
    births.identifier_type,
    moved.profile_before,
    moved.profile_id as profile_after,
    -- Runs of earlier versions recorded no cause.
    coalesce(
        moved.cause, case when moved.profile_id < moved.profile_before then 'merge' else 'split' end
    ) as cause,
    moved.source,
    moved.event_id,
    moved.changed_at,
    moved.run_number,
    moved.run_id
from moved
left join births on moved.birth = births.birth
