{{ config(materialized='view', contract={'enforced': true}) }}

with candidates as (

    select * from {{ ref('int_match_candidates') }}
    where decision = 'review'

),

identifiers as (

    select * from {{ ref('dim_identifiers') }}

),

labels as (

    select * from {{ ref('int_identity_labels') }}
    where
        kind = 'split'
        and is_in_force

),

-- Whoever said that two people are two has decided on all that is likely of them.
parted as (

    select distinct
        least(one.profile_id, other.profile_id) as elder_profile_id,
        greatest(one.profile_id, other.profile_id) as younger_profile_id
    from labels
    inner join identifiers as one on labels.left_node = one.birth
    inner join identifiers as other on labels.right_node = other.birth

)

select
    candidates.matching_model,
    one.identifier_type as left_type,
    one.identifier_value as left_value,
    other.identifier_type as right_type,
    other.identifier_value as right_value,
    one.profile_id as left_profile_id,
    other.profile_id as right_profile_id,
    candidates.left_node,
    candidates.right_node,
    candidates.probability,
    candidates.match_weight,
    candidates.waterfall
from candidates
inner join identifiers as one on candidates.left_node = one.birth
inner join identifiers as other on candidates.right_node = other.birth
left join parted
    on
        least(one.profile_id, other.profile_id) = parted.elder_profile_id
        and greatest(one.profile_id, other.profile_id) = parted.younger_profile_id
where
    one.profile_id <> other.profile_id
    and parted.elder_profile_id is null
