{#- How DuckDB is given a table or a view that is made anew. dbt-duckdb makes it under another name,
    moves the former one away, gives the new one its name and drops the former: four statements, each
    through macros, which take a small refresh longer than its queries do. The engine replaces either
    at once, within the transaction, and readers of the former one keep it until then. -#}
{% materialization table, adapter='duckdb' %}
    {{- return({'relations': [replace_relation('table')]}) -}}
{% endmaterialization %}


{% materialization view, adapter='duckdb' %}
    {{- return({'relations': [replace_relation('view')]}) -}}
{% endmaterialization %}


{#- The model's own relation, replaced by what its query says. The query may read what is replaced,
    as long as it stays a table or a view. -#}
{% macro replace_relation(type) %}
    {%- set former = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type=type) -%}
    {%- set promised = config.get('contract').enforced -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if former is not none and former.type != type -%}
        {#- Dropping begins no transaction by itself, and a model that fails must leave what was there. -#}
        {%- do adapter.ensure_transaction() -%}
        {%- do adapter.drop_relation(former) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        {%- if promised -%}
            {{ get_assert_columns_equivalent(compiled_code) }}
        {%- endif -%}
        create or replace {{ type }} {{ target_relation }} as (
            {{ get_select_subquery(compiled_code) if promised else compiled_code }}
        )
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{- return(target_relation) -}}
{% endmacro %}
