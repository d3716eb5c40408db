{#- Connected components by a compiled function that takes and gives lists
    (cdp/warehouse/engines/components.py). Where dbt was started by itself, nobody has made it known to the
    engine, and SQL finds them. -#}
{% macro duckdb__connected_components(edges) -%}
    {%- set known = run_query("select count(*) as known from duckdb_functions() where function_name = 'connected_roots'") -%}
    {%- if known.columns[0].values()[0] == 0 -%}
        {{ return(default__connected_components(edges)) }}
    {%- endif -%}
    {%- do rebuild_temporary('cc_labels', 'select unnest(found.roots, recursive := true) from (select connected_roots(coalesce(list(given.left_node), []), coalesce(list(given.right_node), [])) as roots from (' ~ edges ~ ') as given where given.left_node <> given.right_node) as found') -%}
    {{ return('cc_labels') }}
{%- endmacro %}
