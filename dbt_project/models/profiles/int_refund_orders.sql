{{ config(materialized='table') }}
-- The change set compares with what this table held before, so it comes first.
-- depends_on: {{ ref('int_changed_orders') }}

with refunds as (

    select * from {{ ref('int_refunds') }}

)

select
    source,
    refund_id,
    order_id
from refunds
where order_id is not null and not is_deleted
