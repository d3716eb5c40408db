{{ config(materialized='table', tags=['change_set']) }}

with profiles as (

    select
        profile_id,
        next_change_at
    from {{ former_state('profiles', 'dim_profiles', {
        'profile_id': dbt.type_bigint(), 'next_change_at': dbt.type_timestamp()
    }) }} as former

),

verdicts as (

    select
        profile_id,
        next_flip_at
    from {{ former_state('segments', 'int_segment_verdicts', {
        'profile_id': dbt.type_bigint(), 'next_flip_at': dbt.type_timestamp()
    }) }} as former

),

current_run as (

    select * from {{ ref('int_current_run') }}

),

births as (

    select * from {{ ref('int_changed_births') }}

),

events_landed as (

    select distinct profile_id
    from {{ ref('fct_events') }}
    where landing_number > {{ run_value('published_landing_high_water') }}

),

-- A late event cuts the sessions of its device anew, whoever's they are.
sessions_cut as (

    select distinct events.profile_id
    from {{ ref('fct_events') }} as events
    inner join {{ ref('int_changed_visitors') }} as changed on events.visitor_birth = changed.visitor_birth

),

-- What proved to be nobody's passed its events on.
events_left as (

    select distinct profile_before as profile_id
    from {{ ref('int_reanchored_events') }}

),

former_owners as (

    select profile_id from {{ ref('int_changed_owners') }}

),

orders_changed as (

    select distinct orders.profile_id
    from {{ ref('fct_orders') }} as orders
    inner join {{ ref('int_changed_orders') }} as changed on orders.order_key = changed.order_key

),

changed_refunds as (

    {{ changed_refunds() }}

),

refunds as (

    select distinct loose.profile_id
    from {{ ref('fct_loose_refunds') }} as loose
    inner join changed_refunds
        on loose.source = changed_refunds.source and loose.refund_id = changed_refunds.refund_id

),

contacts_landed as (

    select distinct identifiers.profile_id
    from {{ ref('int_contacts') }} as contacts
    inner join {{ ref('int_identifier_values') }} as known
        on contacts.id_type = known.identifier_type and contacts.contact_id = known.raw_value
    inner join {{ ref('dim_identifiers') }} as identifiers on known.node = identifiers.birth
    where contacts.landing_number > {{ run_value('published_landing_high_water') }}

),

-- Categories are joined to lines when profiles are built, so a product that changed reaches those
-- who bought it.
products_landed as (

    select distinct orders.profile_id
    from {{ ref('int_products') }} as products
    inner join {{ ref('int_order_lines') }} as lines
        on products.source = lines.source and products.product_id = lines.product_id
    inner join {{ ref('fct_orders') }} as orders
        on lines.source = orders.source and lines.order_id = orders.order_id
    where products.landing_number > {{ run_value('published_landing_high_water') }}

),

consents as (

    select * from {{ ref('int_consents') }}

),

-- A decision that landed, that is due or that has lapsed since.
consents_changed as (

    select
        consents.source,
        consents.consent_id
    from consents
    cross join current_run
    where
        consents.landing_number > current_run.published_landing_high_water
        or (consents.decided_at > current_run.previous_as_of and consents.decided_at <= current_run.as_of)
        or (consents.valid_until > current_run.previous_as_of and consents.valid_until <= current_run.as_of)

),

-- Everybody whom a version of the record has ever named: one that names somebody else now counts no
-- more for whom it was about before.
consenting as (

    select distinct identifiers.profile_id
    from consents_changed
    inner join {{ ref('int_consent_versions') }} as versions
        on
            consents_changed.source = versions.source
            and consents_changed.consent_id = versions.consent_id
    inner join {{ ref('int_identifier_values') }} as known
        on
            versions.subject_type = known.identifier_type
            and versions.subject_id = known.raw_value
    inner join {{ ref('dim_identifiers') }} as identifiers on known.node = identifiers.birth

),

everybody as (

    select profiles.profile_id
    from profiles
    cross join current_run
    where current_run.everything_changed

    union distinct

    select identifiers.profile_id
    from {{ ref('dim_identifiers') }} as identifiers
    cross join current_run
    where current_run.everything_changed

    union distinct

    -- A new fit moves the scores of everybody.
    select profiles.profile_id
    from profiles
    cross join current_run
    inner join {{ ref('rfm_cut_points') }} as refit
        on
            refit.run_number > current_run.previous_run_number
            and refit.dimension = 'recency'
            and refit.score = 1

),

due as (

    select profiles.profile_id
    from profiles
    cross join current_run
    where profiles.next_change_at <= current_run.as_of

),

flips_due as (

    select verdicts.profile_id
    from verdicts
    cross join current_run
    where verdicts.next_flip_at <= current_run.as_of

),

unpublished as (

    {{ changed_by_unpublished_runs({'profile_id': dbt.type_bigint()}) }}

),

together as (

    select profile_id from births
    union distinct
    select profile_before from births
    union distinct
    select profile_id from events_landed
    union distinct
    select profile_id from sessions_cut
    union distinct
    select profile_id from events_left
    union distinct
    select profile_id from former_owners
    union distinct
    select profile_id from orders_changed
    union distinct
    select profile_id from refunds
    union distinct
    select profile_id from contacts_landed
    union distinct
    select profile_id from products_landed
    union distinct
    select profile_id from consenting
    union distinct
    select profile_id from everybody
    union distinct
    select profile_id from due
    union distinct
    select profile_id from flips_due
    union distinct
    select profile_id from unpublished

)

select
    profile_id,
    {{ run_value('run_number') }} as run_number
from together
where profile_id is not null
