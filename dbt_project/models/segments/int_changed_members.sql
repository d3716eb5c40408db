{{ config(materialized='table', tags=['change_set']) }}

with memberships as (

    select
        profile_id,
        entered_run_number,
        exited_run_number
    from {{ former_state('segments', 'fct_segment_memberships', {
        'profile_id': dbt.type_bigint(),
        'entered_run_number': dbt.type_bigint(),
        'exited_run_number': dbt.type_bigint()
    }) }} as former

),

changed as (

    select profile_id
    from {{ ref('fct_segment_changes') }}
    where run_number > {{ run_value('previous_run_number') }}

),

-- What runs wrote that were never published.
taken_back as (

    select profile_id
    from memberships
    where
        entered_run_number > {{ run_value('previous_run_number') }}
        or exited_run_number > {{ run_value('previous_run_number') }}

)

select profile_id from changed
union distinct
select profile_id from taken_back
