-- depends_on: {{ ref('blocked_values') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    cluster_by=looked_up_by(['identifier_value']),
    file_size=files_of(128)
) }}

with births as (

    select * from {{ ref('identifier_births') }}
    {%- if is_incremental() %}
    where birth > (select coalesce(max(known.birth), 0) from {{ this }} as known)
    {%- endif %}

),

types as (

    select * from {{ ref('identifier_types') }}

),

spellings as (

    select * from {{ ref('int_identifier_spellings') }}

),

blocked_values as (

    select * from {{ ref('int_blocked_values') }}

),

ruled as (

    select
        births.birth,
        births.identifier_type,
        births.raw_value,
        births.first_landing_number,
        {{ normaliser_of('births.identifier_type') }} as normaliser
    from births
    left join types on births.identifier_type = types.identifier_type
    left join types as any_type on any_type.identifier_type = '*'

),

normalised as (

    select
        ruled.*,
        {{ spelled('ruled.normaliser', 'ruled.raw_value', 'spellings.identifier_value') }} as identifier_value
    from ruled
    left join spellings
        on
            {{ is_spelled_by_code('ruled.normaliser') }}
            and ruled.normaliser = spellings.normaliser
            and ruled.raw_value = spellings.raw_value

),

-- Of a name that tells somebody within a scope, the name is what may be nobody's.
told as (

    select
        normalised.*,
        case when normaliser = 'scoped_name' then 'name' else normaliser end as told_normaliser,
        case
            when normaliser = 'scoped_name'
                then {{ dbt.split_part('identifier_value', "':'", 2) }}
            else identifier_value
        end as told_value
    from normalised

),

-- Lists may be long, so they are joined.
listed as (

    select distinct told.birth
    from told
    inner join blocked_values
        on
            told.told_normaliser = blocked_values.normaliser
            and told.told_value = blocked_values.identifier_value
            and blocked_values.identifier_type in ('*', told.identifier_type)

),

-- Patterns stand in the query as constants: an engine compiles each once, not once a row.
judged as (

    select
        told.*,
        identifier_value is null
        or listed.birth is not null
        {%- for rule in blocked_value_rules() %}
        or (
            {{ "true" if rule.identifier_type == '*' else "identifier_type = " ~ text_literal(rule.identifier_type) }}
            and {{ matches_regex('told_value', rule.pattern) }}
        )
        {%- endfor %} as is_blocked
    from told
    left join listed on told.birth = listed.birth

),

-- A value takes the earliest of the births of its spellings.
value_births as (

    select
        judged.identifier_type,
        judged.identifier_value,
        min(judged.birth) as first_birth
    from judged
    group by judged.identifier_type, judged.identifier_value

)

select
    judged.birth,
    judged.identifier_type,
    judged.raw_value,
    judged.identifier_value,
    -- What cannot be read is no spelling of anything else.
    case
        when judged.identifier_value is null then judged.birth
        {% if is_incremental() -%}
        else coalesce(known_values.node, value_births.first_birth)
        {%- else -%}
        else value_births.first_birth
        {%- endif %}
    end as node,
    judged.is_blocked,
    judged.first_landing_number
from judged
left join value_births
    on
        judged.identifier_type = value_births.identifier_type
        and judged.identifier_value = value_births.identifier_value
{%- if is_incremental() %}
left join (
    select
        known.identifier_type,
        known.identifier_value,
        min(known.node) as node
    from {{ this }} as known
    where known.identifier_value in (select normalised.identifier_value from normalised)
    group by known.identifier_type, known.identifier_value
) as known_values
    on
        judged.identifier_type = known_values.identifier_type
        and judged.identifier_value = known_values.identifier_value
{%- endif %}
