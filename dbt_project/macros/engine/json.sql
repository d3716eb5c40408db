{#- Reading JSON text. `json_fields` parses a column once for many paths; `json_field` names one of
    them by its position (from 0). -#}
{% macro json_fields(column, paths) -%}
    {{ return(adapter.dispatch('json_fields', 'tributary')(column, paths)) }}
{%- endmacro %}

{% macro duckdb__json_fields(column, paths) -%}
    json_extract_string({{ column }}, [
        {%- for path in paths %}
        '{{ path | replace("'", "''") }}'{{ "," if not loop.last }}
        {%- endfor %}
    ])
{%- endmacro %}

{% macro json_field(fields, paths, index) -%}
    {{ return(adapter.dispatch('json_field', 'tributary')(fields, paths, index)) }}
{%- endmacro %}

{% macro duckdb__json_field(fields, paths, index) -%}
    {{ fields }}[{{ index + 1 }}]
{%- endmacro %}


{#- One of the fields as an id, the JSON being in `column`: text or a number. Objects, lists and booleans,
    which are text once they are extracted, are none, and neither is a blank. What an id looks like
    says nothing: ids made on Windows are written in braces. -#}
{% macro json_id(column, fields, paths, index) -%}
    {{ return(adapter.dispatch('json_id', 'tributary')(column, fields, paths, index)) }}
{%- endmacro %}

{% macro duckdb__json_id(column, fields, paths, index) -%}
    {#- The type takes parsing the JSON again, which few rows are worth. Comparing is cheaper than
        taking the first letter out; what sorts beside the brackets is asked for its type too. -#}
    {%- set text = json_field(fields, paths, index) -%}
    nullif(trim(case
        when {{ text }} >= '[' and ({{ text }} < ']' or {{ text }} >= '{' or {{ text }} in ('true', 'false'))
            then case
                when json_type({{ column }}, '{{ paths[index] | replace("'", "''") }}') = 'VARCHAR'
                    then {{ text }}
            end
        else {{ text }}
    end), '')
{%- endmacro %}


{#- Text that was computed as an id, by the form that objects, lists and booleans have as text. -#}
{% macro text_id(text) -%}
    {{ return(adapter.dispatch('text_id', 'tributary')(text)) }}
{%- endmacro %}

{% macro duckdb__text_id(text) -%}
    case
        when not regexp_matches({{ text }}, '^\s*([{]("|[}])|\[|(true|false)\s*$)')
            then nullif(trim({{ text }}), '')
    end
{%- endmacro %}


{#- One value of JSON text at a path. -#}
{% macro json_text(column, path) -%}
    {{ return(adapter.dispatch('json_text', 'tributary')(column, path)) }}
{%- endmacro %}

{% macro duckdb__json_text(column, path) -%}
    json_extract_string({{ column }}, '{{ path | replace("'", "''") }}')
{%- endmacro %}


{#- The identifiers in JSON text of the form that the Segment spec gives `context.externalIds`: JSON text
    of a list of objects (identifier_type, raw_value), sorted, each once; null where there is none.

    An entry counts when its type and its id are texts and it names a person. Where the type looks like
    no name of a type it is none, so that nobody's details become one. An id that is encoded (hashed,
    for example) is of another type than a plain one. -#}
{% macro external_identifiers(column) -%}
    {{ return(adapter.dispatch('external_identifiers', 'tributary')(column)) }}
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


{#- One row for each identifier in what `external_identifiers` gives, as a select expression; its fields
    are `identifier_type` and `raw_value`. -#}
{% macro unnest_identifiers(column) -%}
    {{ return(adapter.dispatch('unnest_identifiers', 'tributary')(column)) }}
{%- endmacro %}

{% macro duckdb__unnest_identifiers(column) -%}
    unnest(from_json({{ column }}, '[{"identifier_type": "VARCHAR", "raw_value": "VARCHAR"}]'))
{%- endmacro %}
