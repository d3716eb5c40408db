-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['source', 'order_id', 'line_number']) }}

{%- set paths = [
    '$."order_no"',
    '$."line_no"',
    '$."sku"',
    '$."qty"',
    '$."unit_price"',
    '$."line_discount"',
    '$."line_total"',
    '$."updated_at"',
    '$."deleted_at"'
] %}

with landed as (

    select
        stream,
        row_key,
        position,
        occurred_at,
        received_at,
        payload,
        is_deleted,
        landed_at,
        landing_number
    from {{ source('raw', 'shop') }}
    where stream = 'order_lines'
    {%- if is_incremental() %}
        and landing_number > (
            select coalesce(max(known.landing_number), 0) from {{ this }} as known
        )
    {%- endif %}

),

parsed as (

    select
        *,
        {{ json_fields('payload', paths) }} as fields
    from landed

),

typed as (

    select
        'shop' as source,
        stream,
        row_key,
        is_deleted as is_tombstone,
        landed_at,
        landing_number,

        {{ json_id('payload', 'fields', paths, 0) }} as order_id,
        {{ json_id('payload', 'fields', paths, 1) }} as line_number,
        {{ json_id('payload', 'fields', paths, 2) }} as product_id,
        {{ as_type(json_field('fields', paths, 3), 'decimal(18,4)') }} as quantity,
        {{ as_type(json_field('fields', paths, 4), 'decimal(18,4)') }} as unit_price,
        {{ as_type(json_field('fields', paths, 5), 'decimal(18,4)') }} as discount_amount,
        {{ as_type(json_field('fields', paths, 6), 'decimal(18,4)') }} as line_amount,
        {{ as_utc(json_field('fields', paths, 7), 'UTC') }} as updated_at,
        {{ as_utc(json_field('fields', paths, 8), 'UTC') }} as deleted_at
    from parsed

),

versions as (

    select * from typed
    {%- if is_incremental() %}
    union all
    select
        known.source,
        known.stream,
        known.row_key,
        known.row_key like 'd:%' as is_tombstone,
        known.landed_at,
        known.landing_number,
        known.order_id,
        known.line_number,
        known.product_id,
        known.quantity,
        known.unit_price,
        known.discount_amount,
        known.line_amount,
        known.updated_at,
        known.deleted_at
    from {{ this }} as known
    where exists (select 1 from typed where known.source = typed.source and known.order_id = typed.order_id and known.line_number = typed.line_number)
    {%- endif %}

),

-- A comparison of keys that found the row gone counts until the row lands again.
gone as (

    select
        source,
        order_id,
        line_number,
        max(case when is_tombstone then landing_number else 0 end) as gone_at
    from versions
    group by source, order_id, line_number

),

ranked as (

    select
        versions.*,
        row_number() over (
            partition by versions.source, versions.order_id, versions.line_number
            order by
                case when versions.is_tombstone then 1 else 0 end,
                versions.updated_at desc nulls last,
                versions.landing_number desc
        ) as nth
    from versions
    inner join gone
        on gone.source = versions.source
        and gone.order_id = versions.order_id
        and gone.line_number = versions.line_number
    where versions.landing_number >= gone.gone_at

),

latest as (

    select
        source,
        stream,
        row_key,
        landed_at,
        landing_number,
        order_id,
        line_number,
        product_id,
        quantity,
        unit_price,
        discount_amount,
        line_amount,
        updated_at,
        deleted_at,
        is_tombstone or deleted_at is not null as is_deleted
    from ranked
    where nth = 1

)

select
    source,
    stream,
    row_key,
    is_deleted,
    landed_at,
    landing_number,
    order_id,
    line_number,
    product_id,
    quantity,
    unit_price,
    discount_amount,
    line_amount,
    updated_at,
    deleted_at
from latest
