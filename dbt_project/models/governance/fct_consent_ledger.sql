{{ config(materialized='view', tags=['profiles'], contract={'enforced': true}) }}

with consents as (

    select * from {{ ref('int_consents') }}
    -- A grant that its source has no more allows nothing; a refusal holds though its record is gone.
    where not is_deleted or coalesce(state, '') <> 'granted'

),

identifiers as (

    select
        known.identifier_type,
        known.raw_value,
        dim_identifiers.profile_id
    from {{ ref('int_identifier_values') }} as known
    inner join {{ ref('dim_identifiers') }} as dim_identifiers on known.node = dim_identifiers.birth
    where not known.is_blocked

)

select
    consents.source,
    consents.consent_id,
    identifiers.profile_id,
    consents.purpose,
    consents.state,
    consents.decided_at,
    consents.valid_until,
    consents.jurisdiction,
    consents.notice_version,
    consents.method,
    consents.landed_at
from consents
left join identifiers
    on consents.subject_type = identifiers.identifier_type and consents.subject_id = identifiers.raw_value
