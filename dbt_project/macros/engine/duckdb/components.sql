{#- Connected components by a compiled function that this process has made known to the engine
    (cdp/warehouse/engines/components.py), which takes and gives lists. -#}
{% macro duckdb__connected_components(edges) -%}
    {%- do rebuild_temporary('cc_labels', 'select unnest(found.roots, recursive := true) from (select connected_roots(coalesce(list(given.left_node), []), coalesce(list(given.right_node), [])) as roots from (' ~ edges ~ ') as given where given.left_node <> given.right_node) as found') -%}
    {{ return('cc_labels') }}
{%- endmacro %}
