{% macro duckdb__rows_of_parts(relation, column, separator, name) -%}
    select
        {{ relation }}.*,
        unnest(string_split({{ relation }}.{{ column }}, {{ text_literal(separator) }})) as {{ name }}
    from {{ relation }}
    where {{ relation }}.{{ column }} is not null
{%- endmacro %}


{% macro duckdb__trimmed(text) -%}
    trim({{ text }})
{%- endmacro %}


{% macro duckdb__lowered(text) -%}
    lower({{ text }})
{%- endmacro %}


{% macro duckdb__matches_regex(expression, pattern) -%}
    regexp_matches({{ expression }}, {{ text_literal(pattern) }})
{%- endmacro %}
