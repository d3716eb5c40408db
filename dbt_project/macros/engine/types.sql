{#- Casts that give null for what cannot be read, instead of failing the model: what breaks a
    source's contract was quarantined when it landed. -#}
{% macro as_type(expression, type) -%}
    {%- if type == 'boolean' -%}
        case
            when lower({{ expression }}) in ('true', 't', '1', 'yes', 'y') then true
            when lower({{ expression }}) in ('false', 'f', '0', 'no', 'n') then false
        end
    {%- elif type == 'varchar' -%}
        nullif(trim({{ expression }}), '')
    {%- else -%}
        {{ try_cast_to(expression, type) }}
    {%- endif -%}
{%- endmacro %}


{#- Text to a UTC timestamp; null for what is none, for what no clock of the zone can show, and for an
    infinity, which is no moment. Text with a zone keeps its moment; text without one is read in `zone`.
    A time of the hour that a change of clocks repeats is read as the first of the two. What lands is
    checked by the same rule, in `ingestion/values.py`. -#}
{% macro as_utc(expression, zone='UTC') -%}
    {{ return(adapter.dispatch('as_utc', 'tributary')(expression, zone)) }}
{%- endmacro %}

{% macro duckdb__as_utc(expression, zone) -%}
    {#- The session's zone is UTC. An infinity has no microseconds. -#}
    {%- set zoned = 'try_cast(' ~ expression ~ ' as timestamptz)::timestamp' -%}
    {%- if zone == 'UTC' -%}
        try(make_timestamp(epoch_us({{ zoned }})))
    {%- else -%}
        {#- A cast to timestamp would drop an offset, and takes no other name of a zone than UTC. -#}
        {%- set local = 'try_cast(' ~ expression ~ ' as timestamp)' -%}
        try(make_timestamp(epoch_us(case
            when regexp_matches({{ expression }}, '\d:.*(Z|UTC|[+-]\d{2}(:?\d{2}){0,2})\s*$', 'i')
                then {{ zoned }}
            when {{ local }} is null
                then {{ zoned }}
            {#- The engine reads an hour that comes twice as the second; an hour before is the first
                where that shows the same local time. #}
            when timezone('{{ zone }}', timezone('{{ zone }}', {{ local }}) - interval 1 hour) = {{ local }}
                then timezone('UTC', timezone('{{ zone }}', {{ local }}) - interval 1 hour)
            else timezone('UTC', timezone('{{ zone }}', {{ local }}))
        end)))
    {%- endif -%}
{%- endmacro %}


{#- An expression over `column`, and null where it fails or the column is null: a row that has landed
    stops no run by what a mapping makes of it. -#}
{% macro or_null(expression, column) -%}
    {{ return(adapter.dispatch('or_null', 'tributary')(expression, column)) }}
{%- endmacro %}

{% macro duckdb__or_null(expression, column) -%}
    {#- What stands twice in a select the engine works out once, ahead of the `try` around it, where it
        fails all the same. It takes nothing out of a case. -#}
    case when {{ column }} is not null then try({{ expression }}) end
{%- endmacro %}


{#- `moment` moved by a number of units; dbt's dateadd on every engine. -#}
{% macro seconds_between(earlier, later) -%}
    {{ return(adapter.dispatch('seconds_between', 'tributary')(earlier, later)) }}
{%- endmacro %}

{% macro duckdb__seconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0
{%- endmacro %}


{#- Whether text matches a regular expression anywhere. -#}
{% macro matches_regex(expression, pattern) -%}
    {{ return(adapter.dispatch('matches_regex', 'tributary')(expression, pattern)) }}
{%- endmacro %}

{% macro duckdb__matches_regex(expression, pattern) -%}
    regexp_matches({{ expression }}, {{ pattern }})
{%- endmacro %}


{#- The earliest of several moments; null counts as never. -#}
{% macro earliest(moments) -%}
    case
        when coalesce({{ moments | join(', ') }}) is not null then least(
            {%- for moment in moments %}
            coalesce({{ moment }}, cast('9999-12-31' as timestamp)){{ "," if not loop.last }}
            {%- endfor %}
        )
    end
{%- endmacro %}


{#- The latest of several moments; null counts as never. -#}
{% macro latest(moments) -%}
    case
        when coalesce({{ moments | join(', ') }}) is not null then greatest(
            {%- for moment in moments %}
            coalesce({{ moment }}, cast('0001-01-01' as timestamp)){{ "," if not loop.last }}
            {%- endfor %}
        )
    end
{%- endmacro %}


{#- A cast that gives null where the value cannot be read. dbt's own safe_cast fails on DuckDB. -#}
{% macro try_cast_to(expression, type) -%}
    {{ return(adapter.dispatch('try_cast_to', 'tributary')(expression, type)) }}
{%- endmacro %}

{% macro default__try_cast_to(expression, type) -%}
    try_cast({{ expression }} as {{ type }})
{%- endmacro %}


{#- An amount shared out in so many parts, to four places, halves away from zero. Exactly: engines
    divide decimals as floating point, or with places of their own, so the division is one of
    integers, in ten-thousandths. -#}
{% macro exact_share(amount, parts) -%}
    {%- set units = 'cast(cast(abs(' ~ amount ~ ') as decimal(38, 4)) * 10000 as ' ~ wide_integer() ~ ')' -%}
    cast(
        sign({{ amount }}) * cast({{ integer_quotient('2 * ' ~ units ~ ' + ' ~ parts, '2 * ' ~ parts) }} as decimal(18, 0))
        * cast(0.0001 as decimal(5, 4)) as decimal(18, 4)
    )
{%- endmacro %}

{#- An integer type that holds twice the ten-thousandths of any amount. -#}
{% macro wide_integer() -%}
    {{ return(adapter.dispatch('wide_integer', 'tributary')()) }}
{%- endmacro %}

{% macro duckdb__wide_integer() -%}
    {{ return('hugeint') }}
{%- endmacro %}

{#- The quotient of two integers without what is left over. -#}
{% macro integer_quotient(dividend, divisor) -%}
    {{ return(adapter.dispatch('integer_quotient', 'tributary')(dividend, divisor)) }}
{%- endmacro %}

{% macro duckdb__integer_quotient(dividend, divisor) -%}
    (({{ dividend }}) // ({{ divisor }}))
{%- endmacro %}
