{#- A temporary table is the session's alone. -#}
{% macro snowflake__rebuild_temporary(name, query) -%}
    {%- do run_query('create or replace temporary table ' ~ name ~ ' as ' ~ query) -%}
{%- endmacro %}


{% macro snowflake__delete_of_unpublished(relation, published) -%}
    delete from {{ relation }}
    where run_number not in ({{ published }})
{%- endmacro %}


{#- The engine parts a table by itself, and keeps rows together that have like values in these columns. -#}
{% macro snowflake__looked_up_by(columns) -%}
    {{ return(columns) }}
{%- endmacro %}
