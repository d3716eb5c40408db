{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_changed_visitors',
    change_key='visitor_birth',
    partition_by=parted_by('started_at'),
    cluster_by=looked_up_by(['visitor_birth']),
    file_size=files_of(64),
    contract={'enforced': true}
) }}

with events as (

    select
        fct_events.*,
        row_number() over (
            partition by session_id, visitor_birth
            order by occurred_at desc nulls last, landing_number desc
        ) as from_the_end
    from {{ ref('fct_events') }} as fct_events
    where session_id is not null and {{ in_change_set('visitor_birth', 'int_changed_visitors') }}

)

select
    session_id,
    visitor_birth,
    max(case when from_the_end = 1 then profile_id end) as profile_id,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at,
    count(*) as event_count
from events
group by session_id, visitor_birth
