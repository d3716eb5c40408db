{{ config(materialized='view') }}

with orders as (

    select * from {{ ref('fct_orders') }}
    where
        is_counted
        and profile_id in (select changed.profile_id from {{ ref('int_changed_profiles') }} as changed)

),

current_run as (

    select * from {{ ref('int_current_run') }}

),

lines as (

    select * from {{ ref('int_order_lines') }}
    where not is_deleted

),

products as (

    select * from {{ ref('int_products') }}
    where category is not null

),

bought as (

    select
        orders.profile_id,
        products.category,
        sum(coalesce(lines.quantity, 1)) as quantity,
        max(orders.ordered_at) as last_bought_at
    from orders
    cross join current_run
    inner join lines on orders.source = lines.source and orders.order_id = lines.order_id
    inner join products on lines.source = products.source and lines.product_id = products.product_id
    where orders.ordered_at <= current_run.as_of
    group by orders.profile_id, products.category

),

ranked as (

    select
        bought.*,
        row_number() over (
            partition by profile_id
            order by quantity desc, last_bought_at desc nulls last, category
        ) as nth
    from bought

)

select
    profile_id,
    category as favourite_category
from ranked
where nth = 1
