{#- How Spark is given a table or a view that is made anew. A table is one commit of Delta: readers have the
    former one until then, and a model that fails leaves it. -#}
{% materialization table, adapter='spark' %}
    {{ run_hooks(pre_hooks) }}
    {%- set target_relation = spark_replace_table(load_cached_relation(this), compiled_code) -%}
    {{ run_hooks(post_hooks) }}
    {{- return({'relations': [target_relation]}) -}}
{% endmaterialization %}


{% materialization view, adapter='spark' %}
    {%- set former = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks) }}
    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(compiled_code) -%}
    {%- endif -%}
    {%- if former is not none and former.type == 'table' -%}
        {#- A view takes no table's place; that its query can be read is seen before the table goes. -#}
        {%- do adapter.get_column_schema_from_query(get_empty_subquery_sql(compiled_code)) -%}
        {%- do adapter.drop_relation(former) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        create or replace view {{ target_relation }} as
        {{ compiled_code }}
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {{- return({'relations': [target_relation]}) -}}
{% endmaterialization %}


{#- The model's own table, replaced by the rows of a query, which may read what is replaced. -#}
{% macro spark_replace_table(former, query) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set promised = config.get('contract').enforced -%}
    {%- if promised -%}
        {%- do get_assert_columns_equivalent(query) -%}
    {%- endif -%}
    {%- set in_the_way = former is not none and former.type == 'view' -%}
    {%- set made = make_temp_relation(target_relation, '__made').include(schema=true) if in_the_way else target_relation -%}
    {%- do spark_set_file_size() -%}
    {%- call statement('main') -%}
        create or replace table {{ made }}
        using delta
        {{ spark_properties() }}
        {{ spark_clustering() }}
        as
        {{ get_select_subquery(query) if promised else query }}
    {%- endcall -%}
    {%- if in_the_way -%}
        {%- do adapter.drop_relation(former) -%}
        {%- do run_query('alter table ' ~ made ~ ' rename to ' ~ target_relation) -%}
    {%- endif -%}
    {{ return(target_relation) }}
{%- endmacro %}


{#- A model says by which columns its rows are looked for (`cluster_by`), as it does for the engines of the
    cloud. -#}
{% macro spark_clustering() -%}
    {%- set columns = config.get('cluster_by') -%}
    {{ 'cluster by (' ~ columns | join(', ') ~ ')' if columns }}
{%- endmacro %}

{#- Only a table whose columns have ids can lose one. Where a model says how large its files are, it is
    written in few, and what small ones many refreshes have left is put together by the refresh that finds
    fifty of them. -#}
{% macro spark_properties() -%}
    {%- set properties = [] -%}
    {%- if config.get('on_schema_change') == 'sync_all_columns' -%}
        {%- do properties.append("'delta.columnMapping.mode' = 'name'") -%}
    {%- endif -%}
    {%- if config.get('file_size') -%}
        {%- do properties.append("'delta.autoOptimize.optimizeWrite' = 'true'") -%}
        {%- do properties.append("'delta.autoOptimize.autoCompact' = 'true'") -%}
    {%- endif -%}
    {{ 'tblproperties (' ~ properties | join(', ') ~ ')' if properties }}
{%- endmacro %}


{#- How large its writer and what puts small files together make the files of the model's table. Delta has them
    from the session: a property `delta.targetFileSize` is known to Databricks alone, and refused elsewhere. -#}
{% macro spark_set_file_size() -%}
    {%- set megabytes = config.get('file_size') -%}
    {%- if megabytes -%}
        {%- do run_query('set spark.databricks.delta.optimizeWrite.binSize=' ~ megabytes ~ 'm') -%}
        {%- do run_query('set spark.databricks.delta.autoCompact.maxFileSize=' ~ megabytes * 1024 * 1024) -%}
    {%- endif -%}
{%- endmacro %}


{#- Seeds: the whole table in one commit, where dbt would empty it first. Of a seed
    without rows it loads nothing, so its empty table is made before. -#}
{% macro spark__create_csv_table(model, agate_table) -%}
    {{ return('' if agate_table.rows | length else load_csv_rows(model, agate_table)) }}
{%- endmacro %}

{% macro spark__reset_csv_table(model, full_refresh, old_relation, agate_table) -%}
    {{ return('' if agate_table.rows | length else load_csv_rows(model, agate_table)) }}
{%- endmacro %}

{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set sql -%}
        create or replace table {{ this }} using delta as
        {%- if not agate_table.rows | length %}
        {{ rows_of_seed(model, agate_table) }}
        {%- else %}
        select
            {%- for name in agate_table.column_names %}
            cast({{ name }} as {{ type_named(types.get(name, adapter.convert_type(agate_table, loop.index0))) }}) as {{ name }}{{ "," if not loop.last }}
            {%- endfor %}
        from values
            {%- for row in agate_table.rows %}
            ({%- for value in row %}{{ 'null' if value is none else text_literal(value | string) }}{{ ", " if not loop.last }}{% endfor %}){{ "," if not loop.last }}
            {%- endfor %}
            as given ({{ agate_table.column_names | join(', ') }})
        {%- endif %}
    {%- endset -%}
    {%- do run_query(sql) -%}
    {{ return(sql) }}
{%- endmacro %}
