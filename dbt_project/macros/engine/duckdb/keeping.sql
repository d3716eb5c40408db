{% macro duckdb__rebuild_temporary(name, query) -%}
    {%- do run_query('create or replace temporary table ' ~ name ~ ' as ' ~ query) -%}
{%- endmacro %}


{% macro duckdb__delete_of_unpublished(relation, published) -%}
    delete from {{ relation }}
    where run_number not in ({{ published }})
{%- endmacro %}
