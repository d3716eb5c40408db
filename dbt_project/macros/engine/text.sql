{#- A query: the rows of `relation` with all their columns, one for each part of the text in `column`,
    the part under `name`. Rows without a text are none. -#}
{% macro rows_of_parts(relation, column, separator, name) -%}
    {{ return(adapter.dispatch('rows_of_parts', 'tributary')(relation, column, separator, name)) }}
{%- endmacro %}


{#- A value as a literal of text. -#}
{% macro text_literal(value) -%}
    {{ return(adapter.dispatch('text_literal', 'tributary')(value)) }}
{%- endmacro %}

{% macro default__text_literal(value) -%}
    '{{ value | replace("'", "''") }}'
{%- endmacro %}


{#- Text without the blanks around it: those of every script, but neither tabs nor ends of lines. -#}
{% macro trimmed(text) -%}
    {{ return(adapter.dispatch('trimmed', 'tributary')(text)) }}
{%- endmacro %}


{#- Text in small letters, each letter by itself, so that what a letter becomes does not depend on
    where it stands. -#}
{% macro lowered(text) -%}
    {{ return(adapter.dispatch('lowered', 'tributary')(text)) }}
{%- endmacro %}


{#- Whether text matches a regular expression anywhere; the pattern is given as it is written. -#}
{% macro matches_regex(expression, pattern) -%}
    {{ return(adapter.dispatch('matches_regex', 'tributary')(expression, pattern)) }}
{%- endmacro %}
