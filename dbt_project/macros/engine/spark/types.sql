{% macro spark__type_named(name) -%}
    {{ return({'varchar': 'string', 'hugeint': 'decimal(38, 0)'}.get(name, name)) }}
{%- endmacro %}


{% macro spark__try_cast_to(expression, type) -%}
    {%- if type in ('bigint', 'integer') -%}
        {#- The engine cuts off what others round, and reads no fraction in text. -#}
        try_cast(round(try_cast({{ expression }} as decimal(38, 9)), 0) as {{ type }})
    {%- else -%}
        try_cast({{ expression }} as {{ type_named(type) }})
    {%- endif -%}
{%- endmacro %}


{% macro spark__text_as(text, type) -%}
    {%- if type == 'date' -%}
        {#- The engine takes a year alone for a date. -#}
        try_cast(translate(regexp_extract({{ text }}, {{ text_literal('^ *([0-9]{1,5}([-/ ])[0-9]{1,2}\\2[0-9]{1,2})(?![0-9])(?! *[(])') }}, 1), '/ ', '--') as date)
    {%- else -%}
        {#- The engine takes digits of every script for digits. -#}
        case when {{ text }} rlike {{ text_literal('^[\\s0-9.eE+-]+$') }} then {{ spark__try_cast_to(text, type) }} end
    {%- endif -%}
{%- endmacro %}


{% macro spark__or_null(expression, column) -%}
    case when {{ column }} is not null then {{ expression }} end
{%- endmacro %}


{% macro spark__wide_integer() -%}
    {{ return('decimal(38, 0)') }}
{%- endmacro %}


{% macro spark__integer_quotient(dividend, divisor) -%}
    (({{ dividend }}) div ({{ divisor }}))
{%- endmacro %}


{#- As floating point, like the engines that know no other division. -#}
{% macro spark__rate_over(rate, other) -%}
    cast(cast({{ rate }} as double) / cast({{ other }} as double) as decimal(18, 8))
{%- endmacro %}


{#- What a contract promises, by the names that the engine has for types. -#}
{% macro spark__get_empty_schema_sql(columns) -%}
    select
        {%- for name, column in columns.items() %}
        cast(null as {{ type_named(column['data_type']) }}) as {{ column['name'] }}{{ "," if not loop.last }}
        {%- endfor %}
{%- endmacro %}
