{#- A temporary view is what it reads, over and over; what is kept here is rows (see
    `cdp/warehouse/engines/dbt_sessions.py`). -#}
{% macro spark__rebuild_temporary(name, query) -%}
    {%- do adapter.keep_rows(name, query) -%}
{%- endmacro %}


{#- The engine deletes by no query. There is rarely anything to forget, and a look costs less than a
    change of the table. -#}
{% macro spark__delete_of_unpublished(relation, published) -%}
    {%- set found = run_query(
        'select distinct run_number from ' ~ relation ~ ' where run_number not in (' ~ published ~ ')'
    ) -%}
    {%- set numbers = found.columns[0].values() if execute else [] -%}
    {%- if numbers | length > 0 -%}
    delete from {{ relation }} where run_number in ({{ numbers | join(', ') }})
    {%- else -%}
    select 1 as nothing_to_forget
    {%- endif -%}
{%- endmacro %}


{#- Not parted into folders: the days of a shop are many and small. Delta lays rows out by these columns where
    the table is optimised. -#}
{% macro spark__looked_up_by(columns) -%}
    {{ return(columns) }}
{%- endmacro %}

{% macro spark__files_of(megabytes) -%}
    {{ return(megabytes) }}
{%- endmacro %}
