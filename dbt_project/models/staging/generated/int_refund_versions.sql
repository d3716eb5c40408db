-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

{%- set paths = [
    '$."refunded_at"'
] %}

select
    'shop' as source,
    stream,
    row_key,
    landed_at,
    landing_number,
    cast(null as varchar) as customer_id,
    {{ as_utc(json_field('fields', paths, 0), 'UTC') }} as refunded_at,
    'user_id' as id_type
from (
    select
        *,
        {{ json_fields('payload', paths) }} as fields
    from {{ source('raw', 'shop') }}
    where stream = 'refunds' and not is_deleted
) as parsed
