{#- The engine takes rows whose value is null too. -#}
{% macro bigquery__min_by(column, by) -%}
    min_by({{ column }}, case when {{ column }} is not null then {{ by }} end)
{%- endmacro %}


{% macro bigquery__max_by(column, by) -%}
    max_by({{ column }}, case when {{ column }} is not null then {{ by }} end)
{%- endmacro %}


{% macro bigquery__last_known_value(expression) -%}
    last_value({{ expression }} ignore nulls)
{%- endmacro %}
