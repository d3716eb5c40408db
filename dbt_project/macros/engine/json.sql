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


{#- One value of JSON text at a path. -#}
{% macro json_text(column, path) -%}
    {{ return(adapter.dispatch('json_text', 'tributary')(column, path)) }}
{%- endmacro %}

{% macro duckdb__json_text(column, path) -%}
    json_extract_string({{ column }}, '{{ path | replace("'", "''") }}')
{%- endmacro %}
