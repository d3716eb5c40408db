{{ config(materialized='view', contract={'enforced': true}) }}

with assignments as (

    select * from {{ ref('identity_assignments') }}
    where profile_id is not null

),

spellings as (

    select * from {{ ref('int_identifier_values') }}

),

served as (

    select * from {{ ref('dim_identifiers') }}

),

-- Rules may make a spelling of what was an identifier of its own.
identifiers as (

    select
        spellings.birth,
        served.profile_id
    from spellings
    inner join served on spellings.node = served.birth

),

-- An id is the birth of an identifier: where that belongs to, the id resolves to.
former as (

    select
        assignments.profile_id as former_id,
        min(assignments.changed_at) as first_known_at
    from assignments
    group by assignments.profile_id

),

-- Where it belongs to nobody any more, to where the earliest born of the others has gone.
others as (

    select
        assignments.profile_id as former_id,
        identifiers.profile_id,
        row_number() over (
            partition by assignments.profile_id order by identifiers.birth
        ) as nth
    from assignments
    inner join identifiers on assignments.birth = identifiers.birth

)

select
    former.former_id,
    coalesce(identifiers.profile_id, others.profile_id) as profile_id,
    former.first_known_at
from former
left join identifiers on former.former_id = identifiers.birth
left join others on former.former_id = others.former_id and others.nth = 1
