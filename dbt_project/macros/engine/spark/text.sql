{% macro spark__rows_of_parts(relation, column, separator, name) -%}
    select
        {{ relation }}.*,
        explode(split({{ relation }}.{{ column }}, {{ text_literal('[' ~ separator ~ ']') }})) as {{ name }}
    from {{ relation }}
    where {{ relation }}.{{ column }} is not null
{%- endmacro %}


{#- A backslash in a literal begins an escape. -#}
{% macro spark__text_literal(value) -%}
    '{{ value | replace("\\", "\\\\") | replace("'", "\\'") }}'
{%- endmacro %}


{#- The engine's own `trim` knows the plain blank alone. -#}
{% macro spark__trimmed(text) -%}
    trim(both ' \u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u202F\u205F\u3000' from {{ text }})
{%- endmacro %}


{#- The engine's own `lower` makes two letters of one, and another of a sigma at the end of a word. -#}
{% macro spark__lowered(text) -%}
    lower(translate({{ text }}, '\u03A3\u0130', '\u03C3i'))
{%- endmacro %}


{#- In patterns as most engines read them, only \n ends a line and $ is the end of all text. -#}
{% macro spark__matches_regex(expression, pattern) -%}
    {%- set ends = pattern.endswith('$') and not pattern.endswith('\\$') -%}
    {{ expression }} rlike {{ text_literal('(?d)' ~ (pattern[:-1] ~ '\\z' if ends else pattern)) }}
{%- endmacro %}


{#- Null where there is no such part; dbt's own fails. -#}
{% macro spark__split_part(string_text, delimiter_text, part_number) -%}
    try_element_at(split({{ string_text }}, {{ text_literal('\\Q') }} || {{ delimiter_text }} || {{ text_literal('\\E') }}), {{ part_number }})
{%- endmacro %}
