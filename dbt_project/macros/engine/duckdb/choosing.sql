{% macro duckdb__min_by(column, by) -%}
    min_by({{ column }}, {{ by }})
{%- endmacro %}


{% macro duckdb__max_by(column, by) -%}
    max_by({{ column }}, {{ by }})
{%- endmacro %}


{% macro duckdb__last_known_value(expression) -%}
    last_value({{ expression }} ignore nulls)
{%- endmacro %}
