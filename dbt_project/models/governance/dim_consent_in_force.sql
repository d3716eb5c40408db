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

-- A refusal that names no purpose is of every purpose that the person has decided on; a grant that
-- names none grants nothing.
purposes as (

    select distinct
        profile_id,
        purpose
    from ledger
    where purpose is not null

),

decisions as (

    select
        ledger.profile_id,
        coalesce(ledger.purpose, purposes.purpose) as purpose,
        coalesce(ledger.state = 'granted', false) as grants,
        ledger.state,
        ledger.decided_at,
        ledger.valid_until,
        ledger.source,
        ledger.consent_id,
        ledger.landed_at
    from ledger
    left join purposes
        on
            ledger.purpose is null
            and ledger.profile_id = purposes.profile_id
    where ledger.purpose is not null or coalesce(ledger.state, '') <> 'granted'

),

timed as (

    select
        decisions.*,
        current_run.as_of,
        -- Nobody decides ahead: what bears a time that was still to come when it landed is taken to
        -- be of its landing, and so is a refusal without a time. No bad clock keeps a grant in force.
        case
            when decisions.decided_at <= decisions.landed_at then decisions.decided_at
            when decisions.grants then decisions.landed_at
            else least(decisions.landed_at, current_run.as_of)
        end as counts_from
    from decisions
    cross join current_run
    where decisions.purpose is not null

),

decided as (

    select
        timed.*,
        -- Of two decisions at one moment the refusal counts: consent never fails open.
        row_number() over (
            partition by timed.profile_id, timed.purpose
            order by
                timed.counts_from desc nulls last,
                case when timed.grants then 1 else 0 end,
                timed.landed_at desc,
                timed.consent_id
        ) as nth
    from timed
    where
        timed.counts_from <= timed.as_of
        -- A grant allows nothing before its own time.
        and (not timed.grants or timed.decided_at <= timed.as_of)

)

select
    profile_id,
    purpose,
    grants and (valid_until is null or valid_until > as_of) as is_granted,
    state,
    decided_at,
    valid_until,
    source,
    consent_id
from decided
where nth = 1
