{#- A phone number with the country it is to be read in, where it names none itself: `DE:0151 …`.
    The same national digits in two countries are two identifiers. -#}
{% macro phone_with_country(phone, country) -%}
    case
        when {{ phone }} is null then null
        when {{ phone }} like '+%' or {{ country }} is null then {{ phone }}
        else upper({{ country }}) || ':' || {{ phone }}
    end
{%- endmacro %}


{#- The slots of a tuple: its column, and the identifier type that the column holds. -#}
{% macro identifier_slots() -%}
    {{ return([
        ('user_id', "'user_id'"),
        ('source_id', 'id_type'),
        ('email', "'email'"),
        ('phone', "'phone'"),
        ('anonymous_id', "'anonymous_id'"),
        ('other_user_id', "'user_id'"),
        ('other_source_id', 'id_type'),
        ('other_anonymous_id', "'anonymous_id'"),
    ]) }}
{%- endmacro %}


{#- The seed `blocked_values` as a list of rules (identifier_type, pattern). -#}
{% macro blocked_value_rules() -%}
    {%- set rules = [] -%}
    {%- if reads_tables() -%}
        {%- set found = run_query(
            'select identifier_type, pattern from ' ~ ref('blocked_values') ~ ' order by identifier_type, pattern'
        ) -%}
        {%- for row in found.rows -%}
            {%- do rules.append({'identifier_type': row[0], 'pattern': row[1]}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(rules) }}
{%- endmacro %}
