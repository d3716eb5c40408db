{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    pre_hook="{{ forget_unpublished_rows() }}",
    contract={'enforced': true}
) }}

-- Members now are compared with members as the last published run recorded them, for the change set:
-- it reaches back to that run, so it holds what runs since have moved that were killed or refused.

with current_run as (

    select * from {{ ref('int_current_run') }}

),

segments as (

    select
        segment_name,
        rule_version
    from {{ ref('dim_segments') }}

),

-- The rules of the last published run.
rules_before as (

    select
        sizes.segment_name,
        sizes.rule_version
    from {{ former_state('segments', 'segment_sizes', {
        'segment_name': dbt.type_string(), 'rule_version': dbt.type_string(), 'run_number': dbt.type_bigint()
    }) }} as sizes
    where sizes.run_number = {{ run_value('previous_run_number') }}

),

identities_changed as (

    select profile_id
    from {{ ref('int_changed_births') }}
    where profile_before is not null
    union distinct
    select profile_before
    from {{ ref('int_changed_births') }}
    where profile_before is not null

),

members_now as (

    select
        profile_id,
        segment_name
    from {{ ref('int_segment_verdict_rows') }}
    where is_member and {{ in_change_set('profile_id', 'int_changed_profiles') }}

),

{% if is_incremental() %}
recorded as (

    {{ published_rows(this) }}

),

last_changes as (

    select
        profile_id,
        segment_name,
        {{ max_by('change', 'run_number') }} as change
    from recorded
    where {{ in_change_set('profile_id', 'int_changed_profiles') }}
    group by profile_id, segment_name

),

members_before as (

    select
        profile_id,
        segment_name
    from last_changes
    where change = 'entered'

),

changes as (

    select
        coalesce(members_now.profile_id, members_before.profile_id) as profile_id,
        coalesce(members_now.segment_name, members_before.segment_name) as segment_name,
        case when members_before.profile_id is null then 'entered' else 'left' end as change
    from members_now
    full outer join members_before
        on
            members_now.profile_id = members_before.profile_id
            and members_now.segment_name = members_before.segment_name
    where members_now.profile_id is null or members_before.profile_id is null

)
{% else %}
changes as (

    select
        profile_id,
        segment_name,
        'entered' as change
    from members_now

)
{% endif %}

select
    changes.profile_id,
    changes.segment_name,
    changes.change,
    case
        when identities_changed.profile_id is not null then 'identity'
        when coalesce(segments.rule_version, '') <> coalesce(rules_before.rule_version, '') then 'definition'
        else 'rule'
    end as cause,
    current_run.as_of as changed_at,
    coalesce(segments.rule_version, rules_before.rule_version) as rule_version,
    current_run.run_number,
    current_run.run_id
from changes
cross join current_run
left join segments on changes.segment_name = segments.segment_name
left join rules_before on changes.segment_name = rules_before.segment_name
left join identities_changed on changes.profile_id = identities_changed.profile_id
