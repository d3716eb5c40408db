-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

select
    source,
    stream,
    row_key,
    is_deleted,
    landed_at,
    landing_number,
    order_id,
    customer_id,
    anonymous_id,
    email,
    phone,
    status,
    ordered_at,
    updated_at,
    currency,
    total_amount,
    discount_amount,
    tax_amount,
    shipping_amount,
    channel,
    country,
    deleted_at,
    'user_id' as id_type
from {{ ref('stg_shop__orders') }}
