{{ config(materialized='incremental', incremental_strategy='append') }}

with tuples as (

    select * from {{ ref('int_identifier_tuples') }}
    where
        name is not null
        and {{ landed_since_published('last_landing_number') }}

),

person_names as (

    select * from {{ ref('int_person_names') }}
    where parts > 0

),

identifiers as (

    select * from {{ ref('int_identifier_values') }}
    where not is_blocked

),

sightings as (

    {{ identifiers_of('tuples', ['name', 'first_landing_number']) }}

),

-- A name is no evidence for itself.
beside as (

    select
        identifiers.node,
        person_names.given_name,
        person_names.surname,
        min(sightings.first_landing_number) as first_landing_number
    from sightings
    inner join identifiers
        on
            sightings.identifier_type = identifiers.identifier_type
            and sightings.raw_value = identifiers.raw_value
    inner join person_names on sightings.name = person_names.name
    where sightings.identifier_type <> 'name'
    group by identifiers.node, person_names.given_name, person_names.surname

)

select beside.*
from beside
{%- if is_incremental() %}
left join {{ this }} as known
    on
        beside.node = known.node
        and beside.given_name = known.given_name
        and beside.surname is not distinct from known.surname
where known.node is null
{%- endif %}
