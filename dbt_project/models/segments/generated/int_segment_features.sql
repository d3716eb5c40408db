-- Generated from config/segments by `cdp generate`; change those files instead.
{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_changed_profiles',
    change_key='profile_id',
    on_schema_change='sync_all_columns'
) }}

with events as (

    select
        profile_id,
        event_key,
        occurred_at,
        landing_number
    from {{ ref('fct_events') }}
    where
        event_key in ('order completed', 'product added')
        and not is_bot
        and not is_internal
        and profile_id is not null
        and occurred_at <= {{ run_value('as_of') }}
        and {{ in_change_set('profile_id', 'int_changed_profiles') }}

),

last_moments as (

    select
        profile_id,
        event_key,
        max(occurred_at) as occurred_at
    from events
    group by profile_id, event_key

),

-- Of events at the same moment, the one that landed last is the last.
last_events as (

    select
        events.profile_id,
        events.event_key,
        events.occurred_at,
        max(events.landing_number) as landing_number
    from events
    inner join last_moments
        on
            events.profile_id = last_moments.profile_id
            and events.event_key = last_moments.event_key
            and events.occurred_at = last_moments.occurred_at
    group by events.profile_id, events.event_key, events.occurred_at

)

select
    profile_id,
    max(case when event_key = 'order completed' then occurred_at end) as last_order_completed_at,
    max(case when event_key = 'order completed' then landing_number end) as last_order_completed_number,
    max(case when event_key = 'product added' then occurred_at end) as last_product_added_at,
    max(case when event_key = 'product added' then landing_number end) as last_product_added_number
from last_events
group by profile_id
