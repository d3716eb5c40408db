{#- Decimals of more than 18 places are of the wide type: the other multiplies to nine places after the
    point and no more. -#}
{% macro bigquery__type_named(name) -%}
    {%- set other = {
        'varchar': 'string', 'bigint': 'int64', 'integer': 'int64', 'boolean': 'bool', 'double': 'float64',
        'hugeint': 'bignumeric'
    } -%}
    {%- set places = modules.re.match('decimal\\(([0-9]+), ?([0-9]+)\\)', name) -%}
    {%- if places -%}
        {{ return(('bignumeric' if places[1] | int > 18 else 'numeric') ~ '(' ~ places[1] ~ ', ' ~ places[2] ~ ')') }}
    {%- else -%}
        {{ return(other.get(name, name)) }}
    {%- endif -%}
{%- endmacro %}


{#- A number is read with all its places before it is rounded to the type's, once and half away from
    zero; the engine rounds to nine on the way otherwise, and reads no fraction for an integer. -#}
{% macro bigquery__try_cast_to(expression, type) -%}
    {%- set named = type_named(type) -%}
    {%- if type in ('bigint', 'integer') or type.startswith('decimal') -%}
        safe_cast(safe_cast({{ expression }} as bignumeric) as {{ named }})
    {%- else -%}
        safe_cast({{ expression }} as {{ named }})
    {%- endif -%}
{%- endmacro %}


{% macro bigquery__text_as(text, type) -%}
    {%- if type == 'date' -%}
        safe_cast(translate(
            regexp_extract({{ text }}, r'{{ bigquery_date_form() }}(?:[^0-9].*)?$'), '/ ', '--'
        ) as date)
    {%- else -%}
        {#- Blanks of every kind stand around numbers. -#}
        {{ bigquery__try_cast_to('trim(' ~ text ~ ')', type) }}
    {%- endif -%}
{%- endmacro %}


{#- An expression that fails stops the model: the engine tries nothing but its own functions. -#}
{% macro bigquery__or_null(expression, column) -%}
    case when {{ column }} is not null then {{ expression }} end
{%- endmacro %}


{% macro bigquery__wide_integer() -%}
    {{ return('bignumeric') }}
{%- endmacro %}


{% macro bigquery__integer_quotient(dividend, divisor) -%}
    div({{ dividend }}, cast({{ divisor }} as bignumeric))
{%- endmacro %}


{#- As floating point, like the engines that know no other division. -#}
{% macro bigquery__rate_over(rate, other) -%}
    cast(cast({{ rate }} as float64) / cast({{ other }} as float64) as numeric(18, 8))
{%- endmacro %}


{#- What a contract promises, by the names that the engine has for types. -#}
{% macro bigquery__get_empty_schema_sql(columns) -%}
    select
        {%- for name, column in columns.items() %}
        cast(null as {{ type_named(column['data_type']) }}) as {{ column['name'] }}{{ "," if not loop.last }}
        {%- endfor %}
{%- endmacro %}
