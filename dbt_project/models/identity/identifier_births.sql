{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false
) }}

with tuples as (

    select * from {{ ref('int_identifier_tuples') }}
    {%- if not flags.FULL_REFRESH %}
    -- Other logic may see identifiers in rows that landed long ago: then all are looked at.
    where {{ landed_since_published('last_landing_number') }}
    {%- endif %}

),

types as (

    select * from {{ ref('identifier_types') }}

),

sightings as (

    {{ identifiers_of('tuples', ['first_landing_number']) }}

),

first_sightings as (

    select
        identifier_type,
        raw_value,
        min(first_landing_number) as first_landing_number
    from sightings
    group by identifier_type, raw_value

),

unborn as (

    select first_sightings.*
    from first_sightings
    {%- if is_incremental() %}
    left join {{ this }} as known
        on
            first_sightings.identifier_type = known.identifier_type
            and first_sightings.raw_value = known.raw_value
    where known.birth is null
    {%- endif %}

),

last_birth as (

    {% if is_incremental() -%}
    select coalesce(max(known.birth), 0) as birth from {{ this }} as known
    {%- else -%}
    select 0 as birth
    {%- endif %}

)

select
    cast(
        last_birth.birth + row_number() over (
            order by
                unborn.first_landing_number,
                coalesce(types.priority, any_type.priority),
                unborn.identifier_type,
                unborn.raw_value
        ) as {{ dbt.type_bigint() }}
    ) as birth,
    unborn.identifier_type,
    unborn.raw_value,
    unborn.first_landing_number,
    {{ run_value('run_number') }} as run_number
from unborn
cross join last_birth
left join types on unborn.identifier_type = types.identifier_type
left join types as any_type on any_type.identifier_type = '*'
