{#- Text of a date at the beginning of a text: year, month and day, parted by one of three signs. -#}
{% macro bigquery_date_form() -%}
    {{ return('^ *([0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{1,4}/[0-9]{1,2}/[0-9]{1,2}|[0-9]{1,4} [0-9]{1,2} [0-9]{1,2})') }}
{%- endmacro %}


{#- A text of the right form is cut into its numbers, and those are put together; what calls its zone by a
    name is the engine's to read. Of an hour that comes twice the engine takes the first. -#}
{% macro bigquery__as_utc(expression, zone) -%}
    {%- set offset_form = '(?:Z| UTC|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)' -%}
    {%- set hours = '(?:[01]?[0-9]|2[0-3]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.][0-9]*)?)?' -%}
    {%- set midnight = '24:0{1,2}(?::0{1,2}(?:[.]0*)?)?' -%}
    {%- set form = bigquery_date_form() ~ '(?:(?:T| +)(?:' ~ hours ~ '|' ~ midnight ~ ')' ~ offset_form ~ '?)? *$' -%}
    {%- set named = '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:[.][0-9]{1,6})? +[A-Z][A-Za-z0-9]{2,}(?:/[A-Za-z0-9_/+-]+)?$' -%}
    {%- set at = 'datetime_add(datetime_add(date_at, interval seconds - offset_seconds second), interval micros microsecond)' -%}
    case
        when regexp_contains({{ expression }}, r'{{ form }}') then (
            select
                {% if zone == 'UTC' -%}
                timestamp({{ at }})
                {%- else -%}
                if(has_offset, timestamp({{ at }}), timestamp({{ at }}, '{{ zone }}'))
                {%- endif %}
            from (
                select
                    safe_cast(concat(lpad(n[safe_offset(0)], 4, '0'), '-', n[safe_offset(1)], '-', n[safe_offset(2)]) as datetime) as date_at,
                    3600 * coalesce(cast(n[safe_offset(3)] as int64), 0)
                    + 60 * coalesce(cast(n[safe_offset(4)] as int64), 0)
                    + coalesce(cast(n[safe_offset(5)] as int64), 0) as seconds,
                    coalesce(cast(rpad(left(n[safe_offset(6)], 6), 6, '0') as int64), 0) as micros,
                    time_offset is not null as has_offset,
                    if(starts_with(time_offset, '-'), -1, 1) * (
                        3600 * coalesce(cast(left(digits, 2) as int64), 0)
                        + 60 * coalesce(cast(substr(digits, 3, 2) as int64), 0)
                        + coalesce(cast(substr(digits, 5, 2) as int64), 0)
                    ) as offset_seconds
                from (
                    select
                        n,
                        time_offset,
                        rpad(regexp_replace(time_offset, r'[^0-9]', ''), 6, '0') as digits
                    from unnest([struct(
                        regexp_extract_all(
                            regexp_replace({{ expression }}, r'(:[0-9:.]+){{ offset_form }} *$', r'\1'), r'[0-9]+'
                        ) as n,
                        regexp_extract({{ expression }}, r':[0-9:.]+({{ offset_form }}) *$') as time_offset
                    )])
                )
            )
        )
        when regexp_contains({{ expression }}, r'{{ named }}')
            then safe_cast({{ expression }} as timestamp)
    end
{%- endmacro %}


{% macro bigquery__seconds_between(earlier, later) -%}
    timestamp_diff({{ later }}, {{ earlier }}, microsecond) / 1000000.0
{%- endmacro %}


{#- dbt's own makes a time without a zone, which compares with no moment. -#}
{% macro bigquery__dateadd(datepart, interval, from_date_or_timestamp) -%}
    timestamp_add({{ from_date_or_timestamp }}, interval {{ interval }} {{ datepart }})
{%- endmacro %}
