{#- Text to a UTC timestamp; null for what is none, for what no clock of the zone can show, and for an
    infinity, which is no moment. Text with a zone keeps its moment; text without one is read in `zone`.
    A time of the hour that a change of clocks repeats is read as the first of the two. What lands is
    checked by the same rule, in `ingestion/values.py`. -#}
{% macro as_utc(expression, zone='UTC') -%}
    {{ return(adapter.dispatch('as_utc', 'tributary')(expression, zone)) }}
{%- endmacro %}


{#- How many seconds lie between two moments, fractions included. -#}
{% macro seconds_between(earlier, later) -%}
    {{ return(adapter.dispatch('seconds_between', 'tributary')(earlier, later)) }}
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
