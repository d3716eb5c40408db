-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['source', 'refund_id']) }}

{%- set paths = [
    '$."refund_no"',
    '$."order_no"',
    '$."refunded_at"',
    '$."amount"',
    '$."currency_code"',
    '$."reason"',
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
    where stream = 'refunds'
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

        {{ json_id('payload', 'fields', paths, 0) }} as refund_id,
        {{ json_id('payload', 'fields', paths, 1) }} as order_id,
        cast(null as {{ dbt.type_string() }}) as customer_id,
        {{ as_utc(json_field('fields', paths, 2), 'UTC') }} as refunded_at,
        {{ as_type(json_field('fields', paths, 3), 'decimal(18,4)') }} as amount,
        {{ as_type(json_field('fields', paths, 4), 'varchar') }} as currency,
        {{ as_type(json_field('fields', paths, 5), 'varchar') }} as reason,
        {{ as_utc(json_field('fields', paths, 6), 'UTC') }} as updated_at,
        {{ as_utc(json_field('fields', paths, 7), 'UTC') }} as deleted_at
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
        known.refund_id,
        known.order_id,
        known.customer_id,
        known.refunded_at,
        known.amount,
        known.currency,
        known.reason,
        known.updated_at,
        known.deleted_at
    from {{ this }} as known
    where exists (select 1 from typed where known.source = typed.source and known.refund_id = typed.refund_id)
    {%- endif %}

),

-- A comparison of keys that found the row gone counts until the row lands again.
gone as (

    select
        source,
        refund_id,
        max(case when is_tombstone then landing_number else 0 end) as gone_at
    from versions
    group by source, refund_id

),

ranked as (

    select
        versions.*,
        row_number() over (
            partition by versions.source, versions.refund_id
            order by
                case when versions.is_tombstone then 1 else 0 end,
                versions.updated_at desc nulls last,
                versions.landing_number desc
        ) as nth
    from versions
    inner join gone
        on gone.source = versions.source
        and gone.refund_id = versions.refund_id
    where versions.landing_number >= gone.gone_at

),

latest as (

    select
        source,
        stream,
        row_key,
        landed_at,
        landing_number,
        refund_id,
        order_id,
        customer_id,
        refunded_at,
        amount,
        currency,
        reason,
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
    refund_id,
    order_id,
    customer_id,
    refunded_at,
    amount,
    currency,
    reason,
    updated_at,
    deleted_at
from latest
