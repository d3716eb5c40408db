{% macro bigquery__rows_of_parts(relation, column, separator, name) -%}
    select
        {{ relation }}.*,
        {{ name }}
    from {{ relation }}
    cross join unnest(split({{ relation }}.{{ column }}, {{ text_literal(separator) }})) as {{ name }}
    where {{ relation }}.{{ column }} is not null
{%- endmacro %}


{#- A backslash in a literal begins an escape, and the end of a line ends it. -#}
{% macro bigquery__text_literal(value) -%}
    '{{ value | replace("\\", "\\\\") | replace("'", "\\'") | replace("\n", "\\n") | replace("\r", "\\r") }}'
{%- endmacro %}


{#- Left to itself, the engine takes tabs and ends of lines away too. -#}
{% macro bigquery__trimmed(text) -%}
    trim({{ text }}, ' \u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u202F\u205F\u3000')
{%- endmacro %}


{#- Two letters of which an engine may make something else, by where they stand or by its language. -#}
{% macro bigquery__lowered(text) -%}
    lower(translate({{ text }}, '\u03A3\u0130', '\u03C3i'))
{%- endmacro %}


{#- The same library reads patterns here and in DuckDB. -#}
{% macro bigquery__matches_regex(expression, pattern) -%}
    regexp_contains({{ expression }}, {{ text_literal(pattern) }})
{%- endmacro %}
