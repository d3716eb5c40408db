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

changed_refunds as (

    {{ changed_refunds() }}

),

refunds as (

    select distinct loose.profile_id
    from {{ ref('fct_loose_refunds') }} as loose
    inner join changed_refunds
        on loose.source = changed_refunds.source and loose.refund_id = changed_refunds.refund_id

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
