{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='node'
) }}

-- depends_on: {{ ref('fct_identity_edges') }}
-- depends_on: {{ ref('int_identity_labels') }}
-- depends_on: {{ ref('int_match_edges') }}
-- depends_on: {{ ref('int_current_run') }}
{% set joins -%}
    select labels.left_node, labels.right_node from {{ ref('int_identity_labels') }} as labels
    where labels.kind = 'join' and labels.is_in_force
{%- endset %}
{%- set likely -%}
    select matches.left_node, matches.right_node from {{ ref('int_match_edges') }} as matches
    where matches.is_in_force
{%- endset %}
{#- Components that hung together by a label that was taken back, or by what is no longer likely: solved
    anew from all their edges. -#}
{%- set dissolved -%}
    select known.component_id from {{ this }} as known
    where known.node in (
        select labels.left_node from {{ ref('int_identity_labels') }} as labels
        where labels.kind = 'join' and not labels.is_in_force
        union all
        select matches.left_node from {{ ref('int_match_edges') }} as matches
        where
            not matches.is_in_force
            and matches.last_landing_number > {{ run_value('published_landing_high_water') }}
    )
{%- endset %}
{%- set edges -%}
    {%- if is_incremental() -%}
    {#- Contracted: new edges between the components that were there, so that the cost follows the
        edges that are new. -#}
    with dissolved as (
        {{ dissolved }}
    ),

    standing as (
        select known.* from {{ this }} as known
        where known.component_id not in (select dissolved.component_id from dissolved)
    ),

    loose as (
        select known.node from {{ this }} as known
        where known.component_id in (select dissolved.component_id from dissolved)
    ),

    wanted as (
        select edges.left_node, edges.right_node from {{ ref('fct_identity_edges') }} as edges
        where
            edges.blocked_by is null
            and (
                edges.known_landing_number > {{ run_value('published_landing_high_water') }}
                or edges.left_node in (select loose.node from loose)
            )
        union all
        {{ likely }}
            and (
                matches.last_landing_number > {{ run_value('published_landing_high_water') }}
                or matches.left_node in (select loose.node from loose)
            )
        union all
        {{ joins }}
    )

    select
        coalesce(one.component_id, wanted.left_node) as left_node,
        coalesce(other.component_id, wanted.right_node) as right_node
    from wanted
    left join standing as one on wanted.left_node = one.node
    left join standing as other on wanted.right_node = other.node
    {%- else -%}
    select edges.left_node, edges.right_node from {{ ref('fct_identity_edges') }} as edges
    where edges.blocked_by is null
    union all
    {{ likely }}
    union all
    {{ joins }}
    {%- endif -%}
{%- endset %}
{%- set solved = connected_components(edges) %}

with nodes as (

    select node from {{ ref('int_identifier_values') }}
    where not is_blocked and birth = node
    {%- if is_incremental() %}
    and birth > (select coalesce(max(known.node), 0) from {{ this }} as known)
    {%- endif %}

),

solved as (

    select * from {{ solved }}

),

{%- if is_incremental() %}

dissolved as (

    {{ dissolved }}

),
{%- endif %}

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
    where
        known.component_id in (select solved.node from solved where solved.node <> solved.root)
        and known.component_id not in (select dissolved.component_id from dissolved)

    union all

    select
        known.node,
        known.node as component_id
    from {{ this }} as known
    where known.component_id in (select dissolved.component_id from dissolved)
    {%- endif %}

)

select
    labelled.node,
    coalesce(solved.root, labelled.component_id) as component_id
from labelled
left join solved on labelled.component_id = solved.node
