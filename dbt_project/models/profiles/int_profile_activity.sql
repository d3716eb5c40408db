{{ config(materialized='view') }}

with events as (

    select * from {{ ref('fct_events') }}
    where profile_id in (select changed.profile_id from {{ ref('int_changed_profiles') }} as changed)

),

current_run as (

    select * from {{ ref('int_current_run') }}

),

visits as (

    select
        events.profile_id,
        events.session_id,
        events.occurred_at,
        events.occurred_at <= current_run.as_of as has_happened
    from events
    cross join current_run
    where not events.is_bot and not events.is_internal

)

select
    profile_id,
    min(case when has_happened then occurred_at end) as first_event_at,
    max(case when has_happened then occurred_at end) as last_event_at,
    cast(sum(case when has_happened then 1 else 0 end) as {{ dbt.type_bigint() }}) as event_count,
    count(distinct case when has_happened then session_id end) as session_count,
    min(case when not has_happened then occurred_at end) as next_event_at
from visits
group by profile_id
