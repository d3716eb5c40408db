{#- A scalar as its text, an object or a list as JSON. The engine reads paths as they are given. -#}
{% macro bigquery_json_text(column, path) -%}
    {%- set path = text_literal(path) -%}
    {{ return('coalesce(json_value(' ~ column ~ ', ' ~ path ~ '), json_query(' ~ column ~ ', ' ~ path ~ '))') }}
{%- endmacro %}


{% macro bigquery__json_fields(column, paths) -%}
    case
        when {{ column }} is not null then [
            {%- for path in paths %}
            {{ bigquery_json_text(column, path) }}{{ "," if not loop.last }}
            {%- endfor %}
        ]
    end
{%- endmacro %}

{% macro bigquery__json_field(fields, paths, index) -%}
    {{ fields }}[offset({{ index }})]
{%- endmacro %}


{#- As JSON, text begins with a quotation mark and a number with none of these. -#}
{% macro bigquery__json_id(column, fields, paths, index) -%}
    nullif({{ trimmed(
        "case when left(json_query(" ~ column ~ ', ' ~ text_literal(paths[index]) ~ "), 1) not in ('{', '[', 't', 'f') then "
        ~ bigquery__json_field(fields, paths, index) ~ ' end'
    ) }}, '')
{%- endmacro %}


{% macro bigquery__json_name(column, fields, paths, index) -%}
    nullif({{ trimmed(
        "case when left(json_query(" ~ column ~ ', ' ~ text_literal(paths[index]) ~ "), 1) = '\"' then "
        ~ bigquery__json_field(fields, paths, index) ~ ' end'
    ) }}, '')
{%- endmacro %}


{% macro bigquery__text_id(text) -%}
    case
        when not regexp_contains({{ text }}, r'^\s*(?:[{](?:"|[}])|\[|(?:true|false)\s*$)')
            then nullif({{ trimmed(text) }}, '')
    end
{%- endmacro %}


{% macro bigquery__json_text(column, path) -%}
    {{ bigquery_json_text(column, path) }}
{%- endmacro %}


{% macro bigquery__external_identifiers(column) -%}
    {%- set encoding = "coalesce(nullif(lower(" ~ trimmed("json_value(entry, '$.encoding')") ~ "), 'none'), '')" -%}
    {%- set type = "lower(" ~ trimmed("json_value(entry, '$.type')") ~ ") || if(" ~ encoding ~ " = '', '', ':' || " ~ encoding ~ ")" -%}
    {%- set value = trimmed("json_value(entry, '$.id')") -%}
    '[' || (
        select string_agg(identifier, ',' order by identifier)
        from (
            select distinct to_json_string(struct({{ type }} as identifier_type, {{ value }} as raw_value)) as identifier
            from unnest(json_query_array({{ column }})) as entry
            where
                starts_with(json_query(entry, '$.type'), '"')
                and starts_with(json_query(entry, '$.id'), '"')
                and {{ value }} <> ''
                and regexp_contains({{ type }}, r'^[a-z][a-z0-9_.:-]{0,63}$')
                and coalesce(lower({{ trimmed("json_value(entry, '$.collection')") }}), 'users') in ('users', 'user')
        )
    ) || ']'
{%- endmacro %}


{% macro bigquery__rows_of_identifiers(relation, columns, identifiers) -%}
    select
        {%- for each in columns %}
        given.{{ each }},
        {%- endfor %}
        json_value(entry, '$.identifier_type') as identifier_type,
        json_value(entry, '$.raw_value') as raw_value
    from {{ relation }} as given
    cross join unnest(json_query_array(given.{{ identifiers }})) as entry
{%- endmacro %}
