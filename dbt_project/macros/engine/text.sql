{#- One row for each part of a text, as a select expression. -#}
{% macro split_unnest(expression, separator) -%}
    {{ return(adapter.dispatch('split_unnest', 'tributary')(expression, separator)) }}
{%- endmacro %}

{% macro duckdb__split_unnest(expression, separator) -%}
    unnest(string_split({{ expression }}, '{{ separator }}'))
{%- endmacro %}
