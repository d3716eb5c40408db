-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

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
    evidence,
    'consent_id' as id_type
from {{ ref('stg_consent__consents') }}
