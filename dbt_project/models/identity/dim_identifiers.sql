{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_touched_identifiers',
    change_key='birth',
    cluster_by=looked_up_by(['birth']),
    file_size=files_of(64),
    contract={'enforced': true}
) }}

with touched as (

    select * from {{ ref('int_touched_identifiers') }}

),

identifiers as (

    select * from {{ ref('int_identifier_values') }}
    where birth = node

),

constrained as (

    select * from {{ ref('int_identity_constrained') }}
    where kind = 'member'

)

select
    identifiers.identifier_type,
    identifiers.identifier_value,
    identifiers.birth,
    touched.component_id,
    coalesce(constrained.profile_id, touched.component_id) as profile_id
from touched
inner join identifiers on touched.birth = identifiers.birth
left join constrained on touched.birth = constrained.birth
