{{ config(materialized='table', tags=['every_run']) }}

with assignments as (

    select * from {{ ref('identity_assignments') }}

),

current_run as (

    select * from {{ ref('int_current_run') }}

)

-- Rows of unpublished runs are taken back before new ones are written, so whatever is newer than
-- the last published run is this run's.
select
    assignments.birth,
    assignments.birth as anchor_birth,
    assignments.profile_before,
    assignments.profile_id
from assignments
cross join current_run
where assignments.run_number > current_run.previous_run_number
