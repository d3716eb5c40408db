{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_changed_profiles',
    change_key='profile_id',
    tags=['profiles'],
    contract={'enforced': true}
) }}

with ledger as (

    select * from {{ ref('fct_consent_ledger') }}
    where profile_id is not null and {{ in_change_set('profile_id', 'int_changed_profiles') }}

),

current_run as (

    select * from {{ ref('int_current_run') }}

),

decided as (

    select
        ledger.*,
        current_run.as_of,
        -- Of two decisions at one moment the refusal counts: consent never fails open.
        row_number() over (
            partition by ledger.profile_id, ledger.purpose
            order by
                ledger.decided_at desc,
                case when ledger.state = 'granted' then 1 else 0 end,
                ledger.landed_at desc,
                ledger.consent_id
        ) as nth
    from ledger
    cross join current_run
    where ledger.decided_at <= current_run.as_of

)

select
    profile_id,
    purpose,
    state = 'granted' and (valid_until is null or valid_until > as_of) as is_granted,
    state,
    decided_at,
    valid_until,
    source,
    consent_id
from decided
where nth = 1
