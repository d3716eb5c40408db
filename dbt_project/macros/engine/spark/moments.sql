{#- The parts of a text that is a time in some form: date, then time, then how far from UTC. -#}
{% macro spark_form_of_time() -%}
    {%- set date = '^\\s*([0-9]{1,6})[-/]([0-9]{1,2})[-/]([0-9]{1,2})' -%}
    {%- set time = '(?:[ T]+([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:[.]([0-9]*))?)?' -%}
    {%- set offset = '\\s*(Z|UTC|[+-][0-9]{1,2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)?)?\\s*\\z' -%}
    {{ return(text_literal('(?i)' ~ date ~ time ~ offset)) }}
{%- endmacro %}

{% macro spark_part_of_time(text, number) -%}
    {{ return('regexp_extract(' ~ text ~ ', ' ~ spark_form_of_time() ~ ', ' ~ number ~ ')') }}
{%- endmacro %}

{% macro spark_number_of_time(text, number) -%}
    {{ return('coalesce(try_cast(' ~ spark_part_of_time(text, number) ~ ' as int), 0)') }}
{%- endmacro %}

{% macro spark_number_of_offset(text, number) -%}
    {%- set form = text_literal('^[+-]([0-9]{1,2}):?([0-9]{2})?:?([0-9]{2})?') -%}
    {{ return('coalesce(try_cast(regexp_extract(' ~ spark_part_of_time(text, 8) ~ ', ' ~ form ~ ', ' ~ number ~ ') as int), 0)') }}
{%- endmacro %}

{% macro spark__as_utc(expression, zone) -%}
    {#- The session's zone is UTC. The plain form is the engine's own; any other that is a time elsewhere
        is put together from its parts, but for one with the name of a zone. -#}
    {%- set plain = '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?' -%}
    {%- set named = '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]{1,6})?)? +[A-Za-z][A-Za-z0-9_/+-]*\\z' -%}
    {%- set local -%}
        try_make_timestamp(
            {{ spark_number_of_time(expression, 1) }}, {{ spark_number_of_time(expression, 2) }}, {{ spark_number_of_time(expression, 3) }},
            {{ spark_number_of_time(expression, 4) }}, {{ spark_number_of_time(expression, 5) }},
            cast({{ spark_number_of_time(expression, 6) }} || '.' || rpad(left({{ spark_part_of_time(expression, 7) }}, 6), 6, '0') as decimal(16, 6))
        )
    {%- endset -%}
    {%- set of_zone = local if zone == 'UTC' else 'to_utc_timestamp(' ~ local ~ ", '" ~ zone ~ "')" -%}
    case
        when {{ expression }} rlike {{ text_literal(plain ~ '(Z|[+-][0-9]{2}:[0-9]{2})\\z') }}
            then try_cast({{ expression }} as timestamp)
        when {{ expression }} rlike {{ spark_form_of_time() }}
            then case
                when {{ spark_part_of_time(expression, 8) }} = '' then {{ of_zone }}
                else timestampadd(
                    second,
                    case when {{ spark_part_of_time(expression, 8) }} like '-%' then 1 else -1 end * (
                        3600 * {{ spark_number_of_offset(expression, 1) }}
                        + 60 * {{ spark_number_of_offset(expression, 2) }}
                        + {{ spark_number_of_offset(expression, 3) }}
                    ),
                    {{ local }}
                )
            end
        when {{ expression }} rlike {{ text_literal(named) }}
            then try_cast({{ expression }} as timestamp)
    end
{%- endmacro %}


{% macro spark__seconds_between(earlier, later) -%}
    (unix_micros({{ later }}) - unix_micros({{ earlier }})) / 1e6
{%- endmacro %}


{#- dbt's own loses what is less than a second. -#}
{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
    timestampadd({{ datepart }}, {{ interval }}, {{ from_date_or_timestamp }})
{%- endmacro %}
