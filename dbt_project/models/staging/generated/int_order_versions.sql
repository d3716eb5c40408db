-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

{%- set paths = [
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
    {{ json_id('payload', 'fields', paths, 0) }} as customer_id,
    {{ json_id('payload', 'fields', paths, 1) }} as anonymous_id,
    {{ json_id('payload', 'fields', paths, 2) }} as email,
    {{ json_id('payload', 'fields', paths, 3) }} as phone,
    {{ as_type(json_field('fields', paths, 4), 'varchar') }} as country,
    {{ as_utc(json_field('fields', paths, 5), 'UTC') }} as ordered_at,
    'user_id' as id_type
from (
    select
        *,
        {{ json_fields('payload', paths) }} as fields
    from {{ source('raw', 'shop') }}
    where stream = 'orders' and not is_deleted
) as parsed
