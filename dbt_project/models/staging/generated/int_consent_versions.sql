-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

{%- set paths = [
    '$."record"',
    '$."subject"."type"',
    '$."subject"."value"',
    '$."at"'
] %}

select
    'consent' as source,
    stream,
    row_key,
    landed_at,
    landing_number,
    {{ json_id('payload', 'fields', paths, 0) }} as consent_id,
    nullif({{ lowered(trimmed(as_type(json_field('fields', paths, 1), 'varchar'))) }}, '') as subject_type,
    {{ json_id('payload', 'fields', paths, 2) }} as subject_id,
    {{ as_utc(json_field('fields', paths, 3), 'UTC') }} as decided_at,
    'consent_id' as id_type
from (
    select
        *,
        {{ json_fields('payload', paths) }} as fields
    from {{ source('raw', 'consent') }}
    where stream = 'consents' and not is_deleted
) as parsed
