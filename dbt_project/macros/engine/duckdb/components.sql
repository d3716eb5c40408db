{#- Connected components by what this process has compiled (cdp/warehouse/engines/dbt_embedded.py). Where dbt
    was started by itself, it has not, and SQL finds them. An increment joins what is found. -#}
{% macro duckdb__connected_components(nodes, edges) -%}
    {%- if adapter.connected_components is not defined -%}
        {{ return(default__connected_components(nodes, edges)) }}
    {%- endif -%}
    {{ return(adapter.connected_components(nodes, edges, is_incremental())) }}
{%- endmacro %}
