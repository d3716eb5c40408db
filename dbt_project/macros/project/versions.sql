{#- Order in which the newest of the versions of a row comes first. A version is read as a moment
    (in `zone` where it names none), else as a number, else compared as text; moments come before
    numbers, numbers before texts, and a row without a version after all. -#}
{% macro newest_version_first(version, zone='UTC') -%}
    {%- set moment = as_utc(version, zone) -%}
    {%- set number = try_cast_to(version, 'decimal(38, 9)') -%}
    {{ moment }} desc nulls last,
    {{ number }} desc nulls last,
    case when {{ moment }} is null and {{ number }} is null then {{ version }} end desc nulls last
{%- endmacro %}
