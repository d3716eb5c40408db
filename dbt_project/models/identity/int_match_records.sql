{#- Of mutable rows every version is read: who somebody is likely to be also follows from what was
    told of them before, as with identifiers that stood together. -#}
{{ config(materialized='view') }}

{%- set of_events = ['email', 'phone', 'first_name', 'last_name', 'full_name'] %}
{%- set attributes = of_events + [
    'phone_country', 'birth_date', 'street', 'city', 'postal_code', 'region', 'country', 'language', 'company'
] %}

{#- What is told on a device may be told of whoever else uses it; names are what is compared. -#}
{%- set slots_of_events = event_slots('events') | rejectattr(0, 'in', ['by_name', 'by_device']) | list %}

with identifiers as (

    select * from {{ ref('int_identifier_values') }}
    where not is_blocked

),

contacts as (

    select * from {{ ref('int_contact_versions') }}

),

events as (

    select * from {{ ref('int_events') }}
    where
        not is_bot
        and coalesce({{ of_events | join(', ') }}) is not null

),

told as (

    select
        {{ anchor_birth(contact_slots('contacts')) }} as node,
        contacts.source,
        {%- for attribute in attributes %}
        cast(contacts.{{ attribute }} as {{ dbt.type_string() }}) as {{ attribute }},
        {%- endfor %}
        contacts.landing_number
    from contacts
    {{ anchor_joins(contact_slots('contacts'), 'identifiers') }}

    union all

    select
        {{ anchor_birth(slots_of_events) }} as node,
        events.source,
        {%- for attribute in attributes %}
        {%- set value = 'events.' ~ attribute if attribute in of_events else 'null' %}
        cast({{ value }} as {{ dbt.type_string() }}) as {{ attribute }},
        {%- endfor %}
        events.landing_number
    from events
    {{ anchor_joins(slots_of_events, 'identifiers') }}

)

-- What says of nobody whose it is matches nobody.
select
    node,
    source,
    {%- for attribute in attributes %}
    {{ attribute }},
    {%- endfor %}
    min(landing_number) as first_landing_number
from told
where node is not null
group by node, source, {{ attributes | join(', ') }}
