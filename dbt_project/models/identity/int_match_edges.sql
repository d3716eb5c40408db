{{ config(materialized='table') }}

with candidates as (

    select * from {{ ref('int_match_candidates') }}
    where decision in ('accept', 'withdrawn')

),

edges as (

    select * from {{ ref('fct_identity_edges') }}
    where blocked_by is null

),

-- Of several models, the one that is surest speaks for a pair.
ranked as (

    select
        candidates.*,
        row_number() over (
            partition by candidates.left_node, candidates.right_node
            order by
                case when candidates.decision = 'accept' then 0 else 1 end,
                candidates.probability desc,
                candidates.matching_model,
                candidates.candidate_key
        ) as nth,
        max(candidates.last_landing_number) over (
            partition by candidates.left_node, candidates.right_node
        ) as newest_landing_number
    from candidates

),

pairs as (

    select
        {{ text_key(['left_node', 'right_node']) }} as edge_key,
        ranked.*
    from ranked
    where ranked.nth = 1

),

-- What a row has told itself needs no likelihood.
told as (

    select edges.edge_key
    from edges
    where edges.edge_key in (select pairs.edge_key from pairs)

)

select
    pairs.left_node,
    pairs.right_node,
    -- Weaker than anything that was seen, whatever its types; what is surest is lost last.
    1000000 + cast(floor((1 - pairs.probability) * 100) as {{ dbt.type_int() }}) as weakness,
    'match:' || pairs.matching_model as source,
    pairs.probability,
    pairs.decision = 'accept' as is_in_force,
    pairs.newest_landing_number as last_landing_number
from pairs
left join told on pairs.edge_key = told.edge_key
where told.edge_key is null
