-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

{%- set paths = [
    '$."customer_no"',
    '$."email_address"',
    '$."phone_number"',
    '$."phone_region"',
    '$."given_name"',
    '$."family_name"',
    '$."country_code"',
    '$."created_at"',
    '$."updated_at"'
] %}

select
    'shop' as source,
    stream,
    row_key,
    landed_at,
    landing_number,
    {{ json_id('payload', 'fields', paths, 0) }} as contact_id,
    {{ json_id('payload', 'fields', paths, 1) }} as email,
    {{ json_id('payload', 'fields', paths, 2) }} as phone,
    {{ as_type(json_field('fields', paths, 3), 'varchar') }} as phone_country,
    {{ as_type(json_field('fields', paths, 4), 'varchar') }} as first_name,
    {{ as_type(json_field('fields', paths, 5), 'varchar') }} as last_name,
    cast(null as {{ dbt.type_string() }}) as full_name,
    {{ as_type(json_field('fields', paths, 6), 'varchar') }} as country,
    {{ as_utc(json_field('fields', paths, 7), 'UTC') }} as created_at,
    {{ as_utc(json_field('fields', paths, 8), 'UTC') }} as updated_at,
    cast(null as {{ dbt.type_string() }}) as merged_into_id,
    cast(null as {{ dbt.type_string() }}) as merged_ids,
    'user_id' as id_type
from (
    select
        *,
        {{ json_fields('payload', paths) }} as fields
    from {{ source('raw', 'shop') }}
    where stream = 'customers' and not is_deleted
) as parsed

union all

{%- set paths = [
    '$."Id"',
    '$."Email"',
    '$."MobilePhone"',
    '$."MailingCountryCode"',
    '$."FirstName"',
    '$."LastName"',
    '$."CreatedDate"',
    '$."LastModifiedDate"',
    '$."MasterRecordId"'
] %}

select
    'crm' as source,
    stream,
    row_key,
    landed_at,
    landing_number,
    {{ json_id('payload', 'fields', paths, 0) }} as contact_id,
    {{ json_id('payload', 'fields', paths, 1) }} as email,
    {{ json_id('payload', 'fields', paths, 2) }} as phone,
    {{ as_type(json_field('fields', paths, 3), 'varchar') }} as phone_country,
    {{ as_type(json_field('fields', paths, 4), 'varchar') }} as first_name,
    {{ as_type(json_field('fields', paths, 5), 'varchar') }} as last_name,
    cast(null as {{ dbt.type_string() }}) as full_name,
    {{ as_type(json_field('fields', paths, 3), 'varchar') }} as country,
    {{ as_utc(json_field('fields', paths, 6), 'UTC') }} as created_at,
    {{ as_utc(json_field('fields', paths, 7), 'UTC') }} as updated_at,
    {{ json_id('payload', 'fields', paths, 8) }} as merged_into_id,
    cast(null as {{ dbt.type_string() }}) as merged_ids,
    'crm_id' as id_type
from (
    select
        *,
        {{ json_fields('payload', paths) }} as fields
    from {{ source('raw', 'crm') }}
    where stream = 'contacts' and not is_deleted
) as parsed
