{#- A temporary table lasts as long as its query here, so rows are kept in a table of the default dataset
    that goes away by itself. -#}
{% macro bigquery__kept_name(name) -%}
    {{ return(api.Relation.create(database=target.database, schema=target.schema, identifier=name) | string) }}
{%- endmacro %}


{% macro bigquery__rebuild_temporary(name, query) -%}
    {%- do run_query(
        'create or replace table ' ~ kept_name(name)
        ~ ' options (expiration_timestamp = timestamp_add(current_timestamp(), interval 12 hour)) as ' ~ query
    ) -%}
{%- endmacro %}


{% macro bigquery__delete_of_unpublished(relation, published) -%}
    delete from {{ relation }}
    where run_number not in ({{ published }})
{%- endmacro %}


{#- By month: a table has ten thousand partitions at most, and a statement changes four thousand. -#}
{% macro bigquery__parted_by(moment) -%}
    {{ return({'field': moment, 'data_type': 'timestamp', 'granularity': 'month'}) }}
{%- endmacro %}

{% macro bigquery__looked_up_by(columns) -%}
    {{ return(columns) }}
{%- endmacro %}
