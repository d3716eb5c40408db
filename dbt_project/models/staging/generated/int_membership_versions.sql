-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

select
    cast(null as {{ dbt.type_string() }}) as source,
    cast(null as {{ dbt.type_string() }}) as stream,
    cast(null as {{ dbt.type_string() }}) as row_key,
    cast(null as timestamp) as landed_at,
    cast(null as bigint) as landing_number,
    cast(null as {{ dbt.type_string() }}) as list_id,
    cast(null as {{ dbt.type_string() }}) as subject_id,
    cast(null as {{ dbt.type_string() }}) as subject_type,
    cast(null as timestamp) as joined_at,
    cast(null as {{ dbt.type_string() }}) as id_type
from (select 1 as nothing) as nobody
where false
