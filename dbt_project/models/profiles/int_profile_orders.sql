{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_changed_buyers',
    change_key='profile_id'
) }}

{%- set paid_back = is_paid_back('refunds.refunded_at') %}

with current_run as (

    select * from {{ ref('int_current_run') }}

),

orders as (

    select
        profile_id,
        ordered_at,
        amount_base,
        net_base,
        next_refund_at,
        is_counted
    from {{ ref('fct_orders') }}
    where not is_deleted and profile_id is not null and {{ in_change_set('profile_id', 'int_changed_buyers') }}

),

refunds as (

    select
        profile_id,
        refunded_at,
        amount_base
    from {{ ref('fct_loose_refunds') }}
    where profile_id is not null and {{ in_change_set('profile_id', 'int_changed_buyers') }}

),

ordered as (

    select
        orders.profile_id,
        -- A cancelled order is no purchase, but whoever placed it was seen.
        min(case when orders.ordered_at <= current_run.as_of then orders.ordered_at end) as first_ordered_at,
        max(case when orders.ordered_at <= current_run.as_of then orders.ordered_at end) as last_ordered_at,
        sum(case when orders.ordered_at <= current_run.as_of and orders.is_counted then 1 else 0 end) as order_count,
        sum(case when orders.ordered_at <= current_run.as_of and orders.is_counted then orders.amount_base end) as gross_base,
        sum(case when orders.ordered_at <= current_run.as_of and orders.is_counted then orders.net_base end) as net_base,
        min(case when orders.ordered_at <= current_run.as_of and orders.is_counted then orders.ordered_at end) as first_purchase_date,
        max(case when orders.ordered_at <= current_run.as_of and orders.is_counted then orders.ordered_at end) as last_purchase_date,
        min(case when orders.ordered_at > current_run.as_of then orders.ordered_at end) as next_order_at,
        min(orders.next_refund_at) as next_refund_at
    from orders
    cross join current_run
    group by orders.profile_id

),

refunded as (

    select
        refunds.profile_id,
        -- What a refund without a rate pays back is not known, and so not what is left.
        case
            when
                count(case when {{ paid_back }} then 1 end)
                = count(case when {{ paid_back }} then refunds.amount_base end)
                then coalesce(sum(case when {{ paid_back }} then refunds.amount_base end), 0)
        end as refunded_base,
        min(case when refunds.refunded_at > current_run.as_of then refunds.refunded_at end) as next_refund_at
    from refunds
    cross join current_run
    group by refunds.profile_id

)

select
    coalesce(ordered.profile_id, refunded.profile_id) as profile_id,
    cast(coalesce(ordered.order_count, 0) as {{ dbt.type_bigint() }}) as order_count,
    cast(coalesce(ordered.gross_base, 0) as decimal(18, 4)) as gross_spent,
    cast(
        coalesce(ordered.net_base, 0)
        - case when refunded.profile_id is null then 0 else refunded.refunded_base end
        as decimal(18, 4)
    ) as total_spent,
    ordered.first_ordered_at,
    ordered.last_ordered_at,
    ordered.first_purchase_date,
    ordered.last_purchase_date,
    {{ earliest(['ordered.next_order_at', 'ordered.next_refund_at', 'refunded.next_refund_at']) }} as next_change_at
from ordered
full outer join refunded on ordered.profile_id = refunded.profile_id
