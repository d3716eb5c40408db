{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='node'
) }}

-- depends_on: {{ ref('fct_identity_edges') }}
-- depends_on: {{ ref('int_identifier_values') }}
-- depends_on: {{ ref('int_identity_labels') }}
-- depends_on: {{ ref('int_match_edges') }}
{%- set nodes -%}
    select identifiers.node from {{ ref('int_identifier_values') }} as identifiers
    where
        not identifiers.is_blocked and identifiers.birth = identifiers.node
        {%- if is_incremental() %}
        and identifiers.birth > (select coalesce(max(known.node), 0) from {{ this }} as known)
        {%- endif %}
{%- endset %}
{%- set told -%}
    select edges.left_node, edges.right_node from {{ ref('fct_identity_edges') }} as edges
    where edges.blocked_by is null
{%- endset %}
{%- set likely -%}
    select matches.left_node, matches.right_node from {{ ref('int_match_edges') }} as matches
    where matches.is_in_force
{%- endset %}
{%- set joined -%}
    select labels.left_node, labels.right_node from {{ ref('int_identity_labels') }} as labels
    where labels.kind = 'join' and labels.is_in_force
{%- endset %}
{#- Components that hung together by a label that was taken back, or by what is no longer likely: solved
    anew from all their edges. -#}
{%- set dissolved -%}
    select distinct known.component_id from {{ this }} as known
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

    loose as (
        select known.node from {{ this }} as known
        where known.component_id in (select dissolved.component_id from dissolved)
    ),

    wanted as (
        {{ told }}
            and edges.known_landing_number > {{ run_value('published_landing_high_water') }}
        union all
        {{ told }}
            and edges.left_node in (select loose.node from loose)
        union all
        {{ likely }}
            and matches.last_landing_number > {{ run_value('published_landing_high_water') }}
        union all
        {{ likely }}
            and matches.left_node in (select loose.node from loose)
        union all
        {{ joined }}
    ),

    ends as (
        select wanted.left_node as node from wanted
        union distinct
        select wanted.right_node from wanted
    ),

    standing as (
        select
            known.node,
            known.component_id
        from {{ this }} as known
        where
            known.node in (select ends.node from ends)
            and known.component_id not in (select dissolved.component_id from dissolved)
    )

    select
        coalesce(one.component_id, wanted.left_node) as left_node,
        coalesce(other.component_id, wanted.right_node) as right_node
    from wanted
    left join standing as one on wanted.left_node = one.node
    left join standing as other on wanted.right_node = other.node
    {%- else -%}
    {{ told }}
    union all
    {{ likely }}
    union all
    {{ joined }}
    {%- endif -%}
{%- endset %}
{%- set components = connected_components(nodes, edges) %}

{% if not is_incremental() -%}
select
    solved.node,
    solved.root as component_id
from {{ components }} as solved
{%- else -%}
with solved as (

    select * from {{ components }} as found

),

known as (

    select * from {{ this }}

),

dissolved as (

    {{ dissolved }}

),

-- What a known component's members are now called after: one name, or each after what it hangs on.
changed as (

    select
        solved.node as component_id,
        solved.root
    from solved
    where
        solved.node <> solved.root
        and solved.node not in (select dissolved.component_id from dissolved)

    union all

    select
        dissolved.component_id,
        null as root
    from dissolved

),

members as (

    select
        known.node,
        changed.root
    from known
    inner join changed on known.component_id = changed.component_id

)

select
    solved.node,
    solved.root as component_id
from solved
where solved.node > (select coalesce(max(known.node), 0) from known)

union all

select
    members.node,
    coalesce(members.root, solved.root, members.node) as component_id
from members
left join solved on members.node = solved.node
{%- endif %}
