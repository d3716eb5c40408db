{% macro spark__as_utc(expression, zone) -%}
    {#- The session's zone is UTC. The plain form with a zone is the engine's own; any other that is a time
        elsewhere is cut into its parts and put together, but for one that names its zone. -#}
    {%- set plain = '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?(Z|[+-](0[0-9]|1[0-7]):[0-5][0-9])\\z' -%}
    {%- set date = '^ *([0-9]{1,5})([-/ ])([0-9]{1,2})\\2([0-9]{1,2})' -%}
    {%- set hour = '([01]?[0-9]|2[0-3]|24(?=:0{1,2}(?::0{1,2}(?:[.]0*)?)?(?![.:0-9])))' -%}
    {%- set time = '(?:(?:T| +)' ~ hour ~ ':([0-5]?[0-9])(?::([0-5]?[0-9])(?:[.]([0-9]{0,6})[0-9]*)?)?' -%}
    {%- set offset = '(?:(Z| UTC)|([+-])([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2}))?)?)?)? *\\z' -%}
    {%- set form = text_literal(date ~ time ~ offset) -%}
    {%- set named = '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]{1,6})?)? +[A-Z][A-Za-z0-9]{2,}(/[A-Za-z0-9_/+-]+)?\\z' -%}
    {%- set seconds = "3600 * int(0 || p[3]) + 60 * int(0 || p[4]) + cast(0 || p[5] || '.' || p[6] as decimal(16, 6))" -%}
    {%- set offset_seconds = "int(p[8] || 1) * (3600 * int(0 || p[9]) + 60 * int(0 || p[10]) + int(0 || p[11]))" -%}
    {%- set at = 'timestampadd(microsecond, bigint(1000000 * (' ~ seconds ~ ' - ' ~ offset_seconds ~ ')), try_make_timestamp(int(p[0]), int(p[1]), int(p[2]), 0, 0, 0))' -%}
    case
        when {{ expression }} rlike {{ text_literal(plain) }}
            then try_cast({{ expression }} as timestamp)
        when {{ expression }} rlike {{ form }}
            then transform(
                array(split(regexp_replace({{ expression }}, {{ form }}, '$1|$3|$4|$5|$6|$7|$8|$9|$10|$11|$12|$13'), '[|]')),
                p -> {{ at if zone == 'UTC' else "case when p[7] || p[8] = '' then to_utc_timestamp(" ~ at ~ ", '" ~ zone ~ "') else " ~ at ~ ' end' }}
            )[0]
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
