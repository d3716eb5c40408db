{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_changed_orders',
    change_key='order_key',
    partition_by=parted_by('ordered_at'),
    cluster_by=looked_up_by(['order_key']),
    file_size=files_of(64),
    contract={'enforced': true}
) }}
-- Who owned what changes is written down before it does.
-- depends_on: {{ ref('int_changed_owners') }}

{%- set slots = order_slots('orders') %}
{%- set paid_back = is_paid_back('refunds.refunded_at') %}
{#- An order that is called refunded has been paid back whole, also where no refund says so. -#}
{%- set refunded -%}
    case
        when converted_refunds.order_key is not null then converted_refunds.refunded_base
        when anchored.status = 'refunded' then {{ in_base('anchored.total_amount') }}
        else 0
    end
{%- endset %}

with current_run as (

    select * from {{ ref('int_current_run') }}

),

orders as (

    select
        {{ text_key(['source', 'order_id']) }} as order_key,
        *
    from {{ ref('int_orders') }}
    where {{ of_changed_orders('int_orders') }}

),

lines as (

    select
        {{ text_key(['source', 'order_id']) }} as order_key,
        coalesce(
            line_amount,
            cast(quantity as decimal(19, 4)) * unit_price - coalesce(discount_amount, 0)
        ) as line_amount
    from {{ ref('int_order_lines') }}
    where
        not is_deleted
        and {{ of_changed_orders('int_order_lines') }}

),

refunds as (

    select
        {{ text_key(['source', 'order_id']) }} as order_key,
        amount,
        currency,
        refunded_at
    from {{ ref('int_refunds') }}
    where
        not is_deleted
        and order_id is not null
        and {{ of_changed_orders('int_refunds') }}

),

rates as (

    select * from {{ ref('int_exchange_rates') }}

),

identifiers as (

    select * from {{ ref('dim_identifiers') }}

),

owning as (

    select * from {{ ref('int_owning_identifiers') }}

),

line_totals as (

    select
        order_key,
        sum(line_amount) as lines_amount
    from lines
    group by order_key

),

anchored as (

    select
        orders.order_key,
        orders.source,
        orders.order_id,
        {{ anchor_birth(slots) }} as anchor_birth,
        orders.status,
        orders.ordered_at,
        coalesce(orders.currency, current_run.base_currency) as currency,
        {{ try_cast_to('coalesce(orders.total_amount, line_totals.lines_amount, 0)', 'decimal(18, 4)') }} as total_amount,
        orders.channel,
        orders.country,
        orders.email,
        orders.phone,
        orders.is_deleted,
        orders.landing_number
    from orders
    cross join current_run
    left join line_totals on orders.order_key = line_totals.order_key
    {{ anchor_joins(slots, 'owning') }}

),

-- Both the order and what is paid back on it convert at the day of the order.
converted_refunds as (

    select
        refunds.order_key,
        -- What a refund without a rate pays back is not known, and so not what is left.
        case
            when
                count(case when {{ paid_back }} then 1 end)
                = count(case when {{ paid_back }} then {{ in_base('refunds.amount') }} end)
                then coalesce(
                    sum(
                        case
                            when {{ paid_back }}
                                then {{ in_base('refunds.amount') }}
                        end
                    ),
                    0
                )
        end as refunded_base,
        min(case when refunds.refunded_at > current_run.as_of then refunds.refunded_at end) as next_refund_at
    from refunds
    cross join current_run
    inner join anchored on refunds.order_key = anchored.order_key
    left join rates
        on
            coalesce(refunds.currency, anchored.currency) = rates.currency
            and cast(anchored.ordered_at as date) >= rates.valid_from
            and cast(anchored.ordered_at as date) < rates.valid_to
    group by refunds.order_key

)

select
    anchored.order_key,
    anchored.source,
    anchored.order_id,
    identifiers.profile_id,
    anchored.anchor_birth,
    anchored.status,
    anchored.ordered_at,
    anchored.currency,
    anchored.total_amount,
    {{ in_base('anchored.total_amount') }} as amount_base,
    {{ try_cast_to(refunded, 'decimal(18, 4)') }} as refunded_base,
    {{ try_cast_to(in_base('anchored.total_amount') ~ ' - ' ~ refunded, 'decimal(18, 4)') }} as net_base,
    converted_refunds.next_refund_at,
    coalesce(anchored.status, 'placed') <> 'cancelled' and not anchored.is_deleted as is_counted,
    anchored.is_deleted,
    anchored.channel,
    anchored.country,
    anchored.email,
    anchored.phone,
    anchored.landing_number
from anchored
left join converted_refunds on anchored.order_key = converted_refunds.order_key
left join identifiers on anchored.anchor_birth = identifiers.birth
left join rates
    on
        anchored.currency = rates.currency
        and cast(anchored.ordered_at as date) >= rates.valid_from
        and cast(anchored.ordered_at as date) < rates.valid_to
