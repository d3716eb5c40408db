{% macro duckdb__type_named(name) -%}
    {{ return(name) }}
{%- endmacro %}


{% macro duckdb__try_cast_to(expression, type) -%}
    try_cast({{ expression }} as {{ type }})
{%- endmacro %}


{% macro duckdb__or_null(expression, column) -%}
    {#- What stands twice in a select the engine works out once, ahead of the `try` around it, where it
        fails all the same. It takes nothing out of a case. -#}
    case when {{ column }} is not null then try({{ expression }}) end
{%- endmacro %}


{% macro duckdb__wide_integer() -%}
    {{ return('hugeint') }}
{%- endmacro %}


{% macro duckdb__integer_quotient(dividend, divisor) -%}
    (({{ dividend }}) // ({{ divisor }}))
{%- endmacro %}


{% macro duckdb__rate_over(rate, other) -%}
    cast({{ rate }} / {{ other }} as decimal(18, 8))
{%- endmacro %}
