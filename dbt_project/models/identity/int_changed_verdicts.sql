{{ config(materialized='table', tags=['change_set']) }}

with verdicts as (

    select * from {{ ref('fct_value_verdicts') }}

),

spellings as (

    select * from {{ ref('int_identifier_values') }}
    where not is_blocked

),

unpublished as (

    {{ changed_by_unpublished_runs({'node': dbt.type_bigint()}) }}

),

together as (

    select node from verdicts
    where run_number > {{ run_value('previous_run_number') }}

    union distinct

    select node from unpublished

)

select
    spellings.birth,
    spellings.node,
    spellings.identifier_type,
    spellings.raw_value,
    {{ run_value('run_number') }} as run_number
from together
inner join spellings on together.node = spellings.node
