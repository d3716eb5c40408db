-- Generated from config/sources.yml by `cdp generate`; change that file instead.
{{ config(materialized='view') }}

select
    cast(null as varchar) as source,
    cast(null as varchar) as stream,
    cast(null as varchar) as row_key,
    cast(null as timestamp) as landed_at,
    cast(null as bigint) as landing_number,
    cast(null as varchar) as list_id,
    cast(null as varchar) as subject_id,
    cast(null as varchar) as subject_type,
    cast(null as timestamp) as joined_at,
    cast(null as varchar) as id_type
where false
