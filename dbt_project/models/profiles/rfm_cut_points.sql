{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    pre_hook="{{ forget_unpublished_rows() }}"
) }}

{%- set dimensions = [
    ('recency', 'last_purchase_date'), ('frequency', 'order_count'), ('monetary', 'total_spent')
] %}

with current_run as (

    select * from {{ ref('int_current_run') }}

),

requests as (

    select * from {{ source('governance', 'refit_requests') }}

),

{% if is_incremental() %}
last_fit as (

    select
        coalesce(max(known.version), 0) as version,
        max(known.fitted_at) as fitted_at
    from {{ this }} as known

),
{% else %}
last_fit as (

    select
        0 as version,
        cast(null as timestamp) as fitted_at

),
{% endif %}

newest_request as (

    select max(requested_at) as requested_at from requests
    where model = 'rfm'

),

-- Fitted once, and again only when somebody asks: scores do not move because others bought.
wanted as (

    select last_fit.version + 1 as version
    from last_fit
    cross join newest_request
    where last_fit.version = 0 or newest_request.requested_at > last_fit.fitted_at

),

buyers as (

    select int_profile_orders.*
    from {{ ref('int_profile_orders') }} as int_profile_orders
    cross join wanted
    where int_profile_orders.order_count > 0

),

{% for dimension, column in dimensions %}
{{ dimension }}_fifths as (

    select
        {{ column }} as cut,
        ntile(5) over (order by {{ column }} nulls last, profile_id) as fifth
    from buyers

),

{% endfor %}
{% for dimension, column in dimensions %}
{{ dimension }}_bounds as (

    select
        fifth,
        min(cut) as cut
    from {{ dimension }}_fifths
    group by fifth

),

{% endfor %}
-- Where many hold the same value, several fifths begin with it; it scores as the lowest of them.
cuts as (

    {% for dimension, column in dimensions %}
    select
        '{{ dimension }}' as dimension,
        min(fifth) as score,
        {{ "cut" if dimension == 'recency' else "cast(null as timestamp)" }} as lower_moment,
        {{ "cast(cut as decimal(18, 4))" if dimension != 'recency' else "cast(null as decimal(18, 4))" }} as lower_value
    from {{ dimension }}_bounds
    group by cut
    {{ "union all" if not loop.last }}
    {% endfor %}

)

select
    cast(wanted.version as {{ dbt.type_bigint() }}) as version,
    cuts.dimension,
    cast(cuts.score as {{ dbt.type_bigint() }}) as score,
    cuts.lower_moment,
    cuts.lower_value,
    current_run.as_of as fitted_as_of,
    {{ run_value('started_at') }} as fitted_at,
    current_run.run_number,
    current_run.run_id
from cuts
cross join wanted
cross join current_run
