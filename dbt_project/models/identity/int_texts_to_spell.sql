{#- Texts that SQL does not spell alike on every engine. Births come run by run; what stands in seeds
    changes with the rules only, when all is built anew. -#}
{{ config(materialized='view') }}

with births as (

    select * from {{ ref('identifier_births') }}

),

blocked as (

    select * from {{ ref('blocked_values') }}
    where value is not null

),

labels as (

    select * from {{ ref('identity_labels') }}

),

types as (

    select * from {{ ref('identifier_types') }}

),

told as (

    select
        identifier_type,
        raw_value,
        run_number
    from births
    {%- for side in ('left', 'right') %}

    union all

    select
        {{ trimmed(side ~ '_type') }} as identifier_type,
        {{ trimmed(side ~ '_value') }} as raw_value,
        0 as run_number
    from labels
    where {{ side }}_value is not null
    {%- endfor %}

),

ruled as (

    select
        {{ normaliser_of('told.identifier_type') }} as normaliser,
        told.raw_value,
        told.run_number
    from told
    left join types on told.identifier_type = types.identifier_type
    left join types as any_type on any_type.identifier_type = '*'

    union all

    -- Names are blocked in whatever scope.
    select
        {{ rule_of_type('normaliser') }} as normaliser,
        blocked.value as raw_value,
        0 as run_number
    from blocked
    left join types on blocked.identifier_type = types.identifier_type
    left join types as any_type on any_type.identifier_type = '*'
    where blocked.identifier_type <> '*'

    union all

    -- What is blocked for every type has a spelling by each.
    select
        types.normaliser,
        blocked.value as raw_value,
        0 as run_number
    from blocked
    cross join types
    where blocked.identifier_type = '*'

)

select
    normaliser,
    raw_value,
    run_number
from ruled
where {{ is_spelled_by_code('normaliser') }}
