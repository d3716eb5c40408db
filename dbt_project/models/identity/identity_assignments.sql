{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    pre_hook="{{ forget_unpublished_rows() }}"
) }}

with current_run as (

    select * from {{ ref('int_current_run') }}

),

touched as (

    select * from {{ ref('int_touched_identifiers') }}

),

identifiers as (

    select dim_identifiers.*
    from {{ ref('dim_identifiers') }} as dim_identifiers
    inner join touched on dim_identifiers.birth = touched.birth

)

{% if is_incremental() %}
,

recorded as (

    {{ published_rows(this) }}

),

ranked as (

    select
        recorded.*,
        row_number() over (partition by recorded.birth order by recorded.run_number desc) as nth
    from recorded
    inner join touched on recorded.birth = touched.birth

),

before as (

    select * from ranked
    where nth = 1

)
{% endif %}

select
    identifiers.birth,
    {{ 'before.profile_id' if is_incremental() else 'cast(null as ' ~ dbt.type_bigint() ~ ')' }} as profile_before,
    identifiers.profile_id,
    current_run.run_number,
    current_run.run_id,
    current_run.as_of as changed_at
from identifiers
cross join current_run
{%- if is_incremental() %}
left join before on identifiers.birth = before.birth
where before.profile_id is distinct from identifiers.profile_id
{%- endif %}
