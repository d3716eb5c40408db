{{ config(materialized='view') }}

with blocked as (

    select * from {{ ref('blocked_values') }}
    where value is not null

),

types as (

    select * from {{ ref('identifier_types') }}

),

spellings as (

    select * from {{ ref('int_identifier_spellings') }}

),

normalisers as (

    select distinct normaliser from types

),

ruled as (

    select
        blocked.identifier_type,
        blocked.value,
        -- Names in whatever scope.
        {{ rule_of_type('normaliser') }} as normaliser
    from blocked
    left join types on blocked.identifier_type = types.identifier_type
    left join types as any_type on any_type.identifier_type = '*'
    where blocked.identifier_type <> '*'

    union all

    select
        blocked.identifier_type,
        blocked.value,
        normalisers.normaliser
    from blocked
    cross join normalisers
    where blocked.identifier_type = '*'

),

-- Compared as the values of a type are: in its spelling.
spelled as (

    select
        ruled.identifier_type,
        ruled.normaliser,
        {{ spelled('ruled.normaliser', 'ruled.value', 'spellings.identifier_value') }} as identifier_value
    from ruled
    left join spellings
        on ruled.normaliser = spellings.normaliser and ruled.value = spellings.raw_value

)

select distinct
    identifier_type,
    normaliser,
    identifier_value
from spelled
where identifier_value is not null
