{% materialization incremental, adapter='snowflake', supported_languages=['sql', 'python'] %}
    {%- set former = load_cached_relation(this) -%}
    {%- set anew = former is none or former.type != 'table' or should_full_refresh() -%}
    {#- A temporary table, in the schema of the session: it goes with the session if the run is killed. -#}
    {%- set made = make_temp_relation(this).incorporate(type='table').include(database=false, schema=false) -%}
    {{ run_hooks(pre_hooks) }}
    {%- if model['language'] == 'python' -%}
        {%- call statement('rows', language='python') -%}
{{ compiled_code }}
session.keep(model(dbtObj(session.table), session), '{{ made }}')
        {%- endcall -%}
    {%- endif -%}
    {{- return({'relations': [build_increment(former, anew, made)]}) -}}
{% endmaterialization %}


{#- A table that is made anew, in one statement, where dbt would cluster it by a second one. Fail-safe, which
    costs storage, is for what is recorded: everything else can be computed again. -#}
{% macro snowflake__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- set promised = config.get('contract').enforced -%}
    {%- set clustered = config.get('cluster_by') -%}
    {%- if promised -%}
        {%- do get_assert_columns_equivalent(compiled_code) -%}
    {%- endif -%}
    {%- if temporary -%}
    create or replace temporary table {{ relation }}
    {%- else -%}
    create or replace {{ 'transient ' if config.get('full_refresh') is not false }}table {{ relation }}
    {%- endif %}
    {{ get_table_columns_and_constraints() if promised }}
    {{ 'cluster by (' ~ clustered | join(', ') ~ ')' if clustered and not temporary }}
    as (
        {{ get_select_subquery(compiled_code) if promised else compiled_code }}
    )
{%- endmacro %}


{#- Seeds: the whole table in one statement, where dbt would empty it first. Of a seed
    without rows it loads nothing, so its empty table is made before. -#}
{% macro snowflake__create_csv_table(model, agate_table) -%}
    {{ return('' if agate_table.rows | length else load_csv_rows(model, agate_table)) }}
{%- endmacro %}

{% macro snowflake__reset_csv_table(model, full_refresh, old_relation, agate_table) -%}
    {{ return('' if agate_table.rows | length else load_csv_rows(model, agate_table)) }}
{%- endmacro %}

{% macro snowflake__load_csv_rows(model, agate_table) -%}
    {%- set sql = 'create or replace table ' ~ this ~ ' as ' ~ rows_of_seed(model, agate_table) -%}
    {%- do run_query(sql) -%}
    {{ return(sql) }}
{%- endmacro %}
