{% macro snowflake__rows_of_parts(relation, column, separator, name) -%}
    select
        {{ relation }}.*,
        parts.value::varchar as {{ name }}
    from {{ relation }},
        lateral flatten(input => split({{ relation }}.{{ column }}, {{ text_literal(separator) }})) as parts
    where {{ relation }}.{{ column }} is not null
{%- endmacro %}


{#- A backslash in a literal begins an escape. -#}
{% macro snowflake__text_literal(value) -%}
    '{{ value | replace("\\", "\\\\") | replace("'", "''") }}'
{%- endmacro %}


{#- The engine's own `trim` knows the plain blank alone. -#}
{% macro snowflake__trimmed(text) -%}
    trim({{ text }}, ' {{ "\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u202F\u205F\u3000" }}')
{%- endmacro %}


{#- Two letters of which an engine may make something else, by where they stand or by its language. -#}
{% macro snowflake__lowered(text) -%}
    lower(translate({{ text }}, '{{ "\u03A3\u0130" }}', '{{ "\u03C3" }}i'))
{%- endmacro %}


{#- The engine matches whole texts elsewhere, and has neither options nor groups without a number in
    a pattern. -#}
{% macro snowflake__matches_regex(expression, pattern) -%}
    {%- set plain = pattern.replace('(?i)', '').replace('(?:', '(') -%}
    (regexp_instr({{ expression }}, {{ text_literal(plain) }}, 1, 1, 0, '{{ "i" if "(?i)" in pattern else "c" }}') > 0)
{%- endmacro %}


{#- Null where there is no such part; the engine's own gives an empty text. -#}
{% macro snowflake__split_part(string_text, delimiter_text, part_number) -%}
    case
        when array_size(split({{ string_text }}, {{ delimiter_text }})) >= {{ part_number }}
            then split_part({{ string_text }}, {{ delimiter_text }}, {{ part_number }})
    end
{%- endmacro %}
