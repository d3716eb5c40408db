{{ config(materialized='view') }}

{%- set fields = [
    'email', 'phone', 'first_name', 'last_name', 'full_name', 'birth_date', 'street', 'city',
    'postal_code', 'region', 'country', 'language', 'company'
] %}
{%- set trait_fields = {
    'first_name': ['$.firstName', '$.first_name'], 'last_name': ['$.lastName', '$.last_name'],
    'full_name': ['$.name'],
    'street': ['$.address.street'], 'city': ['$.address.city'],
    'postal_code': ['$.address.postalCode', '$.address.postal_code'],
    'region': ['$.address.state'], 'country': ['$.address.country'], 'language': ['$.language'],
    'company': ['$.company.name'], 'email': ['$.email'], 'phone': ['$.phone']
} %}

with changed as (

    select * from {{ ref('int_changed_profiles') }}

),

current_run as (

    select * from {{ ref('int_current_run') }}

),

identifiers as (

    select
        known.identifier_type,
        known.raw_value,
        dim_identifiers.profile_id
    from {{ ref('int_identifier_values') }} as known
    inner join {{ ref('dim_identifiers') }} as dim_identifiers on known.node = dim_identifiers.birth
    inner join changed on dim_identifiers.profile_id = changed.profile_id
    where not known.is_blocked

),

contacts as (

    select
        identifiers.profile_id,
        coalesce(contacts.updated_at, contacts.created_at, contacts.landed_at) as known_at,
        -- A record that a source hands over is its word of now. A run that has no other clock than
        -- its own takes it so whatever time it bears: what it replaced is known no more.
        case
            when
                current_run.as_of >= current_run.started_at
                or coalesce(contacts.updated_at, contacts.created_at) is null
                then least(coalesce(contacts.updated_at, contacts.created_at, contacts.landed_at), current_run.as_of)
            else coalesce(contacts.updated_at, contacts.created_at)
        end as counts_from,
        contacts.landing_number,
        {% for field in fields %}
        contacts.{{ field }}{{ "," if not loop.last }}
        {% endfor %}
    from {{ ref('int_contacts') }} as contacts
    cross join current_run
    inner join identifiers
        on contacts.id_type = identifiers.identifier_type and contacts.contact_id = identifiers.raw_value
    where not contacts.is_deleted

),

orders as (

    select
        orders.profile_id,
        orders.ordered_at as known_at,
        orders.ordered_at as counts_from,
        orders.landing_number,
        {% for field in fields %}
        {{ "orders." ~ field if field in ('email', 'phone') else "cast(null as " ~ ("date" if field == 'birth_date' else dbt.type_string()) ~ ")" }} as {{ field }}{{ "," if not loop.last }}
        {% endfor %}
    from {{ ref('fct_orders') }} as orders
    inner join changed on orders.profile_id = changed.profile_id
    where not orders.is_deleted

),

identified as (

    select
        events.profile_id,
        events.occurred_at as known_at,
        events.occurred_at as counts_from,
        events.landing_number,
        {% for field in fields %}
        {% if field in trait_fields -%}
        coalesce({% for path in trait_fields[field] %}{{ text_id(json_text('events.traits', path)) }}{{ ", " if not loop.last }}{% endfor %}, null) as {{ field }}{{ "," if not loop.last }}
        {%- else -%}
        cast(null as {{ "date" if field == 'birth_date' else dbt.type_string() }}) as {{ field }}{{ "," if not loop.last }}
        {%- endif %}
        {% endfor %}
    from {{ ref('fct_events') }} as events
    inner join changed on events.profile_id = changed.profile_id
    where events.event_type = 'identify' and not events.is_bot

),

together as (

    select * from contacts
    union all
    select * from orders
    union all
    select * from identified

),

-- Values count in the order in which they became known; ties go to what landed last. A value of the
-- future counts when its time has come.
ordered as (

    select
        together.*,
        case
            when together.counts_from <= current_run.as_of then row_number() over (
                partition by together.profile_id
                order by together.known_at nulls last, together.landing_number
            )
        end as nth,
        case when together.counts_from > current_run.as_of then together.counts_from end as comes_due_at
    from together
    cross join current_run

)

select
    profile_id,
    {% for field in fields %}
    {%- set value = field if field == 'birth_date' else "nullif(" ~ trimmed(field) ~ ", '')" %}
    {{ max_by(value, 'case when ' ~ value ~ ' is not null then nth end') }} as {{ field }},
    {%- endfor %}
    min(comes_due_at) as next_known_at
from ordered
group by profile_id
