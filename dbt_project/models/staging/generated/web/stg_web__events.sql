-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='incremental', incremental_strategy='append') }}

{%- set paths = [
    '$.messageId',
    '$.message_id',
    '$.type',
    '$.event',
    '$.name',
    '$.properties.name',
    '$.anonymousId',
    '$.anonymous_id',
    '$.userId',
    '$.user_id',
    '$.previousId',
    '$.previous_id',
    '$.groupId',
    '$.group_id',
    '$.context.groupId',
    '$.traits.email',
    '$.context.traits.email',
    '$.context.traits.Email',
    '$.traits.phone',
    '$.context.traits.phone',
    '$.traits.firstName',
    '$.traits.first_name',
    '$.context.traits.firstName',
    '$.context.traits.first_name',
    '$.traits.lastName',
    '$.traits.last_name',
    '$.context.traits.lastName',
    '$.context.traits.last_name',
    '$.traits.name',
    '$.context.traits.name',
    '$.context.externalIds',
    '$.context.externalId',
    '$.properties.order_id',
    '$.properties.orderId',
    '$.properties.revenue',
    '$.properties.value',
    '$.properties.total',
    '$.properties.currency',
    '$.properties.product_id',
    '$.properties.productId',
    '$.properties.products[0].product_id',
    '$.properties.category',
    '$.properties.products[0].category',
    '$.properties.url',
    '$.context.page.url',
    '$.properties.path',
    '$.context.page.path',
    '$.properties.referrer',
    '$.context.page.referrer',
    '$.context.userAgent',
    '$.context.user_agent',
    '$.context.ip',
    '$.request_ip',
    '$.context.campaign.source',
    '$.context.campaign.medium',
    '$.context.campaign.name',
    '$.traits',
    '$.context.traits',
    '$.properties'
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
    from {{ source('raw', 'web') }}
    where stream = 'events'
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
        'web' as source,
        stream,
        row_key,
        is_deleted,
        landed_at,
        landing_number,

        coalesce({{ json_id('payload', 'fields', paths, 0) }}, {{ json_id('payload', 'fields', paths, 1) }}) as message_id,
        {{ as_type('lower(' ~ json_field('fields', paths, 2) ~ ')', 'varchar') }} as event_type,
        {{ as_type('coalesce(' ~ json_field('fields', paths, 3) ~ ', ' ~ json_field('fields', paths, 4) ~ ', ' ~ json_field('fields', paths, 5) ~ ')', 'varchar') }} as event_name,
        coalesce({{ json_id('payload', 'fields', paths, 6) }}, {{ json_id('payload', 'fields', paths, 7) }}) as anonymous_id,
        coalesce({{ json_id('payload', 'fields', paths, 8) }}, {{ json_id('payload', 'fields', paths, 9) }}) as user_id,
        coalesce({{ json_id('payload', 'fields', paths, 10) }}, {{ json_id('payload', 'fields', paths, 11) }}) as previous_id,
        coalesce({{ json_id('payload', 'fields', paths, 12) }}, {{ json_id('payload', 'fields', paths, 13) }}, {{ json_id('payload', 'fields', paths, 14) }}) as group_id,
        coalesce({{ json_id('payload', 'fields', paths, 15) }}, {{ json_id('payload', 'fields', paths, 16) }}, {{ json_id('payload', 'fields', paths, 17) }}) as email,
        coalesce({{ json_id('payload', 'fields', paths, 18) }}, {{ json_id('payload', 'fields', paths, 19) }}) as phone,
        coalesce(case when lower({{ json_field('fields', paths, 2) }}) <> 'group' then coalesce({{ json_name('payload', 'fields', paths, 20) }}, {{ json_name('payload', 'fields', paths, 21) }}) end, {{ json_name('payload', 'fields', paths, 22) }}, {{ json_name('payload', 'fields', paths, 23) }}) as first_name,
        coalesce(case when lower({{ json_field('fields', paths, 2) }}) <> 'group' then coalesce({{ json_name('payload', 'fields', paths, 24) }}, {{ json_name('payload', 'fields', paths, 25) }}) end, {{ json_name('payload', 'fields', paths, 26) }}, {{ json_name('payload', 'fields', paths, 27) }}) as last_name,
        coalesce(case when lower({{ json_field('fields', paths, 2) }}) <> 'group' then {{ json_name('payload', 'fields', paths, 28) }} end, {{ json_name('payload', 'fields', paths, 29) }}) as full_name,
        coalesce({{ json_field('fields', paths, 30) }}, {{ json_field('fields', paths, 31) }}) as external_ids,
        coalesce({{ json_id('payload', 'fields', paths, 32) }}, {{ json_id('payload', 'fields', paths, 33) }}) as order_id,
        {{ as_type('coalesce(' ~ json_field('fields', paths, 34) ~ ', ' ~ json_field('fields', paths, 35) ~ ', ' ~ json_field('fields', paths, 36) ~ ')', 'decimal(18,4)') }} as value,
        {{ as_type('upper(' ~ json_field('fields', paths, 37) ~ ')', 'varchar') }} as currency,
        coalesce({{ json_id('payload', 'fields', paths, 38) }}, {{ json_id('payload', 'fields', paths, 39) }}, {{ json_id('payload', 'fields', paths, 40) }}) as product_id,
        {{ as_type('coalesce(' ~ json_field('fields', paths, 41) ~ ', ' ~ json_field('fields', paths, 42) ~ ')', 'varchar') }} as category,
        {{ as_type('coalesce(' ~ json_field('fields', paths, 43) ~ ', ' ~ json_field('fields', paths, 44) ~ ')', 'varchar') }} as url,
        {{ as_type('coalesce(' ~ json_field('fields', paths, 45) ~ ', ' ~ json_field('fields', paths, 46) ~ ')', 'varchar') }} as page_path,
        {{ as_type('coalesce(' ~ json_field('fields', paths, 47) ~ ', ' ~ json_field('fields', paths, 48) ~ ')', 'varchar') }} as referrer,
        {{ as_type('coalesce(' ~ json_field('fields', paths, 49) ~ ', ' ~ json_field('fields', paths, 50) ~ ')', 'varchar') }} as user_agent,
        {{ as_type('coalesce(' ~ json_field('fields', paths, 51) ~ ', ' ~ json_field('fields', paths, 52) ~ ')', 'varchar') }} as ip,
        {{ as_type(json_field('fields', paths, 53), 'varchar') }} as campaign_source,
        {{ as_type(json_field('fields', paths, 54), 'varchar') }} as campaign_medium,
        {{ as_type(json_field('fields', paths, 55), 'varchar') }} as campaign_name,
        coalesce({{ json_field('fields', paths, 56) }}, {{ json_field('fields', paths, 57) }}) as traits,
        {{ json_field('fields', paths, 58) }} as properties,

        occurred_at,
        received_at
    from parsed

)

select * from typed
