-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['source', 'consent_id']) }}

{%- set paths = [
    '$."record"',
    '$."subject"."type"',
    '$."subject"."value"',
    '$."purpose"',
    '$."decision"',
    '$."at"',
    '$."law"',
    '$."notice"',
    '$."how"'
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
    from {{ source('raw', 'consent') }}
    where stream = 'consents'
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
        'consent' as source,
        stream,
        row_key,
        is_deleted as is_tombstone,
        landed_at,
        landing_number,

        {{ json_id('payload', 'fields', paths, 0) }} as consent_id,
        nullif({{ lowered(trimmed(as_type(json_field('fields', paths, 1), 'varchar'))) }}, '') as subject_type,
        {{ json_id('payload', 'fields', paths, 2) }} as subject_id,
        nullif({{ lowered(trimmed(as_type(json_field('fields', paths, 3), 'varchar'))) }}, '') as purpose,
        nullif({{ lowered(trimmed(as_type(json_field('fields', paths, 4), 'varchar'))) }}, '') as state,
        {{ as_utc(json_field('fields', paths, 5), 'UTC') }} as decided_at,
        cast(null as timestamp) as valid_until,
        {{ as_type(json_field('fields', paths, 6), 'varchar') }} as jurisdiction,
        {{ as_type(json_field('fields', paths, 7), 'varchar') }} as notice_version,
        {{ as_type(json_field('fields', paths, 8), 'varchar') }} as method,
        cast(null as {{ dbt.type_string() }}) as evidence
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
        known.consent_id,
        known.subject_type,
        known.subject_id,
        known.purpose,
        known.state,
        known.decided_at,
        known.valid_until,
        known.jurisdiction,
        known.notice_version,
        known.method,
        known.evidence
    from {{ this }} as known
    where exists (select 1 from typed where known.source = typed.source and known.consent_id = typed.consent_id)
    {%- endif %}

),

-- A comparison of keys that found the row gone counts until the row lands again.
gone as (

    select
        source,
        consent_id,
        max(case when is_tombstone then landing_number else 0 end) as gone_at
    from versions
    group by source, consent_id

),

ranked as (

    select
        versions.*,
        row_number() over (
            partition by versions.source, versions.consent_id
            order by
                case when versions.is_tombstone then 1 else 0 end,
                versions.landing_number desc
        ) as nth
    from versions
    inner join gone
        on gone.source = versions.source
        and gone.consent_id = versions.consent_id
    where versions.landing_number >= gone.gone_at

),

latest as (

    select
        source,
        stream,
        row_key,
        landed_at,
        landing_number,
        consent_id,
        subject_type,
        subject_id,
        purpose,
        state,
        decided_at,
        valid_until,
        jurisdiction,
        notice_version,
        method,
        evidence,
        is_tombstone or false as is_deleted
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
    consent_id,
    subject_type,
    subject_id,
    purpose,
    state,
    decided_at,
    valid_until,
    jurisdiction,
    notice_version,
    method,
    evidence
from latest
