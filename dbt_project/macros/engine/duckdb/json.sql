{% macro duckdb__json_fields(column, paths) -%}
    json_extract_string({{ column }}, [
        {%- for path in paths %}
        '{{ path | replace("'", "''") }}'{{ "," if not loop.last }}
        {%- endfor %}
    ])
{%- endmacro %}

{% macro duckdb__json_field(fields, paths, index) -%}
    {{ fields }}[{{ index + 1 }}]
{%- endmacro %}


{% macro duckdb__json_id(column, fields, paths, index) -%}
    {#- The type takes parsing the JSON again, which few rows are worth. Comparing is cheaper than
        taking the first letter out; what sorts beside the brackets is asked for its type too. -#}
    {%- set text = duckdb__json_field(fields, paths, index) -%}
    nullif(trim(case
        when {{ text }} >= '[' and ({{ text }} < ']' or {{ text }} >= '{' or {{ text }} in ('true', 'false'))
            then case
                when json_type({{ column }}, '{{ paths[index] | replace("'", "''") }}') = 'VARCHAR'
                    then {{ text }}
            end
        else {{ text }}
    end), '')
{%- endmacro %}


{% macro duckdb__json_name(column, fields, paths, index) -%}
    {#- What may be something else than text begins with a digit, a sign or a bracket, and few names do. -#}
    {%- set text = duckdb__json_field(fields, paths, index) -%}
    nullif(trim(case
        when
            {{ text }} < ':'
            or ({{ text }} >= '[' and {{ text }} < ']')
            or ({{ text }} >= '{' and {{ text }} < '|')
            or {{ text }} in ('true', 'false')
            then case
                when json_type({{ column }}, '{{ paths[index] | replace("'", "''") }}') = 'VARCHAR'
                    then {{ text }}
            end
        else {{ text }}
    end), '')
{%- endmacro %}


{% macro duckdb__text_id(text) -%}
    case
        when not regexp_matches({{ text }}, '^\s*([{]("|[}])|\[|(true|false)\s*$)')
            then nullif(trim({{ text }}), '')
    end
{%- endmacro %}


{% macro duckdb__json_text(column, path) -%}
    json_extract_string({{ column }}, '{{ path | replace("'", "''") }}')
{%- endmacro %}


{% macro duckdb__external_identifiers(column) -%}
    {%- set encoding = "coalesce(nullif(nullif(lower(trim(json_extract_string(entry, '$.encoding'))), ''), 'none'), '')" -%}
    {%- set type = "concat_ws(':', lower(trim(json_extract_string(entry, '$.type'))), nullif(" ~ encoding ~ ", ''))" -%}
    {%- set value = "trim(json_extract_string(entry, '$.id'))" -%}
    case
        when {{ column }} is not null then nullif(
            cast(to_json(list_sort(list_distinct([
                {'identifier_type': {{ type }}, 'raw_value': {{ value }}}
                for entry in json_extract(try_cast({{ column }} as json), '$[*]')
                if json_type(entry, '$.type') = 'VARCHAR'
                and json_type(entry, '$.id') = 'VARCHAR'
                and {{ value }} <> ''
                and regexp_full_match({{ type }}, '[a-z][a-z0-9_.:-]{0,63}')
                and coalesce(lower(trim(json_extract_string(entry, '$.collection'))), 'users') in ('users', 'user')
            ]))) as varchar),
            '[]'
        )
    end
{%- endmacro %}


{% macro duckdb__rows_of_identifiers(relation, columns, identifiers) -%}
    select
        {%- for each in columns %}
        {{ each }},
        {%- endfor %}
        entry.identifier_type,
        entry.raw_value
    from (
        select
            {%- for each in columns %}
            {{ each }},
            {%- endfor %}
            unnest(from_json({{ identifiers }}, '[{"identifier_type": "VARCHAR", "raw_value": "VARCHAR"}]')) as entry
        from {{ relation }}
        where {{ identifiers }} is not null
    ) as unnested
{%- endmacro %}
