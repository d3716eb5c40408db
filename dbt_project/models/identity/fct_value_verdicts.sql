{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    contract={'enforced': true},
    pre_hook="{{ forget_unpublished_rows() }}"
) }}

with current_run as (

    select * from {{ ref('int_current_run') }}

),

nobodys as (

    select birth as node from {{ ref('int_identity_constrained') }}
    where kind = 'member' and is_nobodys

)

{% if is_incremental() %}
,

recorded as (

    {{ published_rows(this) }}

),

ranked as (

    select
        recorded.*,
        row_number() over (partition by recorded.node order by recorded.run_number desc) as nth
    from recorded

),

before as (

    select * from ranked
    where nth = 1 and is_nobodys

)

select
    coalesce(nobodys.node, before.node) as node,
    nobodys.node is not null as is_nobodys,
    current_run.run_number,
    current_run.run_id,
    current_run.as_of as changed_at
from nobodys
full outer join before on nobodys.node = before.node
cross join current_run
where nobodys.node is null or before.node is null
{% else %}
select
    nobodys.node,
    true as is_nobodys,
    current_run.run_number,
    current_run.run_id,
    current_run.as_of as changed_at
from nobodys
cross join current_run
{% endif %}
