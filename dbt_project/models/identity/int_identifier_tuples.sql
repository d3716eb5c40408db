{#- Of mutable rows every version is read, not what staging has of them: that two identifiers stood
    together stays a fact when the row says something else, whenever builds happened. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='tuple_key'
) }}

{%- set identifiers = [
    'user_id', 'source_id', 'email', 'phone', 'anonymous_id', 'other_user_id', 'other_source_id',
    'previous_id', 'external_ids', 'id_type', 'name_scope', 'name'
] %}
{%- set fresh = landed_since_published('landing_number') %}

with events as (

    select * from {{ ref('int_events') }}
    where {{ fresh }}

),

contacts as (

    select * from {{ ref('int_contact_versions') }}
    where {{ fresh }}

),

orders as (

    select * from {{ ref('int_order_versions') }}
    where {{ fresh }}

),

refunds as (

    select * from {{ ref('int_refund_versions') }}
    where {{ fresh }}

),

consents as (

    select * from {{ ref('int_consent_versions') }}
    where {{ fresh }}

),

memberships as (

    select * from {{ ref('int_membership_versions') }}
    where {{ fresh }}

),

scopes as (

    select * from {{ ref('identity_scopes') }}

),

-- A contact names those that the CRM merged into it in one field.
merged_contacts as (

    {{ rows_of_parts('contacts', 'merged_ids', ';', 'merged_id') }}

),

rows_of_identifiers as (

    select
        user_id,
        cast(null as {{ dbt.type_string() }}) as id_type,
        cast(null as {{ dbt.type_string() }}) as source_id,
        email,
        phone,
        anonymous_id,
        cast(null as {{ dbt.type_string() }}) as other_user_id,
        cast(null as {{ dbt.type_string() }}) as other_source_id,
        nullif(previous_id, user_id) as previous_id,
        {{ external_identifiers('external_ids') }} as external_ids,
        {{ told_name('events') }} as name,
        source,
        row_key,
        occurred_at,
        landing_number
    from events
    where not is_bot

    union all

    select
        case when id_type = 'user_id' then contact_id end as user_id,
        id_type,
        case when id_type <> 'user_id' then contact_id end as source_id,
        email,
        {{ phone_with_country('phone', 'coalesce(phone_country, country)') }} as phone,
        cast(null as {{ dbt.type_string() }}) as anonymous_id,
        case when id_type = 'user_id' then merged_into_id end as other_user_id,
        case when id_type <> 'user_id' then merged_into_id end as other_source_id,
        cast(null as {{ dbt.type_string() }}) as previous_id,
        cast(null as {{ dbt.type_string() }}) as external_ids,
        {{ told_name('contacts') }} as name,
        source,
        row_key,
        coalesce(created_at, updated_at) as occurred_at,
        landing_number
    from contacts

    union all

    select
        case when id_type = 'user_id' then contact_id end as user_id,
        id_type,
        case when id_type <> 'user_id' then contact_id end as source_id,
        cast(null as {{ dbt.type_string() }}) as email,
        cast(null as {{ dbt.type_string() }}) as phone,
        cast(null as {{ dbt.type_string() }}) as anonymous_id,
        case when id_type = 'user_id' then nullif({{ trimmed('merged_id') }}, '') end as other_user_id,
        case when id_type <> 'user_id' then nullif({{ trimmed('merged_id') }}, '') end as other_source_id,
        cast(null as {{ dbt.type_string() }}) as previous_id,
        cast(null as {{ dbt.type_string() }}) as external_ids,
        cast(null as {{ dbt.type_string() }}) as name,
        source,
        row_key,
        coalesce(created_at, updated_at) as occurred_at,
        landing_number
    from merged_contacts

    union all

    select
        case when id_type = 'user_id' then customer_id end as user_id,
        id_type,
        case when id_type <> 'user_id' then customer_id end as source_id,
        email,
        {{ phone_with_country('phone', 'country') }} as phone,
        anonymous_id,
        cast(null as {{ dbt.type_string() }}) as other_user_id,
        cast(null as {{ dbt.type_string() }}) as other_source_id,
        cast(null as {{ dbt.type_string() }}) as previous_id,
        cast(null as {{ dbt.type_string() }}) as external_ids,
        cast(null as {{ dbt.type_string() }}) as name,
        source,
        row_key,
        ordered_at as occurred_at,
        landing_number
    from orders

    union all

    select
        case when id_type = 'user_id' then customer_id end as user_id,
        id_type,
        case when id_type <> 'user_id' then customer_id end as source_id,
        cast(null as {{ dbt.type_string() }}) as email,
        cast(null as {{ dbt.type_string() }}) as phone,
        cast(null as {{ dbt.type_string() }}) as anonymous_id,
        cast(null as {{ dbt.type_string() }}) as other_user_id,
        cast(null as {{ dbt.type_string() }}) as other_source_id,
        cast(null as {{ dbt.type_string() }}) as previous_id,
        cast(null as {{ dbt.type_string() }}) as external_ids,
        cast(null as {{ dbt.type_string() }}) as name,
        source,
        row_key,
        refunded_at as occurred_at,
        landing_number
    from refunds
    where customer_id is not null

    union all

    {% for subjects, moment in [('consents', 'decided_at'), ('memberships', 'joined_at')] %}
    select
        case when subject_type = 'user_id' then subject_id end as user_id,
        case when subject_type not in ('user_id', 'email', 'phone', 'anonymous_id') then subject_type end as id_type,
        case when subject_type not in ('user_id', 'email', 'phone', 'anonymous_id') then subject_id end as source_id,
        case when subject_type = 'email' then subject_id end as email,
        case when subject_type = 'phone' then subject_id end as phone,
        case when subject_type = 'anonymous_id' then subject_id end as anonymous_id,
        cast(null as {{ dbt.type_string() }}) as other_user_id,
        cast(null as {{ dbt.type_string() }}) as other_source_id,
        cast(null as {{ dbt.type_string() }}) as previous_id,
        cast(null as {{ dbt.type_string() }}) as external_ids,
        cast(null as {{ dbt.type_string() }}) as name,
        source,
        row_key,
        {{ moment }} as occurred_at,
        landing_number
    from {{ subjects }}
    {{ "union all" if not loop.last }}
    {% endfor %}

),

scoped as (

    select
        rows_of_identifiers.*,
        case when rows_of_identifiers.name is not null then scopes.scope end as name_scope
    from rows_of_identifiers
    left join scopes on rows_of_identifiers.source = scopes.source

),

seen as (

    select
        {% for identifier in identifiers %}
        {{ identifier }},
        {% endfor %}
        {{ min_by('source', 'landing_number') }} as source,
        {{ min_by('row_key', 'landing_number') }} as row_key,
        min(occurred_at) as first_occurred_at,
        min(landing_number) as first_landing_number,
        max(landing_number) as last_landing_number
    from scoped
    group by {{ identifiers | join(', ') }}

),

keyed as (

    select
        {{ text_key(identifiers) }} as tuple_key,
        seen.*
    from seen
    where coalesce(user_id, source_id, email, phone, anonymous_id, external_ids, name_scope) is not null

)

{% if is_incremental() %}
,

known as (

    select * from {{ this }} as known
    where known.tuple_key in (select keyed.tuple_key from keyed)

),

together as (

    select * from keyed
    union all
    select * from known

)

select
    tuple_key,
    {% for identifier in identifiers %}
    min({{ identifier }}) as {{ identifier }},
    {% endfor %}
    {{ min_by('source', 'first_landing_number') }} as source,
    {{ min_by('row_key', 'first_landing_number') }} as row_key,
    min(first_occurred_at) as first_occurred_at,
    min(first_landing_number) as first_landing_number,
    max(last_landing_number) as last_landing_number
from together
group by tuple_key
{% else %}
select * from keyed
{% endif %}
