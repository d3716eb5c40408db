{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='sync_all_columns',
    pre_hook="{{ forget_unpublished_rows() }}"
) }}

with current_run as (

    select * from {{ ref('int_current_run') }}

),

touched as (

    select * from {{ ref('int_touched_identifiers') }}

),

served as (

    select * from {{ ref('dim_identifiers') }}

),

edges as (

    select * from {{ ref('fct_identity_edges') }}
    where blocked_by is null

),

matches as (

    select * from {{ ref('int_match_edges') }}
    where is_in_force

),

left_out as (

    select * from {{ ref('int_identity_constrained') }}
    where kind = 'rejected'

),

labels as (

    select * from {{ ref('int_identity_labels') }}
    where is_news

),

spellings as (

    select * from {{ ref('int_identifier_values') }}

),

identifiers as (

    select served.*
    from served
    inner join touched on served.birth = touched.birth

)

{% if not is_incremental() %}
select
    identifiers.birth,
    cast(null as {{ dbt.type_bigint() }}) as profile_before,
    identifiers.profile_id,
    'birth' as cause,
    cast(null as {{ dbt.type_string() }}) as source,
    cast(null as {{ dbt.type_string() }}) as event_id,
    current_run.run_number,
    current_run.run_id,
    current_run.as_of as changed_at
from identifiers
cross join current_run
{% else %}
,

recorded as (

    {{ published_rows(this) }}

),

ranked as (

    select
        recorded.*,
        row_number() over (partition by recorded.birth order by recorded.run_number desc) as nth
    from recorded
    cross join current_run
    where
        recorded.birth in (select touched.birth from touched)
        -- Changed rules may take an identifier out of everything, which touches nothing.
        or current_run.everything_changed

),

before as (

    select * from ranked
    where nth = 1

),

moved as (

    select
        identifiers.birth,
        before.profile_id as profile_before,
        identifiers.profile_id,
        identifiers.component_id,
        before.birth is null as is_new
    from identifiers
    left join before on identifiers.birth = before.birth
    where before.profile_id is distinct from identifiers.profile_id

),

-- Nobody's own any more, or another spelling of something else.
gone as (

    select
        before.birth,
        before.profile_id as profile_before
    from before
    left join served on before.birth = served.birth
    cross join current_run
    where
        current_run.everything_changed
        and served.birth is null
        and before.profile_id is not null

),

-- What a row has told comes before what is merely likely.
ties_known as (

    select
        edges.left_node,
        edges.right_node,
        edges.source,
        edges.event_id,
        0 as likeliness,
        edges.known_landing_number
    from edges
    union all
    select
        matches.left_node,
        matches.right_node,
        matches.source,
        cast(null as {{ dbt.type_string() }}) as event_id,
        1 as likeliness,
        matches.last_landing_number as known_landing_number
    from matches

),

new_edges as (

    select
        ties_known.left_node,
        ties_known.right_node,
        ties_known.source,
        ties_known.event_id,
        ties_known.likeliness,
        ties_known.known_landing_number,
        served.component_id,
        left_out.birth is null as is_counted
    from ties_known
    inner join served on ties_known.left_node = served.birth
    left join left_out on ties_known.left_node = left_out.birth and ties_known.right_node = left_out.other_birth
    where
        ties_known.known_landing_number > {{ run_value('published_landing_high_water') }}
        and served.component_id in (select moved.component_id from moved where moved.profile_before is not null)

),

both_ways as (

    select
        new_edges.*,
        new_edges.left_node as node,
        new_edges.right_node as other
    from new_edges
    union all
    select
        new_edges.*,
        new_edges.right_node as node,
        new_edges.left_node as other
    from new_edges

),

-- What tied a former profile to another one, or else to an identifier that is new.
ties as (

    select
        mine.profile_id as profile_before,
        both_ways.component_id,
        both_ways.source,
        both_ways.event_id,
        row_number() over (
            partition by mine.profile_id, both_ways.component_id
            order by
                case when theirs.profile_id is null then 1 else 0 end,
                both_ways.likeliness,
                both_ways.known_landing_number,
                both_ways.left_node,
                both_ways.right_node
        ) as nth
    from both_ways
    inner join before as mine on both_ways.node = mine.birth
    left join before as theirs on both_ways.other = theirs.birth
    where
        both_ways.is_counted
        and theirs.profile_id is distinct from mine.profile_id

),

-- What came into a component first may have changed which of its edges count.
firsts as (

    select
        new_edges.component_id,
        new_edges.source,
        new_edges.event_id,
        row_number() over (
            partition by new_edges.component_id
            order by
                new_edges.likeliness, new_edges.known_landing_number, new_edges.left_node, new_edges.right_node
        ) as nth
    from new_edges

),

-- What people have said since then, of the former profile or of others that hung together with it.
said as (

    select
        labels.label_number,
        labels.left_node as node
    from labels
    union all
    select
        labels.label_number,
        labels.right_node as node
    from labels
    where labels.right_node is not null

),

said_of_profiles as (

    select
        before.profile_id as profile_before,
        max(said.label_number) as label_number
    from said
    inner join before on said.node = before.birth
    group by before.profile_id

),

said_of_components as (

    select
        served.component_id,
        max(said.label_number) as label_number
    from said
    inner join served on said.node = served.birth
    group by served.component_id

),

-- What somebody said of the former profile itself comes first.
weighed as (

    select
        moved.*,
        coalesce(of_profile.label_number, of_component.label_number) as label_number
    from moved
    left join said_of_profiles as of_profile on moved.profile_before = of_profile.profile_before
    left join said_of_components as of_component on moved.component_id = of_component.component_id

),

changes as (

    select
        weighed.birth,
        weighed.profile_before,
        weighed.profile_id,
        case
            when weighed.is_new then 'birth'
            when weighed.profile_before is null then 'rule'
            when weighed.label_number is not null then 'label'
            -- Any edit of the configuration is a change of rules: what landed explains more.
            when current_run.rules_changed and ties.event_id is null then 'rule'
            when weighed.profile_id < weighed.profile_before then 'merge'
            else 'split'
        end as cause,
        case
            when weighed.profile_before is null then null
            when weighed.label_number is not null then 'identity_labels'
            when current_run.rules_changed then ties.source
            else coalesce(ties.source, firsts.source)
        end as source,
        case
            when weighed.profile_before is null then null
            -- What stands in the seed has no number.
            when weighed.label_number is not null then cast(nullif(weighed.label_number, 0) as {{ dbt.type_string() }})
            when current_run.rules_changed then ties.event_id
            -- A tie that is merely likely has no event.
            when ties.source is not null then ties.event_id
            else firsts.event_id
        end as event_id
    from weighed
    cross join current_run
    left join ties
        on
            weighed.profile_before = ties.profile_before
            and weighed.component_id = ties.component_id
            and ties.nth = 1
    left join firsts
        on
            weighed.component_id = firsts.component_id
            and firsts.nth = 1

    union all

    select
        gone.birth,
        gone.profile_before,
        cast(null as {{ dbt.type_bigint() }}) as profile_id,
        case
            when spellings.is_blocked then 'block'
            else 'rule'
        end as cause,
        cast(null as {{ dbt.type_string() }}) as source,
        cast(null as {{ dbt.type_string() }}) as event_id
    from gone
    left join spellings on gone.birth = spellings.birth

)

select
    changes.birth,
    changes.profile_before,
    changes.profile_id,
    changes.cause,
    changes.source,
    changes.event_id,
    current_run.run_number,
    current_run.run_id,
    current_run.as_of as changed_at
from changes
cross join current_run
{% endif %}
