-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['source', 'contact_id']) }}

{%- set paths = [
    '$."Id"',
    '$."Email"',
    '$."MobilePhone"',
    '$."MailingCountryCode"',
    '$."FirstName"',
    '$."LastName"',
    '$."Birthdate"',
    '$."MailingStreet"',
    '$."MailingCity"',
    '$."MailingPostalCode"',
    '$."MailingState"',
    '$."PreferredLanguage"',
    '$."AccountName"',
    '$."CreatedDate"',
    '$."LastModifiedDate"',
    '$."DeletedDate"',
    '$."MasterRecordId"'
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
    from {{ source('raw', 'crm') }}
    where stream = 'contacts'
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
        'crm' as source,
        stream,
        row_key,
        is_deleted as is_tombstone,
        landed_at,
        landing_number,

        {{ json_id('payload', 'fields', paths, 0) }} as contact_id,
        {{ json_id('payload', 'fields', paths, 1) }} as email,
        {{ json_id('payload', 'fields', paths, 2) }} as phone,
        {{ as_type(json_field('fields', paths, 3), 'varchar') }} as phone_country,
        {{ as_type(json_field('fields', paths, 4), 'varchar') }} as first_name,
        {{ as_type(json_field('fields', paths, 5), 'varchar') }} as last_name,
        cast(null as {{ dbt.type_string() }}) as full_name,
        {{ as_type(json_field('fields', paths, 6), 'date') }} as birth_date,
        {{ as_type(json_field('fields', paths, 7), 'varchar') }} as street,
        {{ as_type(json_field('fields', paths, 8), 'varchar') }} as city,
        {{ as_type(json_field('fields', paths, 9), 'varchar') }} as postal_code,
        {{ as_type(json_field('fields', paths, 10), 'varchar') }} as region,
        {{ as_type(json_field('fields', paths, 3), 'varchar') }} as country,
        {{ as_type(json_field('fields', paths, 11), 'varchar') }} as language,
        {{ as_type(json_field('fields', paths, 12), 'varchar') }} as company,
        {{ as_utc(json_field('fields', paths, 13), 'UTC') }} as created_at,
        {{ as_utc(json_field('fields', paths, 14), 'UTC') }} as updated_at,
        {{ as_utc(json_field('fields', paths, 15), 'UTC') }} as deleted_at,
        {{ json_id('payload', 'fields', paths, 16) }} as merged_into_id,
        cast(null as {{ dbt.type_string() }}) as merged_ids,
        payload as attributes
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
        known.contact_id,
        known.email,
        known.phone,
        known.phone_country,
        known.first_name,
        known.last_name,
        known.full_name,
        known.birth_date,
        known.street,
        known.city,
        known.postal_code,
        known.region,
        known.country,
        known.language,
        known.company,
        known.created_at,
        known.updated_at,
        known.deleted_at,
        known.merged_into_id,
        known.merged_ids,
        known.attributes
    from {{ this }} as known
    where exists (select 1 from typed where known.source = typed.source and known.contact_id = typed.contact_id)
    {%- endif %}

),

-- A comparison of keys that found the row gone counts until the row lands again.
gone as (

    select
        source,
        contact_id,
        max(case when is_tombstone then landing_number else 0 end) as gone_at
    from versions
    group by source, contact_id

),

ranked as (

    select
        versions.*,
        row_number() over (
            partition by versions.source, versions.contact_id
            order by
                case when versions.is_tombstone then 1 else 0 end,
                versions.updated_at desc nulls last,
                versions.landing_number desc
        ) as nth
    from versions
    inner join gone
        on gone.source = versions.source
        and gone.contact_id = versions.contact_id
    where versions.landing_number >= gone.gone_at

),

latest as (

    select
        source,
        stream,
        row_key,
        landed_at,
        landing_number,
        contact_id,
        email,
        phone,
        phone_country,
        first_name,
        last_name,
        full_name,
        birth_date,
        street,
        city,
        postal_code,
        region,
        country,
        language,
        company,
        created_at,
        updated_at,
        deleted_at,
        merged_into_id,
        merged_ids,
        attributes,
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
    contact_id,
    email,
    phone,
    phone_country,
    first_name,
    last_name,
    full_name,
    birth_date,
    street,
    city,
    postal_code,
    region,
    country,
    language,
    company,
    created_at,
    updated_at,
    deleted_at,
    merged_into_id,
    merged_ids,
    attributes
from latest
