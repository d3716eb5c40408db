{{ config(materialized='table', tags=['change_set']) }}

with current_run as (

    select * from {{ ref('int_current_run') }}

),

components as (

    select * from {{ ref('int_identity_components') }}

),

edges as (

    select * from {{ ref('fct_identity_edges') }}

),

matches as (

    select * from {{ ref('int_match_edges') }}

),

births as (

    select * from {{ ref('identifier_births') }}

),

identifiers as (

    select * from {{ ref('int_identifier_values') }}

),

names as (

    select * from {{ ref('int_identifier_names') }}

),

labels as (

    select * from {{ ref('int_identity_labels') }}
    where is_news

),

-- Everything that landed since the last published run, so that a killed run is simply repeated.
touched_nodes as (

    select edges.left_node as node
    from edges
    cross join current_run
    where
        edges.blocked_by is null
        and (
            edges.last_landing_number > current_run.published_landing_high_water
            or current_run.everything_changed
        )

    union distinct

    {% for end in ['left_node', 'right_node'] -%}
    select matches.{{ end }} as node
    from matches
    cross join current_run
    where
        matches.last_landing_number > current_run.published_landing_high_water
        or current_run.everything_changed

    union distinct

    {% endfor -%}
    select identifiers.node
    from births
    inner join identifiers on births.birth = identifiers.birth
    cross join current_run
    where
        births.run_number > current_run.previous_run_number
        or current_run.everything_changed

    union distinct

    -- A name may tell several people apart, though it ties nobody.
    select names.node
    from names
    cross join current_run
    where
        names.first_landing_number > current_run.published_landing_high_water
        or current_run.everything_changed

    union distinct

    select labels.left_node as node from labels

    union distinct

    select labels.right_node as node from labels
    where labels.right_node is not null

),

touched_components as (

    select distinct components.component_id
    from components
    inner join touched_nodes on components.node = touched_nodes.node

)

select
    components.node as birth,
    components.component_id
from components
inner join touched_components on components.component_id = touched_components.component_id
