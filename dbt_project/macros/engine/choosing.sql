{#- The value of `column` in the row where `by` is least, of the rows where neither is null. -#}
{% macro min_by(column, by) -%}
    {{ return(adapter.dispatch('min_by', 'tributary')(column, by)) }}
{%- endmacro %}

{#- The value of `column` in the row where `by` is greatest, of the rows where neither is null. -#}
{% macro max_by(column, by) -%}
    {{ return(adapter.dispatch('max_by', 'tributary')(column, by)) }}
{%- endmacro %}


{#- The last value of a window that is not null; the window itself follows. -#}
{% macro last_known_value(expression) -%}
    {{ return(adapter.dispatch('last_known_value', 'tributary')(expression)) }}
{%- endmacro %}
