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
