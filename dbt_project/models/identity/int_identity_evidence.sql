{{ config(materialized='view') }}

with conflicts as (

    select * from {{ ref('int_identity_conflicts') }}

),

components as (

    select * from {{ ref('int_identity_components') }}

),

edges as (

    select * from {{ ref('fct_identity_edges') }}
    where blocked_by is null

),

matches as (

    select * from {{ ref('int_match_edges') }}
    where is_in_force

),

names as (

    select * from {{ ref('int_identifier_names') }}

),

labels as (

    select * from {{ ref('int_identity_labels') }}
    where is_in_force

)

select
    components.component_id,
    'seen' as kind,
    edges.left_node,
    edges.right_node,
    edges.weakness,
    edges.is_asserted,
    edges.first_occurred_at,
    cast(null as {{ dbt.type_bigint() }}) as label_number,
    cast(null as {{ dbt.type_string() }}) as given_name,
    cast(null as {{ dbt.type_string() }}) as surname
from edges
inner join components on edges.left_node = components.node
inner join conflicts on components.component_id = conflicts.component_id

union all

-- Nobody has seen these two together, so no moment tells when.
select
    components.component_id,
    'likely' as kind,
    matches.left_node,
    matches.right_node,
    matches.weakness,
    false as is_asserted,
    cast(null as {{ dbt.type_timestamp() }}) as first_occurred_at,
    cast(null as {{ dbt.type_bigint() }}) as label_number,
    cast(null as {{ dbt.type_string() }}) as given_name,
    cast(null as {{ dbt.type_string() }}) as surname
from matches
inner join components on matches.left_node = components.node
inner join conflicts on components.component_id = conflicts.component_id

union all

select
    components.component_id,
    labels.kind,
    labels.left_node,
    labels.right_node,
    cast(null as {{ dbt.type_int() }}) as weakness,
    cast(null as boolean) as is_asserted,
    cast(null as {{ dbt.type_timestamp() }}) as first_occurred_at,
    labels.label_number,
    cast(null as {{ dbt.type_string() }}) as given_name,
    cast(null as {{ dbt.type_string() }}) as surname
from labels
inner join components on labels.left_node = components.node
inner join conflicts on components.component_id = conflicts.component_id
left join components as others on labels.right_node = others.node
-- A split of what nothing ties says nothing.
where labels.right_node is null or others.component_id = components.component_id

union all

select
    components.component_id,
    'name' as kind,
    names.node as left_node,
    cast(null as {{ dbt.type_bigint() }}) as right_node,
    cast(null as {{ dbt.type_int() }}) as weakness,
    cast(null as boolean) as is_asserted,
    cast(null as {{ dbt.type_timestamp() }}) as first_occurred_at,
    cast(null as {{ dbt.type_bigint() }}) as label_number,
    names.given_name,
    names.surname
from names
inner join components on names.node = components.node
inner join conflicts on components.component_id = conflicts.component_id
