{{ config(materialized='table', tags=['change_set']) }}

{%- set slots = event_slots('events') %}

with former as (

    select
        landing_number,
        visitor_birth,
        profile_id
    from {{ former_state('profiles', 'fct_events', {
        'landing_number': dbt.type_bigint(), 'visitor_birth': dbt.type_bigint(), 'profile_id': dbt.type_bigint()
    }) }} as there

),

changed_verdicts as (

    select * from {{ ref('int_changed_verdicts') }}

),

owning as (

    select * from {{ ref('int_owning_identifiers') }}

),

scopes as (

    select * from {{ ref('identity_scopes') }}

),

events as (

    select * from {{ ref('int_events') }}
    where not is_bot

),

unpublished as (

    {{ changed_by_unpublished_runs({
        'landing_number': dbt.type_bigint(), 'visitor_before': dbt.type_bigint(),
        'profile_before': dbt.type_bigint()
    }) }}

),

-- By any identifier that they carry, since it may have been the strongest or is now.
carrying as (

    {%- for alias, type, value in slots %}

    select events.landing_number
    from events
    {%- if alias == 'by_name' %}
    inner join scopes on events.source = scopes.source
    {%- endif %}
    inner join changed_verdicts
        on
            changed_verdicts.identifier_type = {{ type }}
            and changed_verdicts.raw_value = {{ value }}

    union distinct
    {%- endfor %}

    select landing_number from unpublished

    union distinct

    -- What an unpublished run has laid was anchored by its verdicts; what lands now, when it arrives.
    select landing_number from former
    where landing_number > {{ run_value('published_landing_high_water') }}

)

select
    events.landing_number,
    {{ anchor_birth(slots) }} as anchor_birth,
    coalesce(by_device.node, {{ anchor_birth(slots) }}) as visitor_birth,
    -- As it was published: an unpublished run may have passed the event on already.
    case when unpublished.landing_number is null then former.visitor_birth else unpublished.visitor_before end as visitor_before,
    case when unpublished.landing_number is null then former.profile_id else unpublished.profile_before end as profile_before,
    {{ run_value('run_number') }} as run_number
from carrying
inner join events on carrying.landing_number = events.landing_number
inner join former on events.landing_number = former.landing_number
left join unpublished on events.landing_number = unpublished.landing_number
left join scopes on events.source = scopes.source
{{ anchor_joins(slots, 'owning') }}
