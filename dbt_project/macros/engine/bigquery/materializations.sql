{% materialization incremental, adapter='bigquery', supported_languages=['sql', 'python'] %}
    {%- set former = load_cached_relation(this) -%}
    {%- set anew = former is none or former.type != 'table' or should_full_refresh() -%}
    {%- if anew and former is not none and former.type == 'table' -%}
        {#- The engine replaces no table by one of other partitions. -#}
        {%- set partitions = adapter.parse_partition_by(config.get('partition_by')) -%}
        {%- if not adapter.is_replaceable(former, partitions, config.get('cluster_by')) -%}
            {%- do adapter.drop_relation(former) -%}
        {%- endif -%}
    {%- endif -%}
    {%- set made = make_temp_relation(this).incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- if model['language'] == 'python' -%}
        {%- call statement('rows', language='python') -%}
{{ compiled_code }}
session.keep(model(dbtObj(session.table), session), '{{ made }}')
        {%- endcall -%}
    {%- endif -%}
    {{- return({'relations': [build_increment(former, anew, made)]}) -}}
{% endmaterialization %}


{#- A table that is made anew, in one statement. dbt's own writes the columns that a contract promises by
    names of types that the engine does not have. -#}
{% macro bigquery__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- set promised = config.get('contract').enforced -%}
    {%- if promised -%}
        {%- do get_assert_columns_equivalent(compiled_code) -%}
    {%- endif -%}
    create or replace table {{ relation }}
    {%- if not temporary %}
    {{ partition_by(adapter.parse_partition_by(config.get('partition_by'))) }}
    {{ cluster_by(config.get('cluster_by')) }}
    {%- endif %}
    {{ bigquery_table_options(config, model, temporary) }}
    as (
        {{ get_select_subquery(compiled_code) if promised else compiled_code }}
    )
{%- endmacro %}


{#- Seeds: the whole table in one statement, where dbt would drop it first. Of a seed
    without rows it loads nothing, so its empty table is made before. -#}
{% macro bigquery__create_csv_table(model, agate_table) -%}
    {{ return('' if agate_table.rows | length else load_csv_rows(model, agate_table)) }}
{%- endmacro %}

{% macro bigquery__reset_csv_table(model, full_refresh, old_relation, agate_table) -%}
    {{ return('' if agate_table.rows | length else load_csv_rows(model, agate_table)) }}
{%- endmacro %}

{% macro bigquery__load_csv_rows(model, agate_table) -%}
    {%- set sql = 'create or replace table ' ~ this ~ ' as ' ~ rows_of_seed(model, agate_table) -%}
    {%- do run_query(sql) -%}
    {{ return(sql) }}
{%- endmacro %}
