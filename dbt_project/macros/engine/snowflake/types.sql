{% macro snowflake__type_named(name) -%}
    {{ return({'hugeint': 'decimal(38, 0)', 'bigint': 'bigint'}.get(name, name)) }}
{%- endmacro %}


{#- The engine tries to read text and nothing else, so a number is written out first, which loses none
    of it. -#}
{% macro snowflake__try_cast_to(expression, type) -%}
    {%- if type == 'varchar' -%}
        to_varchar({{ expression }})
    {%- elif type in ('bigint', 'integer') -%}
        {#- Both are numbers of 38 places here. -#}
        {%- set limit = '9223372036854775807' if type == 'bigint' else '2147483647' -%}
        case
            when abs(try_cast(to_varchar({{ expression }}) as decimal(38, 0))) <= {{ limit }}
                then try_cast(to_varchar({{ expression }}) as decimal(38, 0))
        end
    {%- else -%}
        try_cast(to_varchar({{ expression }}) as {{ type_named(type) }})
    {%- endif -%}
{%- endmacro %}


{% macro snowflake__text_as(text, type) -%}
    {%- if type == 'date' -%}
        {#- Left to itself, the engine takes a number for seconds, and reads months before days. -#}
        {%- set form = snowflake_date_form() ~ '([^0-9].*)?$' -%}
        case
            when regexp_instr({{ text }}, {{ text_literal(form) }}, 1, 1, 0, 's') > 0
                then {{ snowflake_date(text) }}
        end
    {%- else -%}
        {#- Blanks of every kind stand around numbers, and nothing in them. -#}
        {{ snowflake__try_cast_to(
            'trim(' ~ text ~ ', ' ~ text_literal(" \t\n\r\x0b\x0c") | replace("\\\\", "\\") ~ ')', type
        ) }}
    {%- endif -%}
{%- endmacro %}


{#- An expression that fails stops the model: the engine tries nothing but its own functions. -#}
{% macro snowflake__or_null(expression, column) -%}
    case when {{ column }} is not null then {{ expression }} end
{%- endmacro %}


{% macro snowflake__wide_integer() -%}
    {{ return('decimal(38, 0)') }}
{%- endmacro %}


{#- The engine rounds a quotient; one without a remainder has nothing to round. -#}
{% macro snowflake__integer_quotient(dividend, divisor) -%}
    ((({{ dividend }}) - mod({{ dividend }}, {{ divisor }})) / ({{ divisor }}))
{%- endmacro %}


{#- As floating point, like the engines that know no other division. -#}
{% macro snowflake__rate_over(rate, other) -%}
    cast(cast({{ rate }} as double) / cast({{ other }} as double) as decimal(18, 8))
{%- endmacro %}
