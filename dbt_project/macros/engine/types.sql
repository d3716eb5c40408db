{#- A type of a column, by DuckDB's name, as the engine calls it. -#}
{% macro type_named(name) -%}
    {{ return(adapter.dispatch('type_named', 'tributary')(name)) }}
{%- endmacro %}


{#- Casts that give null for what cannot be read, instead of failing the model: what breaks a
    source's contract was quarantined when it landed. -#}
{% macro as_type(expression, type) -%}
    {%- if type == 'boolean' -%}
        case
            when lower({{ expression }}) in ('true', 't', '1', 'yes', 'y') then true
            when lower({{ expression }}) in ('false', 'f', '0', 'no', 'n') then false
        end
    {%- elif type == 'varchar' -%}
        nullif({{ trimmed(expression) }}, '')
    {%- else -%}
        {{ text_as(expression, type) }}
    {%- endif -%}
{%- endmacro %}


{#- Text as a number or a date; null where it cannot be read. -#}
{% macro text_as(text, type) -%}
    {{ return(adapter.dispatch('text_as', 'tributary')(text, type)) }}
{%- endmacro %}

{% macro default__text_as(text, type) -%}
    {{ try_cast_to(text, type) }}
{%- endmacro %}


{#- A cast that gives null where the value cannot be read. dbt's own safe_cast fails on DuckDB. -#}
{% macro try_cast_to(expression, type) -%}
    {{ return(adapter.dispatch('try_cast_to', 'tributary')(expression, type)) }}
{%- endmacro %}


{#- An expression over `column`, and null where it fails or the column is null: a row that has landed
    stops no run by what a mapping makes of it. -#}
{% macro or_null(expression, column) -%}
    {{ return(adapter.dispatch('or_null', 'tributary')(expression, column)) }}
{%- endmacro %}


{#- An expression of a mapping that engines spell differently, by the engine. -#}
{% macro by_engine(texts) -%}
    {{ return(texts[target.type]) }}
{%- endmacro %}


{#- An amount shared out in so many parts, to four places, halves away from zero. Exactly: engines
    divide decimals as floating point, or with places of their own, so the division is one of
    integers, in ten-thousandths. -#}
{% macro exact_share(amount, parts) -%}
    {%- set units = 'cast(cast(abs(' ~ amount ~ ') as ' ~ type_named('decimal(38, 4)') ~ ') * 10000 as ' ~ wide_integer() ~ ')' -%}
    cast(
        case when {{ amount }} < 0 then -1 else 1 end
        * cast({{ integer_quotient('2 * ' ~ units ~ ' + ' ~ parts, '2 * ' ~ parts) }} as decimal(18, 0))
        * cast(0.0001 as decimal(5, 4)) as decimal(18, 4)
    )
{%- endmacro %}


{#- One rate divided by another, to eight places. -#}
{% macro rate_over(rate, other) -%}
    {{ return(adapter.dispatch('rate_over', 'tributary')(rate, other)) }}
{%- endmacro %}


{#- An integer type that holds twice the ten-thousandths of any amount. -#}
{% macro wide_integer() -%}
    {{ return(adapter.dispatch('wide_integer', 'tributary')()) }}
{%- endmacro %}

{#- The quotient of two integers without what is left over. -#}
{% macro integer_quotient(dividend, divisor) -%}
    {{ return(adapter.dispatch('integer_quotient', 'tributary')(dividend, divisor)) }}
{%- endmacro %}
