{{ config(materialized='table', contract={'enforced': true}) }}
-- Who owned what changes is written down before it does.
-- depends_on: {{ ref('int_changed_owners') }}

with current_run as (

    select * from {{ ref('int_current_run') }}

),

-- Refunds that name a customer but no order; the others are part of their order.
refunds as (

    select * from {{ ref('int_refunds') }}
    where order_id is null and not is_deleted

),

customers as (

    select * from {{ ref('int_owning_identifiers') }}

),

identifiers as (

    select * from {{ ref('dim_identifiers') }}

),

rates as (

    select * from {{ ref('int_exchange_rates') }}

)

select
    {{ text_key(['refunds.source', 'refunds.refund_id']) }} as refund_key,
    refunds.source,
    refunds.refund_id,
    identifiers.profile_id,
    refunds.refunded_at,
    coalesce(refunds.currency, current_run.base_currency) as currency,
    refunds.amount,
    {{ in_base('refunds.amount') }} as amount_base,
    refunds.landing_number
from refunds
cross join current_run
left join customers
    on refunds.id_type = customers.identifier_type and refunds.customer_id = customers.raw_value
left join identifiers on customers.node = identifiers.birth
left join rates
    on
        coalesce(refunds.currency, current_run.base_currency) = rates.currency
        and cast(refunds.refunded_at as date) >= rates.valid_from
        and cast(refunds.refunded_at as date) < rates.valid_to
