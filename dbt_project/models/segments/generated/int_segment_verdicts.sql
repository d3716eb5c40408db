-- Generated from config/segments by `cdp generate`; change those files instead.
{{ config(
    materialized='incremental',
    incremental_strategy='change_set',
    change_set='int_changed_profiles',
    change_key='profile_id',
    on_schema_change='sync_all_columns'
) }}

with profiles as (

    select * from {{ ref('dim_profiles') }}
    where {{ in_change_set('profile_id', 'int_changed_profiles') }}

),

features as (

    select
        profile_id,
        last_order_completed_at,
        last_order_completed_number,
        last_product_added_at,
        last_product_added_number
    from {{ ref('int_segment_features') }}

),

current_run as (

    select * from {{ ref('int_current_run') }}

)

select
    profiles.profile_id,
    coalesce(
        features.last_product_added_at > current_run.as_of - interval '24' hour
        and features.last_product_added_at <= current_run.as_of,
        false
    )
    and not (
        coalesce(
            features.last_order_completed_at > features.last_product_added_at
            or (
                features.last_order_completed_at = features.last_product_added_at
                and features.last_order_completed_number > features.last_product_added_number
            ),
            false
        )
    ) as in_active_cart_abandoners,
    coalesce(
        profiles.last_purchase_date > current_run.as_of - interval '30' day
        and profiles.last_purchase_date <= current_run.as_of,
        false
    )
    and coalesce(profiles.total_spent > 500, false) as in_high_value_recent,
    coalesce(profiles.order_count >= 3, false)
    and coalesce(
        profiles.last_purchase_date > current_run.as_of - interval '60' day
        and profiles.last_purchase_date <= current_run.as_of,
        false
    ) as in_loyal_customers,
    coalesce(
        profiles.first_seen > current_run.as_of - interval '7' day
        and profiles.first_seen <= current_run.as_of,
        false
    ) as in_new_visitors,
    nullif(
        least(
            coalesce(
                case
                    when profiles.next_change_at > current_run.as_of
                    then profiles.next_change_at
                end,
                cast('9999-12-31' as timestamp)
            ),
            coalesce(
                case
                    when features.last_product_added_at + interval '24' hour > current_run.as_of
                    then features.last_product_added_at + interval '24' hour
                end,
                cast('9999-12-31' as timestamp)
            ),
            coalesce(
                case when profiles.first_seen > current_run.as_of then profiles.first_seen end,
                cast('9999-12-31' as timestamp)
            ),
            coalesce(
                case
                    when profiles.first_seen + interval '7' day > current_run.as_of
                    then profiles.first_seen + interval '7' day
                end,
                cast('9999-12-31' as timestamp)
            ),
            coalesce(
                case
                    when profiles.last_purchase_date > current_run.as_of
                    then profiles.last_purchase_date
                end,
                cast('9999-12-31' as timestamp)
            ),
            coalesce(
                case
                    when profiles.last_purchase_date + interval '30' day > current_run.as_of
                    then profiles.last_purchase_date + interval '30' day
                end,
                cast('9999-12-31' as timestamp)
            ),
            coalesce(
                case
                    when profiles.last_purchase_date + interval '60' day > current_run.as_of
                    then profiles.last_purchase_date + interval '60' day
                end,
                cast('9999-12-31' as timestamp)
            )
        ),
        cast('9999-12-31' as timestamp)
    ) as next_flip_at
from profiles
cross join current_run
left join features on profiles.profile_id = features.profile_id
