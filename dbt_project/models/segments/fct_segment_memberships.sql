{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_changed_members',
    change_key='profile_id',
    cluster_by=looked_up_by(['profile_id']),
    file_size=files_of(64),
    contract={'enforced': true}
) }}

with changes as (

    select * from {{ ref('fct_segment_changes') }}
    where {{ in_change_set('profile_id', 'int_changed_members') }}

),

-- Entering and leaving alternate, so what follows an entry is the exit that ends it.
followed as (

    select
        changes.*,
        lead(changed_at) over (partition by profile_id, segment_name order by run_number) as next_at,
        lead(cause) over (partition by profile_id, segment_name order by run_number) as next_cause,
        lead(run_number) over (partition by profile_id, segment_name order by run_number) as next_run_number
    from changes

)

select
    profile_id,
    segment_name,
    changed_at as entered_at,
    next_at as exited_at,
    cause as entered_cause,
    next_cause as exited_cause,
    rule_version,
    run_number as entered_run_number,
    next_run_number as exited_run_number
from followed
where change = 'entered'
