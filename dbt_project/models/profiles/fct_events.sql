{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key='landing_number',
    merge_update_columns=['anchor_birth', 'visitor_birth', 'profile_id', 'session_id'],
    partition_by=parted_by('occurred_at'),
    cluster_by=looked_up_by(['visitor_birth', 'profile_id']),
    file_size=files_of(128),
    contract={'enforced': true}
) }}
-- depends_on: {{ ref('int_current_run') }}

{%- set slots = event_slots('events') %}
{%- set carried = {
    'event_id': dbt.type_string(),
    'source': dbt.type_string(),
    'anchor_birth': dbt.type_bigint(),
    'visitor_birth': dbt.type_bigint(),
    'event_type': dbt.type_string(),
    'event_name': dbt.type_string(),
    'event_key': dbt.type_string(),
    'occurred_at': dbt.type_timestamp(),
    'landed_at': dbt.type_timestamp(),
    'is_bot': dbt.type_boolean(),
    'is_internal': dbt.type_boolean(),
    'order_id': dbt.type_string(),
    'value': 'decimal(18, 4)',
    'currency': dbt.type_string(),
    'product_id': dbt.type_string(),
    'category': dbt.type_string(),
    'url': dbt.type_string(),
    'traits': dbt.type_string(),
    'properties': dbt.type_string(),
} %}

with
{% if is_incremental() %}
-- Not what lies above the highest that is there: a part that somebody built by itself may have
-- brought rows of one source before those of another.
events_there as (

    select landing_number from {{ this }}
    where landing_number > {{ run_value('published_landing_high_water') }}

),
{% endif %}
events as (

    select int_events.* from {{ ref('int_events') }} as int_events
    {%- if is_incremental() %}
    left join events_there on int_events.landing_number = events_there.landing_number
    where
        int_events.landing_number > {{ run_value('published_landing_high_water') }}
        and events_there.landing_number is null
    {%- endif %}

),

identifiers as (

    select * from {{ ref('dim_identifiers') }}

),

owning as (

    select * from {{ ref('int_owning_identifiers') }}

),

scopes as (

    select * from {{ ref('identity_scopes') }}

),

changed_visitors as (

    select * from {{ ref('int_changed_visitors') }}

),

reanchored as (

    select * from {{ ref('int_reanchored_events') }}

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
        {{ lowered(trimmed("replace(events.event_name, '_', ' ')")) }} as event_key,
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
    left join scopes on events.source = scopes.source
    {{ anchor_joins(slots, 'owning') }}

),

{% if is_incremental() -%}
-- Nobody's visits are cut by no change of a visitor, but may turn out to be somebody's.
known as (

    select * from {{ this }} as there
    where there.visitor_birth in (select changed_visitors.visitor_birth from changed_visitors)

    union all

    select * from {{ this }} as there
    where
        there.visitor_birth is null
        and there.landing_number in (select reanchored.landing_number from reanchored)

),
{%- endif %}

-- Sessions and owners are found over narrow rows: what an event carries never changes, so the
-- events that a visitor had before are neither read nor written whole.
visited as (

    select
        landing_number,
        anchor_birth,
        visitor_birth,
        is_bot or is_internal as is_no_visit,
        occurred_at,
        cast(null as {{ dbt.type_bigint() }}) as anchor_before,
        cast(null as {{ dbt.type_bigint() }}) as visitor_before,
        cast(null as {{ dbt.type_bigint() }}) as profile_before,
        cast(null as {{ dbt.type_bigint() }}) as session_before,
        false as is_known
    from arrived

    {% if is_incremental() -%}
    union all

    select
        known.landing_number,
        case
            when reanchored.landing_number is null then known.anchor_birth
            else reanchored.anchor_birth
        end as anchor_birth,
        case
            when reanchored.landing_number is null then known.visitor_birth
            else reanchored.visitor_birth
        end as visitor_birth,
        known.is_bot or known.is_internal as is_no_visit,
        known.occurred_at,
        known.anchor_birth as anchor_before,
        known.visitor_birth as visitor_before,
        known.profile_id as profile_before,
        known.session_id as session_before,
        true as is_known
    from known
    left join reanchored on known.landing_number = reanchored.landing_number
    {%- endif %}

),

-- Bots and the company's own people make no sessions, nor do rows that are nobody's.
timed as (

    select
        visited.*,
        not is_no_visit and visitor_birth is not null as is_visit,
        lag(occurred_at) over (
            partition by visitor_birth, is_no_visit
            order by occurred_at nulls last, landing_number
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
            when is_visit then {{ last_known_value('opens_session') }} over (
                partition by visitor_birth, is_no_visit
                order by occurred_at nulls last, landing_number
                rows between unbounded preceding and current row
            )
        end as session_id
    from opened

),

owned as (

    select
        sessions.*,
        identifiers.profile_id
    from sessions
    left join identifiers on sessions.anchor_birth = identifiers.birth

)

select
    {% for column in carried %}
    arrived.{{ column }},
    {% endfor %}
    owned.profile_id,
    owned.session_id,
    arrived.landing_number
from arrived
inner join owned on arrived.landing_number = owned.landing_number

{% if is_incremental() -%}
union all

select
    {% for column, type in carried.items() %}
    {{ column if column in ['anchor_birth', 'visitor_birth'] else 'cast(null as ' ~ type ~ ') as ' ~ column }},
    {% endfor %}
    profile_id,
    session_id,
    landing_number
from owned
where
    is_known
    and (
        profile_id is distinct from profile_before
        or session_id is distinct from session_before
        or anchor_birth is distinct from anchor_before
        or visitor_birth is distinct from visitor_before
    )
{%- endif %}
