{{ config(materialized='table', tags=['staging', 'every_run']) }}

with runs as (

    select * from {{ source('governance', 'runs') }}

),

newest as (

    select * from runs
    where run_number = (select max(run_number) from runs)

),

last_published as (

    select * from runs
    where
        status = 'published'
        and run_number = (select max(run_number) from runs where status = 'published')

),

-- Tables that a person had built by themselves since then, out of step with all others.
parts as (

    select builds.run_id
    from {{ source('governance', 'stage_builds') }} as builds
    inner join runs on builds.run_id = runs.run_id
    where
        builds.state = 'part'
        and runs.run_number > (select coalesce(max(run_number), 0) from last_published)

),

landed as (

    {% for table in raw_tables() %}
    select max(landing_number) as landing_number from {{ table }}
    {{- " union all" if not loop.last }}
    {% endfor %}

),

landed_through as (

    select coalesce(max(landing_number), 0) as landing_high_water from landed

)

select
    newest.run_number,
    newest.run_id,
    newest.as_of,
    newest.started_at,
    newest.timezone,
    newest.base_currency,
    newest.default_country,
    newest.internal_networks,
    newest.internal_email_domains,
    landed_through.landing_high_water,
    last_published.run_id as previous_run_id,
    coalesce(last_published.run_number, 0) as previous_run_number,
    last_published.as_of as previous_as_of,
    coalesce(last_published.landing_high_water, 0) as published_landing_high_water,
    coalesce(
        last_published.logic_hash <> newest.logic_hash
        -- What a phone number without a country means is a rule too.
        or last_published.default_country <> newest.default_country,
        false
    ) as rules_changed,
    -- Rows of runs from before there were labels tell none.
    coalesce(newest.label_high_water, 0) as label_high_water,
    coalesce(last_published.label_high_water, 0) as published_label_high_water,
    -- A clock set back makes facts due again that were counted already; only a full pass is right.
    {{ 'true' if flags.FULL_REFRESH else 'false' }}
    or last_published.run_id is null
    or last_published.logic_hash <> newest.logic_hash
    or (select count(*) from parts) > 0
    or last_published.as_of > newest.as_of as everything_changed
from newest
cross join landed_through
left join last_published on true
