-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

{%- set paths = [
    '$."order_no"',
    '$."customer_no"',
    '$."device_id"',
    '$."contact_email"',
    '$."contact_phone"',
    '$."ship_country"',
    '$."placed_at"'
] %}

select
    'shop' as source,
    stream,
    row_key,
    landed_at,
    landing_number,
    {{ json_id('payload', 'fields', paths, 0) }} as order_id,
    {{ json_id('payload', 'fields', paths, 1) }} as customer_id,
    {{ json_id('payload', 'fields', paths, 2) }} as anonymous_id,
    {{ json_id('payload', 'fields', paths, 3) }} as email,
    {{ json_id('payload', 'fields', paths, 4) }} as phone,
    {{ as_type(json_field('fields', paths, 5), 'varchar') }} as country,
    {{ as_utc(json_field('fields', paths, 6), 'UTC') }} as ordered_at,
    'user_id' as id_type
from (
    select
        *,
        {{ json_fields('payload', paths) }} as fields
    from {{ source('raw', 'shop') }}
    where stream = 'orders' and not is_deleted
) as parsed
