{{ config(materialized='table', tags=['change_set']) }}

with profiles as (

    select
        profile_id,
        next_change_at
    from {{ former_state('profiles', 'int_profile_orders', {
        'profile_id': dbt.type_bigint(), 'next_change_at': dbt.type_timestamp()
    }) }} as former

),

births as (

    select * from {{ ref('int_changed_births') }}

),

orders as (

    select orders.profile_id
    from {{ ref('fct_orders') }} as orders
    inner join {{ ref('int_changed_orders') }} as changed on orders.order_key = changed.order_key

),

refunds as (

    select profile_id
    from {{ ref('fct_loose_refunds') }}
    where landing_number > {{ run_value('published_landing_high_water') }}

),

refunds_passed_on as (

    select distinct loose.profile_id
    from {{ ref('fct_loose_refunds') }} as loose
    inner join {{ ref('int_refunds') }} as refunds
        on loose.source = refunds.source and loose.refund_id = refunds.refund_id
    inner join {{ ref('int_changed_verdicts') }} as changed
        on refunds.id_type = changed.identifier_type and refunds.customer_id = changed.raw_value

),

due as (

    select profiles.profile_id
    from profiles
    cross join {{ ref('int_current_run') }} as current_run
    where profiles.next_change_at <= current_run.as_of or current_run.everything_changed

),

unpublished as (

    {{ changed_by_unpublished_runs({'profile_id': dbt.type_bigint()}) }}

),

together as (

    select profile_id from births
    union distinct
    select profile_before from births
    union distinct
    select profile_id from orders
    union distinct
    select profile_id from refunds
    union distinct
    select profile_id from refunds_passed_on
    union distinct
    select former_owners.profile_id from {{ ref('int_changed_owners') }} as former_owners
    union distinct
    select profile_id from due
    union distinct
    select profile_id from unpublished

)

select
    profile_id,
    {{ run_value('run_number') }} as run_number
from together
where profile_id is not null
