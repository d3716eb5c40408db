-- depends_on: {{ ref('blocked_values') }}
{{ config(materialized='incremental', incremental_strategy='append') }}

with births as (

    select * from {{ ref('identifier_births') }}
    {%- if is_incremental() %}
    where birth > (select coalesce(max(known.birth), 0) from {{ this }} as known)
    {%- endif %}

),

phones as (

    select * from {{ ref('int_phone_numbers') }}

),

types as (

    select * from {{ ref('identifier_types') }}

),

person_names as (

    select * from {{ ref('int_person_names') }}

),

scopes as (

    select
        scope,
        max(min_name_parts) as min_name_parts
    from {{ ref('identity_scopes') }}
    group by scope

),

-- Of too few words a name tells nobody.
scoped_names as (

    select
        {{ scoped_name('scopes.scope', 'person_names.name') }} as raw_value,
        {{ scoped_name('scopes.scope', 'person_names.plain_name') }} as identifier_value
    from person_names
    cross join scopes
    where person_names.parts >= coalesce(scopes.min_name_parts, 1)

),

normalised as (

    select
        births.birth,
        births.identifier_type,
        births.raw_value,
        births.first_landing_number,
        case {{ rule_of_type('normaliser') }}
            when 'email' then {{ lowered(trimmed('births.raw_value')) }}
            when 'phone' then phones.e164
            when 'name' then scoped_names.identifier_value
            else births.raw_value
        end as identifier_value
    from births
    left join types on births.identifier_type = types.identifier_type
    left join types as any_type on any_type.identifier_type = '*'
    left join phones on births.birth = phones.birth
    left join scoped_names
        on births.identifier_type = 'name' and births.raw_value = scoped_names.raw_value

),

-- Patterns stand in the query as constants: an engine compiles each once, not once a row.
judged as (

    select
        normalised.*,
        identifier_value is null
        {%- for rule in blocked_value_rules() %}
        or (
            {{ "true" if rule.identifier_type == '*' else "identifier_type = " ~ text_literal(rule.identifier_type) }}
            and {{ matches_regex('identifier_value', rule.pattern) }}
        )
        {%- endfor %} as is_blocked
    from normalised

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
