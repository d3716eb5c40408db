{{ config(materialized='table', tags=['change_set']) }}

{%- set slots = order_slots('orders') %}

with facts as (

    select
        source,
        order_id,
        anchor_birth
    from {{ former_state('profiles', 'fct_orders', {
        'source': dbt.type_string(), 'order_id': dbt.type_string(), 'anchor_birth': dbt.type_bigint()
    }) }} as former

),

changed_births as (

    select * from {{ ref('int_changed_births') }}

),

current_run as (

    select * from {{ ref('int_current_run') }}

),

{% for entity in ['int_orders', 'int_order_lines', 'int_refunds'] %}
{{ entity }}_landed as (

    select
        source,
        order_id
    from {{ ref(entity) }}
    where order_id is not null and landing_number > {{ run_value('published_landing_high_water') }}

),

{% endfor %}
refunds_due as (

    select
        refunds.source,
        refunds.order_id
    from {{ ref('int_refunds') }} as refunds
    cross join current_run
    where
        refunds.refunded_at <= current_run.as_of
        and refunds.refunded_at > current_run.previous_as_of

),

-- A refund that now names another order, or that is gone, leaves the one that it was part of.
refunds_moved as (

    select
        former.source,
        former.order_id
    from {{ former_state('profiles', 'int_refund_orders', {
        'source': dbt.type_string(), 'refund_id': dbt.type_string(), 'order_id': dbt.type_string()
    }) }} as former
    inner join {{ ref('int_refunds') }} as refunds
        on former.source = refunds.source and former.refund_id = refunds.refund_id
    where refunds.landing_number > {{ run_value('published_landing_high_water') }}

),

moved as (

    select
        facts.source,
        facts.order_id
    from facts
    inner join changed_births on facts.anchor_birth = changed_births.anchor_birth

),

orders as (

    select * from {{ ref('int_orders') }}

),

-- By any identifier that they carry, since it may have been the strongest or is now.
reanchored as (

    {%- for _, type, value in slots %}

    select
        orders.source,
        orders.order_id
    from orders
    inner join {{ ref('int_changed_verdicts') }} as changed
        on
            changed.identifier_type = {{ type }}
            and changed.raw_value = {{ value }}
    {{ "union distinct" if not loop.last }}
    {%- endfor %}

),

everything as (

    select
        facts.source,
        facts.order_id
    from facts
    where {{ run_value('everything_changed') }}

),

unpublished as (

    {{ changed_by_unpublished_runs({'source': dbt.type_string(), 'order_id': dbt.type_string()}) }}

),

together as (

    select * from int_orders_landed
    union distinct
    select * from int_order_lines_landed
    union distinct
    select * from int_refunds_landed
    union distinct
    select * from refunds_due
    union distinct
    select * from refunds_moved
    union distinct
    select * from moved
    union distinct
    select * from reanchored
    union distinct
    select * from everything
    union distinct
    select * from unpublished

)

select
    {{ text_key(['source', 'order_id']) }} as order_key,
    source,
    order_id,
    {{ run_value('run_number') }} as run_number
from together
