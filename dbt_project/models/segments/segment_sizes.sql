{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    tags=['every_run'],
    pre_hook="{{ forget_unpublished_rows() }}",
    contract={'enforced': true}
) }}

with current_run as (

    select * from {{ ref('int_current_run') }}

),

segments as (

    select
        segment_name,
        rule_version
    from {{ ref('dim_segments') }}

),

members as (

    select
        segment_name,
        count(*) as members
    from {{ ref('fct_segment_memberships') }}
    where exited_at is null
    group by segment_name

)

select
    current_run.run_number,
    current_run.run_id,
    current_run.as_of,
    segments.segment_name,
    segments.rule_version,
    coalesce(members.members, 0) as members
from segments
cross join current_run
left join members on segments.segment_name = members.segment_name
