-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

select
    source,
    stream,
    row_key,
    is_deleted,
    landed_at,
    landing_number,
    product_id,
    name,
    category,
    brand,
    price,
    currency,
    updated_at,
    deleted_at,
    'user_id' as id_type
from {{ ref('stg_shop__products') }}
