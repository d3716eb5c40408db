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

clusters as (

    select * from {{ ref('quarantined_clusters') }}

)

{% if is_incremental() %}
,

recorded as (

    {{ published_rows(this) }}

),

ranked as (

    select
        recorded.*,
        row_number() over (partition by recorded.cluster_id, recorded.kind order by recorded.run_number desc) as nth
    from recorded

),

before as (

    select * from ranked
    where nth = 1 and is_quarantined

)

select
    coalesce(clusters.cluster_id, before.cluster_id) as cluster_id,
    coalesce(clusters.kind, before.kind) as kind,
    coalesce(clusters.sign, before.sign) as sign,
    clusters.seen,
    clusters.cluster_id is not null as is_quarantined,
    current_run.run_number,
    current_run.run_id,
    current_run.as_of as changed_at
from clusters
full outer join before on clusters.cluster_id = before.cluster_id and clusters.kind = before.kind
cross join current_run
where clusters.cluster_id is null or before.cluster_id is null
{% else %}
select
    clusters.cluster_id,
    clusters.kind,
    clusters.sign,
    clusters.seen,
    true as is_quarantined,
    current_run.run_number,
    current_run.run_id,
    current_run.as_of as changed_at
from clusters
cross join current_run
{% endif %}
