{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_changed_profiles',
    change_key='profile_id',
    cluster_by=looked_up_by(['profile_id']),
    file_size=files_of(64),
    contract={'enforced': true}
) }}

with changed as (

    select * from {{ ref('int_changed_profiles') }}

),

identifiers as (

    select distinct dim_identifiers.profile_id
    from {{ ref('dim_identifiers') }} as dim_identifiers
    inner join changed on dim_identifiers.profile_id = changed.profile_id

),

activity as (

    select * from {{ ref('int_profile_activity') }}

),

orders as (

    select * from {{ ref('int_profile_orders') }}
    where profile_id in (select changed.profile_id from changed)

),

categories as (

    select * from {{ ref('int_profile_categories') }}

),

contacts as (

    select * from {{ ref('int_profile_contacts') }}

),

cut_points as (

    select * from {{ ref('rfm_cut_points') }}
    where version = (select max(newest.version) from {{ ref('rfm_cut_points') }} as newest)

),

scores as (

    select
        orders.profile_id,
        max(case when cut_points.dimension = 'recency' and orders.last_purchase_date >= cut_points.lower_moment then cut_points.score end) as recency,
        max(case when cut_points.dimension = 'frequency' and orders.order_count >= cut_points.lower_value then cut_points.score end) as frequency,
        max(case when cut_points.dimension = 'monetary' and orders.total_spent >= cut_points.lower_value then cut_points.score end) as monetary,
        max(cut_points.version) as version
    from orders
    cross join cut_points
    where orders.order_count > 0
    group by orders.profile_id

),

-- Below the least value that was there when the cut points were fitted, the score is the lowest.
scored as (

    select
        profile_id,
        coalesce(recency, 1) as rfm_recency,
        coalesce(frequency, 1) as rfm_frequency,
        coalesce(monetary, 1) as rfm_monetary,
        version as rfm_version
    from scores

)

select
    identifiers.profile_id,

    -- activity
    {{ earliest(['activity.first_event_at', 'orders.first_ordered_at']) }} as first_seen,
    {{ latest(['activity.last_event_at', 'orders.last_ordered_at']) }} as last_seen,
    cast(coalesce(activity.event_count, 0) as {{ dbt.type_bigint() }}) as event_count,
    cast(coalesce(activity.session_count, 0) as {{ dbt.type_bigint() }}) as session_count,

    -- purchases
    cast(coalesce(orders.order_count, 0) as {{ dbt.type_bigint() }}) as order_count,
    coalesce(orders.total_spent, cast(0 as decimal(18, 4))) as total_spent,
    case
        when orders.order_count > 0
            then {{ exact_share('orders.total_spent', 'orders.order_count') }}
    end as average_order_value,
    orders.first_purchase_date,
    orders.last_purchase_date,
    categories.favourite_category,

    -- scores
    scored.rfm_recency,
    scored.rfm_frequency,
    scored.rfm_monetary,
    case
        when scored.profile_id is null then null
        when scored.rfm_recency >= 4 and scored.rfm_frequency >= 4 and scored.rfm_monetary >= 4 then 'champions'
        when scored.rfm_frequency >= 4 and scored.rfm_recency >= 3 then 'loyal'
        when scored.rfm_recency >= 4 and scored.rfm_frequency <= 2 then 'new'
        when scored.rfm_recency >= 3 then 'promising'
        when scored.rfm_frequency >= 3 then 'at risk'
        else 'dormant'
    end as rfm_segment,
    scored.rfm_version,

    -- last known contact details
    contacts.email,
    contacts.phone,
    contacts.first_name,
    contacts.last_name,
    contacts.full_name,
    contacts.birth_date,
    contacts.street,
    contacts.city,
    contacts.postal_code,
    contacts.region,
    contacts.country,
    contacts.language,
    contacts.company,

    {{ earliest(['activity.next_event_at', 'orders.next_change_at', 'contacts.next_known_at']) }} as next_change_at
from identifiers
left join activity on identifiers.profile_id = activity.profile_id
left join orders on identifiers.profile_id = orders.profile_id
left join categories on identifiers.profile_id = categories.profile_id
left join contacts on identifiers.profile_id = contacts.profile_id
left join scored on identifiers.profile_id = scored.profile_id
