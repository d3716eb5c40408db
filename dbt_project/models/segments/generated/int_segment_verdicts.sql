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
    COALESCE(features.last_product_added_at > current_run.as_of - INTERVAL '24' HOUR AND features.last_product_added_at <= current_run.as_of, FALSE) AND NOT (COALESCE(features.last_order_completed_at > features.last_product_added_at OR (features.last_order_completed_at = features.last_product_added_at AND features.last_order_completed_number > features.last_product_added_number), FALSE)) as in_active_cart_abandoners,
    COALESCE(profiles.last_purchase_date > current_run.as_of - INTERVAL '30' DAY AND profiles.last_purchase_date <= current_run.as_of, FALSE) AND COALESCE(profiles.total_spent > 500, FALSE) as in_high_value_recent,
    COALESCE(profiles.order_count >= 3, FALSE) AND COALESCE(profiles.last_purchase_date > current_run.as_of - INTERVAL '60' DAY AND profiles.last_purchase_date <= current_run.as_of, FALSE) as in_loyal_customers,
    COALESCE(profiles.first_seen > current_run.as_of - INTERVAL '7' DAY AND profiles.first_seen <= current_run.as_of, FALSE) as in_new_visitors,
    NULLIF(LEAST(COALESCE(CASE WHEN features.last_product_added_at + INTERVAL '24' HOUR > current_run.as_of THEN features.last_product_added_at + INTERVAL '24' HOUR END, CAST('9999-12-31' AS TIMESTAMP)), COALESCE(CASE WHEN profiles.first_seen + INTERVAL '7' DAY > current_run.as_of THEN profiles.first_seen + INTERVAL '7' DAY END, CAST('9999-12-31' AS TIMESTAMP)), COALESCE(CASE WHEN profiles.last_purchase_date + INTERVAL '30' DAY > current_run.as_of THEN profiles.last_purchase_date + INTERVAL '30' DAY END, CAST('9999-12-31' AS TIMESTAMP)), COALESCE(CASE WHEN profiles.last_purchase_date + INTERVAL '60' DAY > current_run.as_of THEN profiles.last_purchase_date + INTERVAL '60' DAY END, CAST('9999-12-31' AS TIMESTAMP))), CAST('9999-12-31' AS TIMESTAMP)) as next_flip_at
from profiles
cross join current_run
left join features on profiles.profile_id = features.profile_id
