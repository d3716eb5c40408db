{#- Connected components by hooking and pointer jumping over birth numbers.

    Each round every label hooks onto its least neighbour, the hooks are followed to their roots by
    jumping (each jump doubles the length of a path that is followed), and the edges are rewritten
    to the roots; edges inside one root fall away. Labels only fall, so the label at the end is the
    least birth of the component. O(log n) rounds, every step a set operation that every engine has.

    The embedded engine has them compiled instead (macros/engine/duckdb/components.sql).

    nodes: SQL giving node, of those that may have no edge. edges: SQL giving left_node, right_node.
    Returns what can be selected from: (node, root), one row for every node and every end of an edge;
    a node without an edge is its own component. -#}
{% macro connected_components(nodes, edges) -%}
    {%- if not reads_tables() -%}
        {{ return('components_to_be') }}
    {%- endif -%}
    {{ return(adapter.dispatch('connected_components', 'tributary')(nodes, edges)) }}
{%- endmacro %}

{% macro default__connected_components(nodes, edges) -%}
    {%- set run_number = namespace(open=true) -%}
    {%- set links = kept_name('cc_edges') -%}
    {%- set labels = kept_name('cc_labels') -%}
    {%- set hooks = kept_name('cc_hooks') -%}
    {%- set jumped = kept_name('cc_jumped') -%}
    {%- do rebuild_temporary('cc_edges', 'select distinct left_node as l, right_node as r from (' ~ edges ~ ') as given') -%}
    {%- do rebuild_temporary('cc_labels', 'select node, node as root from (' ~ nodes ~ ') as given union distinct select l, l from ' ~ links ~ ' union distinct select r, r from ' ~ links) -%}
    {%- for round in range(64) if run_number.open -%}
        {%- do rebuild_temporary('cc_hooks', 'select node, min(neighbour) as parent from (select l as node, r as neighbour from ' ~ links ~ ' union all select r, l from ' ~ links ~ ' union all select l, l from ' ~ links ~ ' union all select r, r from ' ~ links ~ ') as both_ways group by node') -%}
        {%- set jumping = namespace(open=true) -%}
        {%- for jump in range(64) if jumping.open -%}
            {%- do rebuild_temporary('cc_jumped', 'select near.node, far.parent from ' ~ hooks ~ ' as near inner join ' ~ hooks ~ ' as far on near.parent = far.node') -%}
            {%- set moved = run_query('select count(*) as moved from ' ~ jumped ~ ' as after inner join ' ~ hooks ~ ' as before on after.node = before.node where after.parent <> before.parent').columns[0].values()[0] -%}
            {%- do rebuild_temporary('cc_hooks', 'select * from ' ~ jumped) -%}
            {%- if moved == 0 -%}{%- set jumping.open = false -%}{%- endif -%}
        {%- endfor -%}
        {%- do rebuild_temporary('cc_relabelled', 'select known.node, coalesce(found.parent, known.root) as root from ' ~ labels ~ ' as known left join ' ~ hooks ~ ' as found on known.root = found.node') -%}
        {%- do rebuild_temporary('cc_labels', 'select * from ' ~ kept_name('cc_relabelled')) -%}
        {%- do rebuild_temporary('cc_rewritten', 'select distinct near.parent as l, far.parent as r from ' ~ links ~ ' as link inner join ' ~ hooks ~ ' as near on link.l = near.node inner join ' ~ hooks ~ ' as far on link.r = far.node where near.parent <> far.parent') -%}
        {%- do rebuild_temporary('cc_edges', 'select * from ' ~ kept_name('cc_rewritten')) -%}
        {%- set left = run_query('select count(*) as n from ' ~ links).columns[0].values()[0] -%}
        {%- if left == 0 -%}{%- set run_number.open = false -%}{%- endif -%}
    {%- endfor -%}
    {{ return(labels) }}
{%- endmacro %}
