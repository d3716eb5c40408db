{#- Whether a refund has been paid back by the run's moment: one that tells no time has. -#}
{% macro is_paid_back(refunded_at) -%}
    ({{ refunded_at }} is null or {{ refunded_at }} <= current_run.as_of)
{%- endmacro %}


{#- An amount in the base currency, to four places: exact, and null where there is no rate, or where
    the amount is larger than any that is real. -#}
{% macro in_base(amount, rate='rates.rate') -%}
    {{ try_cast_to('round(cast(' ~ amount ~ ' as ' ~ type_named('decimal(19, 4)') ~ ') * ' ~ rate ~ ', 4)', 'decimal(18, 4)') }}
{%- endmacro %}
