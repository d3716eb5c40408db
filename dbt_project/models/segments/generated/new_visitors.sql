-- Generated from config/segments by `cdp generate`; change those files instead.
{{ config(materialized='view', contract={'enforced': true}) }}

select
    profile_id,
    entered_at,
    rule_version
from {{ ref('fct_segment_memberships') }}
where
    segment_name = 'new_visitors'
    and exited_at is null
