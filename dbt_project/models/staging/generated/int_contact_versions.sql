-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

{%- set paths = [
    '$."customer_no"',
    '$."email_address"',
    '$."phone_number"',
    '$."phone_region"',
    '$."given_name"',
    '$."family_name"',
    '$."born_on"',
    '$."street_line"',
    '$."town"',
    '$."zip"',
    '$."state"',
    '$."country_code"',
    '$."lang"',
    '$."employer"',
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
    {{ as_type(json_field('fields', paths, 6), 'date') }} as birth_date,
    {{ as_type(json_field('fields', paths, 7), 'varchar') }} as street,
    {{ as_type(json_field('fields', paths, 8), 'varchar') }} as city,
    {{ as_type(json_field('fields', paths, 9), 'varchar') }} as postal_code,
    {{ as_type(json_field('fields', paths, 10), 'varchar') }} as region,
    {{ as_type(json_field('fields', paths, 11), 'varchar') }} as country,
    {{ as_type(json_field('fields', paths, 12), 'varchar') }} as language,
    {{ as_type(json_field('fields', paths, 13), 'varchar') }} as company,
    {{ as_utc(json_field('fields', paths, 14), 'UTC') }} as created_at,
    {{ as_utc(json_field('fields', paths, 15), 'UTC') }} as updated_at,
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
    '$."Birthdate"',
    '$."MailingStreet"',
    '$."MailingCity"',
    '$."MailingPostalCode"',
    '$."MailingState"',
    '$."PreferredLanguage"',
    '$."AccountName"',
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
    {{ json_id('payload', 'fields', paths, 15) }} as merged_into_id,
    cast(null as {{ dbt.type_string() }}) as merged_ids,
    'crm_id' as id_type
from (
    select
        *,
        {{ json_fields('payload', paths) }} as fields
    from {{ source('raw', 'crm') }}
    where stream = 'contacts' and not is_deleted
) as parsed
