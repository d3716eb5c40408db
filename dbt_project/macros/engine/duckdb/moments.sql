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


{% macro duckdb__seconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0
{%- endmacro %}
