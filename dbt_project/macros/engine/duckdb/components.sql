{#- Connected components by a compiled function that runs both queries and gives lists
    (cdp/warehouse/engines/components.py). Where dbt was started by itself, nobody has made it known to the
    engine, and SQL finds them. -#}
{% macro duckdb__connected_components(nodes, edges) -%}
    {%- set known = run_query("select count(*) as known from duckdb_functions() where function_name = 'connected_roots'") -%}
    {%- if known.columns[0].values()[0] == 0 -%}
        {{ return(default__connected_components(nodes, edges)) }}
    {%- endif -%}
    {{ return("(select unnest(connected_roots('" ~ nodes | replace("'", "''") ~ "', '" ~ edges | replace("'", "''") ~ "'), recursive := true))") }}
{%- endmacro %}
