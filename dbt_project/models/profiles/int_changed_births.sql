{{ config(materialized='table', tags=['change_set']) }}

with assignments as (

    select * from {{ ref('identity_assignments') }}

),

current_run as (

    select * from {{ ref('int_current_run') }}

),

identifiers as (

    select * from {{ ref('dim_identifiers') }}

),

unpublished as (

    {{ changed_by_unpublished_runs({'birth': dbt.type_bigint(), 'profile_id': dbt.type_bigint()}) }}

),

-- Rows of unpublished runs are taken back before new ones are written, so whatever is newer than
-- the last published run is this run's.
assigned as (

    select
        assignments.birth,
        assignments.profile_before,
        assignments.profile_id
    from assignments
    cross join current_run
    where
        assignments.run_number > current_run.previous_run_number
        -- What rules took out of everything is gone from whatever they had built anew.
        and assignments.profile_id is not null

),

-- Where an unpublished run moved an identifier and this one finds it where it was, facts go back.
moved_back as (

    select
        unpublished.birth,
        unpublished.profile_id as profile_before,
        identifiers.profile_id
    from unpublished
    inner join identifiers on unpublished.birth = identifiers.birth
    left join assigned on unpublished.birth = assigned.birth
    where assigned.birth is null

),

together as (

    select * from assigned
    union all
    select * from moved_back

)

select
    together.birth,
    together.birth as anchor_birth,
    together.profile_before,
    together.profile_id,
    current_run.run_number
from together
cross join current_run
