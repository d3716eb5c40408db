{{ config(materialized='table', tags=['change_set']) }}

with former_orders as (

    select
        order_key,
        profile_id
    from {{ former_state('profiles', 'fct_orders', {
        'order_key': dbt.type_string(), 'profile_id': dbt.type_bigint()
    }) }} as former

),

former_refunds as (

    select
        source,
        refund_id,
        profile_id
    from {{ former_state('profiles', 'fct_loose_refunds', {
        'source': dbt.type_string(), 'refund_id': dbt.type_string(), 'profile_id': dbt.type_bigint()
    }) }} as former

),

changed_orders as (

    select order_key from {{ ref('int_changed_orders') }}

),

changed_refunds as (

    {{ changed_refunds() }}

),

unpublished as (

    {{ changed_by_unpublished_runs({'profile_id': dbt.type_bigint()}) }}

),

together as (

    select former_orders.profile_id
    from former_orders
    inner join changed_orders on former_orders.order_key = changed_orders.order_key

    union distinct

    select former_refunds.profile_id
    from former_refunds
    inner join changed_refunds
        on former_refunds.source = changed_refunds.source and former_refunds.refund_id = changed_refunds.refund_id

    union distinct

    select profile_id from unpublished

)

select
    profile_id,
    {{ run_value('run_number') }} as run_number
from together
where profile_id is not null
