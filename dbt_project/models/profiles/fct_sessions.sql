{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_changed_visitors',
    change_key='visitor_birth',
    contract={'enforced': true}
) }}

with events as (

    select * from {{ ref('fct_events') }}
    where session_id is not null and {{ in_change_set('visitor_birth', 'int_changed_visitors') }}

)

select
    session_id,
    visitor_birth,
    {{ max_by('profile_id', 'landing_number') }} as profile_id,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at,
    count(*) as event_count
from events
group by session_id, visitor_birth
