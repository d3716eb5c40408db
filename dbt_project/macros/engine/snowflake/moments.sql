{#- Text of a date at the beginning of a text: year, month and day, parted by one of three signs. -#}
{% macro snowflake_date_form() -%}
    {{ return('^ *([0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{1,4}/[0-9]{1,2}/[0-9]{1,2}|[0-9]{1,4} [0-9]{1,2} [0-9]{1,2})') }}
{%- endmacro %}


{#- The first three numbers of a text as a date. -#}
{% macro snowflake_date(text) -%}
    try_to_date(
        lpad(regexp_substr({{ text }}, '[0-9]+', 1, 1), 4, '0')
        || '-' || lpad(regexp_substr({{ text }}, '[0-9]+', 1, 2), 2, '0')
        || '-' || lpad(regexp_substr({{ text }}, '[0-9]+', 1, 3), 2, '0'),
        'YYYY-MM-DD'
    )
{%- endmacro %}


{#- The nth number of a text; 0 where there are fewer. -#}
{% macro snowflake_nth_number(text, nth) -%}
    {{ return("coalesce(try_cast(regexp_substr(" ~ text ~ ", '[0-9]+', 1, " ~ nth ~ ') as integer), 0)') }}
{%- endmacro %}


{#- Whatever the session is set to, nothing here is read by the engine's own rule: a text of the right
    form is cut into numbers, and those are put together. Text that calls its zone by a name, other than
    UTC, is none on this engine. -#}
{% macro snowflake__as_utc(expression, zone) -%}
    {%- set offset_form = '(Z| UTC| GMT|[+-][0-9]{2}(:?[0-9]{2}(:?[0-9]{2})?)?)' -%}
    {%- set hours = '([01]?[0-9]|2[0-3]):[0-5]?[0-9](:[0-5]?[0-9]([.][0-9]*)?)?' -%}
    {%- set midnight = '24:0{1,2}(:0{1,2}([.]0*)?)?' -%}
    {%- set form = snowflake_date_form() ~ '((T| +)(' ~ hours ~ '|' ~ midnight ~ ')' ~ offset_form ~ '?)? *$' -%}
    {%- set end = "'(:[0-9:.]+)" ~ offset_form ~ " *$'" -%}
    {%- set local = 'regexp_replace(' ~ expression ~ ', ' ~ end ~ ", '\\\\1')" -%}
    {%- set offset = 'regexp_substr(' ~ expression ~ ', ' ~ end ~ ", 1, 1, 'e', 2)" -%}
    {%- set digits = "rpad(regexp_replace(" ~ offset ~ ", '[^0-9]', ''), 6, '0')" -%}
    {%- set offset_seconds -%}
        coalesce(
            case when left({{ offset }}, 1) = '-' then -1 else 1 end * (
                3600 * try_cast(left({{ digits }}, 2) as integer)
                + 60 * try_cast(substr({{ digits }}, 3, 2) as integer)
                + try_cast(substr({{ digits }}, 5, 2) as integer)
            ),
            0
        )
    {%- endset -%}
    {%- set seconds -%}
        3600 * {{ snowflake_nth_number(local, 4) }}
        + 60 * {{ snowflake_nth_number(local, 5) }}
        + {{ snowflake_nth_number(local, 6) }}
    {%- endset -%}
    {%- set micros -%}
        coalesce(try_cast(rpad(left(regexp_substr({{ local }}, '[0-9]+', 1, 7), 6), 6, '0') as integer), 0)
    {%- endset -%}
    {%- set at = "dateadd('microsecond', " ~ micros ~ ", dateadd('second', " ~ seconds ~ ' - ' ~ offset_seconds
        ~ ', cast(' ~ snowflake_date(expression) ~ ' as timestamp)))' -%}
    case
        when regexp_instr({{ expression }}, '{{ form }}') = 0
            then null
        {%- if zone != 'UTC' %}
        when {{ offset }} is null
            then {{ snowflake_moment_of(at, zone) }}
        {%- endif %}
        else {{ at }}
    end
{%- endmacro %}

{#- A local time as a moment; of two, the first: an hour earlier, where that shows the same time. -#}
{% macro snowflake_moment_of(local, zone) -%}
    {%- set moment = "convert_timezone('" ~ zone ~ "', 'UTC', " ~ local ~ ')' -%}
    {%- set before = "dateadd('hour', -1, " ~ moment ~ ')' -%}
    case
        when convert_timezone('UTC', '{{ zone }}', {{ before }}) = {{ local }} then {{ before }}
        else {{ moment }}
    end
{%- endmacro %}


{% macro snowflake__seconds_between(earlier, later) -%}
    datediff('microsecond', {{ earlier }}, {{ later }}) / 1000000.0
{%- endmacro %}
