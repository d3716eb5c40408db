{{ config(materialized='view') }}

with events as (

    select * from {{ ref('int_all_events') }}

),

user_agents as (

    select * from {{ ref('int_user_agents') }}

),

addresses as (

    select * from {{ ref('int_addresses') }}

),

current_run as (

    select * from {{ ref('int_current_run') }}

)

select
    events.*,
    events.row_key as event_id,
    coalesce(user_agents.is_bot, false) as is_bot,
    coalesce(addresses.is_internal, false)
    or (
        events.email is not null
        and current_run.internal_email_domains <> ''
        and {{ dbt.position(
            "',' || " ~ lowered(dbt.split_part('events.email', "'@'", 2)) ~ " || ','",
            "',' || " ~ lowered('current_run.internal_email_domains') ~ " || ','"
        ) }} > 0
    ) as is_internal
from events
cross join current_run
left join user_agents on events.user_agent = user_agents.user_agent
left join addresses on events.ip = addresses.ip
