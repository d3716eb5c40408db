{#- Connected components by hooking and pointer jumping over birth numbers.

    Each round every label hooks onto its least neighbour, the hooks are followed to their roots by
    jumping (each jump doubles the length of a path that is followed), and the edges are rewritten
    to the roots; edges inside one root fall away. Labels only fall, so the label at the end is the
    least birth of the component. O(log n) rounds, every step a set operation that every engine has.

    edges: SQL giving left_node, right_node. Returns the name of a temporary table (node, root) that
    holds the nodes of the edges only; a node without an edge is its own component. -#}
{% macro connected_components(edges) -%}
    {%- if not reads_tables() -%}
        {{ return('components_to_be') }}
    {%- endif -%}
    {%- set run_number = namespace(open=true) -%}
    {%- do rebuild_temporary('cc_edges', 'select distinct left_node as l, right_node as r from (' ~ edges ~ ') as given where left_node <> right_node') -%}
    {%- do rebuild_temporary('cc_labels', 'select l as node, l as root from cc_edges union distinct select r, r from cc_edges') -%}
    {%- for round in range(64) if run_number.open -%}
        {%- do rebuild_temporary('cc_hooks', 'select node, min(neighbour) as parent from (select l as node, r as neighbour from cc_edges union all select r, l from cc_edges union all select l, l from cc_edges union all select r, r from cc_edges) as both_ways group by node') -%}
        {%- set jumping = namespace(open=true) -%}
        {%- for jump in range(64) if jumping.open -%}
            {%- do rebuild_temporary('cc_jumped', 'select near.node, far.parent from cc_hooks as near inner join cc_hooks as far on near.parent = far.node') -%}
            {%- set moved = run_query('select count(*) as moved from cc_jumped inner join cc_hooks using (node) where cc_jumped.parent <> cc_hooks.parent').columns[0].values()[0] -%}
            {%- do rebuild_temporary('cc_hooks', 'select * from cc_jumped') -%}
            {%- if moved == 0 -%}{%- set jumping.open = false -%}{%- endif -%}
        {%- endfor -%}
        {%- do rebuild_temporary('cc_relabelled', 'select cc_labels.node, coalesce(cc_hooks.parent, cc_labels.root) as root from cc_labels left join cc_hooks on cc_labels.root = cc_hooks.node') -%}
        {%- do rebuild_temporary('cc_labels', 'select * from cc_relabelled') -%}
        {%- do rebuild_temporary('cc_rewritten', 'select distinct near.parent as l, far.parent as r from cc_edges inner join cc_hooks as near on cc_edges.l = near.node inner join cc_hooks as far on cc_edges.r = far.node where near.parent <> far.parent') -%}
        {%- do rebuild_temporary('cc_edges', 'select * from cc_rewritten') -%}
        {%- set left = run_query('select count(*) as n from cc_edges').columns[0].values()[0] -%}
        {%- if left == 0 -%}{%- set run_number.open = false -%}{%- endif -%}
    {%- endfor -%}
    {{ return('cc_labels') }}
{%- endmacro %}
