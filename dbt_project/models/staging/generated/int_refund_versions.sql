-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

{%- set paths = [
    '$."refund_no"',
    '$."refunded_at"'
] %}

select
    'shop' as source,
    stream,
    row_key,
    landed_at,
    landing_number,
    {{ json_id('payload', 'fields', paths, 0) }} as refund_id,
    cast(null as {{ dbt.type_string() }}) as customer_id,
    {{ as_utc(json_field('fields', paths, 1), 'UTC') }} as refunded_at,
    'user_id' as id_type
from (
    select
        *,
        {{ json_fields('payload', paths) }} as fields
    from {{ source('raw', 'shop') }}
    where stream = 'refunds' and not is_deleted
) as parsed
