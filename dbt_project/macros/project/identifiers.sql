{#- A phone number with the country it is to be read in, where it names none itself: `DE:0151 …`.
    The same national digits in two countries are two identifiers. -#}
{% macro phone_with_country(phone, country) -%}
    case
        when {{ phone }} is null then null
        when {{ phone }} like '+%' or {{ country }} is null then {{ phone }}
        else upper({{ country }}) || ':' || {{ phone }}
    end
{%- endmacro %}


{#- The name that a row tells: in one piece, or put together from its parts. -#}
{% macro told_name(relation) -%}
    coalesce(
        {{ relation }}.full_name,
        case
            when {{ relation }}.first_name is null then {{ relation }}.last_name
            when {{ relation }}.last_name is null then {{ relation }}.first_name
            else {{ relation }}.first_name || ' ' || {{ relation }}.last_name
        end
    )
{%- endmacro %}


{#- The slots of a tuple: its column (or what is made of some), the identifier type that the column holds, and whether the column
    is the row's own id (`own`), one that the source says is the same (`same`), or stands beside. -#}
{% macro identifier_slots() -%}
    {{ return([
        ('user_id', "'user_id'", 'own'),
        ('source_id', 'id_type', 'own'),
        ('email', "'email'", 'beside'),
        ('phone', "'phone'", 'beside'),
        ('anonymous_id', "'anonymous_id'", 'beside'),
        ('other_user_id', "'user_id'", 'same'),
        ('other_source_id', 'id_type', 'same'),
        (scoped_name('name_scope', 'name'), "'name'", 'beside'),
    ]) }}
{%- endmacro %}


{#- A name as the identifier that it is within a scope. -#}
{% macro scoped_name(scope, name) -%}
    ({{ scope }} || ':' || {{ name }})
{%- endmacro %}


{#- Every identifier of some tuples, one row each: the given columns of the tuple, `identifier_type`,
    `raw_value` and `slot`. The id that an alias call replaces is none of them: it does not say of which
    type it is, and an identifier is born only where a row says so. -#}
{% macro identifiers_of(tuples, columns) -%}
    {%- for column, type, slot in identifier_slots() %}
    select
        {%- for each in columns %}
        {{ each }},
        {%- endfor %}
        {{ type }} as identifier_type,
        {{ column }} as raw_value,
        '{{ slot }}' as slot
    from {{ tuples }}
    where {{ column }} is not null
    union all
    {%- endfor %}
    select
        external.*,
        'beside' as slot
    from (
        {{ rows_of_identifiers(tuples, columns, 'external_ids') }}
    ) as external
{%- endmacro %}


{#- What the seed `identifier_types` says for a type, joined as `types`; for a type that it does not
    name, what stands under `*`, joined as `any_type`. -#}
{% macro rule_of_type(column) -%}
    case when types.identifier_type is null then any_type.{{ column }} else types.{{ column }} end
{%- endmacro %}


{#- The normaliser that decides for identifiers of a type, joined as `types` and `any_type`: names of
    the type `name` stand within scopes. -#}
{% macro normaliser_of(type) -%}
    case
        when {{ type }} = 'name' and {{ rule_of_type('normaliser') }} = 'name' then 'scoped_name'
        else {{ rule_of_type('normaliser') }}
    end
{%- endmacro %}


{#- Condition: values of a normaliser are spelled by `cdp.identity.spelling`, not by SQL. -#}
{% macro is_spelled_by_code(normaliser) -%}
    {{ normaliser }} in ('phone', 'name', 'scoped_name', 'text')
{%- endmacro %}


{#- A value in the spelling of its normaliser, null where it cannot be one. What code has made of it
    stands in `by_code` (`int_identifier_spellings`). -#}
{% macro spelled(normaliser, raw_value, by_code) -%}
    case
        when {{ is_spelled_by_code(normaliser) }} then {{ by_code }}
        when {{ normaliser }} in ('email', 'lower') then nullif({{ lowered(trimmed(raw_value)) }}, '')
        else {{ raw_value }}
    end
{%- endmacro %}


{#- The patterns of the seed `blocked_values` as a list of rules (identifier_type, pattern). -#}
{% macro blocked_value_rules() -%}
    {%- set rules = [] -%}
    {%- if reads_tables() -%}
        {%- set found = run_query(
            'select identifier_type, pattern from ' ~ ref('blocked_values')
            ~ ' where pattern is not null order by identifier_type, pattern'
        ) -%}
        {%- for row in found.rows -%}
            {%- do rules.append({'identifier_type': row[0], 'pattern': row[1]}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(rules) }}
{%- endmacro %}
