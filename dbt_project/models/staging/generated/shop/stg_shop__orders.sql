-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['source', 'order_id']) }}

{%- set paths = [
    '$."order_no"',
    '$."customer_no"',
    '$."device_id"',
    '$."contact_email"',
    '$."contact_phone"',
    '$."state"',
    '$."placed_at"',
    '$."updated_at"',
    '$."currency_code"',
    '$."grand_total"',
    '$."discount"',
    '$."tax"',
    '$."shipping"',
    '$."sales_channel"',
    '$."ship_country"',
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
    where stream = 'orders'
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
        {{ json_id('payload', 'fields', paths, 1) }} as customer_id,
        {{ json_id('payload', 'fields', paths, 2) }} as anonymous_id,
        {{ json_id('payload', 'fields', paths, 3) }} as email,
        {{ json_id('payload', 'fields', paths, 4) }} as phone,
        {{ try_cast_to(or_null('case ' ~ json_field('fields', paths, 5) ~ ' when \'CANCELED\' then \'cancelled\' else lower(' ~ json_field('fields', paths, 5) ~ ') end', 'fields'), 'varchar') }} as status,
        {{ as_utc(json_field('fields', paths, 6), 'UTC') }} as ordered_at,
        {{ as_utc(json_field('fields', paths, 7), 'UTC') }} as updated_at,
        {{ as_type(json_field('fields', paths, 8), 'varchar') }} as currency,
        {{ as_type(json_field('fields', paths, 9), 'decimal(18,4)') }} as total_amount,
        {{ as_type(json_field('fields', paths, 10), 'decimal(18,4)') }} as discount_amount,
        {{ as_type(json_field('fields', paths, 11), 'decimal(18,4)') }} as tax_amount,
        {{ as_type(json_field('fields', paths, 12), 'decimal(18,4)') }} as shipping_amount,
        {{ as_type(json_field('fields', paths, 13), 'varchar') }} as channel,
        {{ as_type(json_field('fields', paths, 14), 'varchar') }} as country,
        {{ as_utc(json_field('fields', paths, 15), 'UTC') }} as deleted_at
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
        known.customer_id,
        known.anonymous_id,
        known.email,
        known.phone,
        known.status,
        known.ordered_at,
        known.updated_at,
        known.currency,
        known.total_amount,
        known.discount_amount,
        known.tax_amount,
        known.shipping_amount,
        known.channel,
        known.country,
        known.deleted_at
    from {{ this }} as known
    where exists (select 1 from typed where known.source = typed.source and known.order_id = typed.order_id)
    {%- endif %}

),

-- A comparison of keys that found the row gone counts until the row lands again.
gone as (

    select
        source,
        order_id,
        max(case when is_tombstone then landing_number else 0 end) as gone_at
    from versions
    group by source, order_id

),

ranked as (

    select
        versions.*,
        row_number() over (
            partition by versions.source, versions.order_id
            order by
                case when versions.is_tombstone then 1 else 0 end,
                versions.updated_at desc nulls last,
                versions.landing_number desc
        ) as nth
    from versions
    inner join gone
        on gone.source = versions.source
        and gone.order_id = versions.order_id
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
    deleted_at
from latest
