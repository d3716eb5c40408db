{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='node'
) }}

-- depends_on: {{ ref('fct_identity_edges') }}
-- depends_on: {{ ref('int_current_run') }}
{% set edges -%}
    {%- if is_incremental() -%}
    {#- Contracted: new edges between the components that were there, so that the cost follows the
        edges that are new. -#}
    select
        coalesce(one.component_id, edges.left_node) as left_node,
        coalesce(other.component_id, edges.right_node) as right_node
    from {{ ref('fct_identity_edges') }} as edges
    left join {{ this }} as one on edges.left_node = one.node
    left join {{ this }} as other on edges.right_node = other.node
    where
        edges.blocked_by is null
        and edges.known_landing_number > {{ run_value('published_landing_high_water') }}
    {%- else -%}
    select edges.left_node, edges.right_node from {{ ref('fct_identity_edges') }} as edges
    where edges.blocked_by is null
    {%- endif -%}
{%- endset %}
{%- set solved = connected_components(edges) %}

with nodes as (

    select distinct node from {{ ref('int_identifier_values') }}
    where not is_blocked and birth = node
    {%- if is_incremental() %}
    and birth > (select coalesce(max(known.node), 0) from {{ this }} as known)
    {%- endif %}

),

solved as (

    select * from {{ solved }}

),

labelled as (

    select
        nodes.node,
        nodes.node as component_id
    from nodes

    {% if is_incremental() -%}
    union all

    select
        known.node,
        known.component_id
    from {{ this }} as known
    where known.component_id in (select solved.node from solved where solved.node <> solved.root)
    {%- endif %}

)

select
    labelled.node,
    coalesce(solved.root, labelled.component_id) as component_id
from labelled
left join solved on labelled.component_id = solved.node
