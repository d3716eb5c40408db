{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_changed_visitors',
    change_key='visitor_birth',
    contract={'enforced': true}
) }}

{%- set slots = event_slots('events') %}

with events as (

    select * from {{ ref('int_events') }}
    {%- if is_incremental() %}
    where landing_number > (select coalesce(max(known.landing_number), 0) from {{ this }} as known)
    {%- endif %}

),

identifiers as (

    select * from {{ ref('dim_identifiers') }}

),

changed_visitors as (

    select * from {{ ref('int_changed_visitors') }}

),

arrived as (

    select
        events.event_id,
        events.source,
        -- A bot is nobody, whoever's ids it carries; it gives birth to no identifier either.
        case when not events.is_bot then {{ anchor_birth(slots) }} end as anchor_birth,
        case when not events.is_bot then coalesce(by_device.node, {{ anchor_birth(slots) }}) end as visitor_birth,
        events.event_type,
        events.event_name,
        lower(trim(replace(events.event_name, '_', ' '))) as event_key,
        events.occurred_at,
        events.landed_at,
        events.is_bot,
        events.is_internal,
        events.order_id,
        events.value,
        events.currency,
        events.product_id,
        events.category,
        events.url,
        events.traits,
        events.properties,
        events.landing_number
    from events
    {{ anchor_joins(slots) }}

),

visited as (

    select * from arrived

    {% if is_incremental() -%}
    union all

    select
        known.event_id,
        known.source,
        known.anchor_birth,
        known.visitor_birth,
        known.event_type,
        known.event_name,
        known.event_key,
        known.occurred_at,
        known.landed_at,
        known.is_bot,
        known.is_internal,
        known.order_id,
        known.value,
        known.currency,
        known.product_id,
        known.category,
        known.url,
        known.traits,
        known.properties,
        known.landing_number
    from {{ this }} as known
    where known.visitor_birth in (select changed_visitors.visitor_birth from changed_visitors)
    {%- endif %}

),

-- Bots and the company's own people make no sessions, nor do rows that are nobody's.
timed as (

    select
        visited.*,
        not (is_bot or is_internal) and visitor_birth is not null as is_visit,
        lag(occurred_at) over (
            partition by visitor_birth, is_bot or is_internal
            order by occurred_at, landing_number
        ) as previous_at
    from visited

),

opened as (

    select
        timed.*,
        case
            when not is_visit then null
            when previous_at is null then landing_number
            when {{ seconds_between('previous_at', 'occurred_at') }} > 1800 then landing_number
        end as opens_session
    from timed

),

-- A session is called after the event that opens it.
sessions as (

    select
        opened.*,
        case
            when is_visit then last_value(opens_session ignore nulls) over (
                partition by visitor_birth, is_bot or is_internal
                order by occurred_at, landing_number
                rows between unbounded preceding and current row
            )
        end as session_id
    from opened

)

select
    sessions.event_id,
    sessions.source,
    identifiers.profile_id,
    sessions.session_id,
    sessions.anchor_birth,
    sessions.visitor_birth,
    sessions.event_type,
    sessions.event_name,
    sessions.event_key,
    sessions.occurred_at,
    sessions.landed_at,
    sessions.is_bot,
    sessions.is_internal,
    sessions.order_id,
    sessions.value,
    sessions.currency,
    sessions.product_id,
    sessions.category,
    sessions.url,
    sessions.traits,
    sessions.properties,
    sessions.landing_number
from sessions
left join identifiers on sessions.anchor_birth = identifiers.birth
