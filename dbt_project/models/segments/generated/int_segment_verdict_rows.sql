-- Generated from config/segments by `cdp generate`; change those files instead.
{{ config(materialized='view') }}

with verdicts as (

    select * from {{ ref('int_segment_verdicts') }}

),

segments as (

    select
        segment_name,
        rule_version
    from {{ ref('dim_segments') }}

)

select
    verdicts.profile_id,
    segments.segment_name,
    segments.rule_version,
    case segments.segment_name
        when 'active_cart_abandoners' then verdicts.in_active_cart_abandoners
        when 'high_value_recent' then verdicts.in_high_value_recent
        when 'loyal_customers' then verdicts.in_loyal_customers
        when 'new_visitors' then verdicts.in_new_visitors
    end as is_member
from verdicts
cross join segments
