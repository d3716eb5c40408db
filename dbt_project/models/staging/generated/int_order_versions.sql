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
    {{ as_type(json_field('fields', paths, 0), 'varchar') }} as customer_id,
    {{ as_type(json_field('fields', paths, 1), 'varchar') }} as anonymous_id,
    {{ as_type(json_field('fields', paths, 2), 'varchar') }} as email,
    {{ as_type(json_field('fields', paths, 3), 'varchar') }} as phone,
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
