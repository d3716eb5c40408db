{{ config(materialized='table', tags=['change_set']) }}

{%- set slots = event_slots('events') %}

with facts as (

    select
        anchor_birth,
        visitor_birth
    from {{ former_state('profiles', 'fct_events', {
        'anchor_birth': dbt.type_bigint(), 'visitor_birth': dbt.type_bigint()
    }) }} as former

),

changed_births as (

    select * from {{ ref('int_changed_births') }}

),

-- The first time there is nothing to lay anew: the facts are built whole.
events as (

    select * from {{ ref('int_events') }}
    where
        landing_number > {{ run_value('published_landing_high_water') }}
        and {{ stands_already('profiles', 'fct_events') }}

),

owning as (

    select * from {{ ref('int_owning_identifiers') }}

),

scopes as (

    select * from {{ ref('identity_scopes') }}

),

reanchored as (

    select * from {{ ref('int_reanchored_events') }}

),

arrived as (

    select distinct coalesce(by_device.node, {{ anchor_birth(slots) }}) as visitor_birth
    from events
    left join scopes on events.source = scopes.source
    {{ anchor_joins(slots, 'owning') }}

),

moved as (

    select distinct facts.visitor_birth
    from facts
    inner join changed_births on facts.anchor_birth = changed_births.anchor_birth

),

everybody as (

    select distinct facts.visitor_birth
    from facts
    where {{ run_value('everything_changed') }}

),

unpublished as (

    {{ changed_by_unpublished_runs({'visitor_birth': dbt.type_bigint()}) }}

),

together as (

    select visitor_birth from arrived
    union distinct
    select visitor_birth from moved
    union distinct
    select visitor_birth from reanchored
    union distinct
    select visitor_before from reanchored
    union distinct
    select visitor_birth from everybody
    union distinct
    select visitor_birth from unpublished

)

select
    visitor_birth,
    {{ run_value('run_number') }} as run_number
from together
where visitor_birth is not null
