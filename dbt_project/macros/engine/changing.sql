{#- How tables of Snowflake and BigQuery are given what has changed: every strategy is one statement, so a
    run that is killed has changed a table wholly or not at all, and leaves no transaction open that the
    next model would end. -#}

{#- A statement that writes the rows of the table `made` into `relation`, by the model's strategy.

    Deleting and inserting are one MERGE, which matches rows of the table with rows of a source: a key that
    is to go matches and deletes, a new row never matches and is inserted. -#}
{% macro change_in_one_statement(relation, made, names) -%}
    {%- set strategy = config.get('incremental_strategy') -%}
    {%- if strategy == 'append' -%}
        insert into {{ relation }} ({{ names | join(', ') }})
        select {{ names | join(', ') }} from {{ made }}
    {%- elif strategy == 'merge' -%}
        {%- set key = config.require('unique_key') -%}
        merge into {{ relation }} as held
        using {{ made }} as made
        on held.{{ key }} = made.{{ key }}
        when matched then update set
            {%- for name in config.require('merge_update_columns') %}
            {{ name }} = made.{{ name }}{{ "," if not loop.last }}
            {%- endfor %}
        when not matched then insert ({{ names | join(', ') }})
            values (made.{{ names | join(', made.') }})
    {%- elif strategy in ('change_set', 'delete+insert') -%}
        {%- set keys = [config.require('change_key')] if strategy == 'change_set' else config.require('unique_key') -%}
        {%- set keys = [keys] if keys is string else keys -%}
        merge into {{ relation }} as held
        using (
            select
                true as is_made,
                {{ names | join(', ') }}
            from {{ made }}
            union all
            select distinct
                false as is_made,
                {%- for name in names %}
                {{ name if name | lower in keys else 'null' }}{{ "," if not loop.last }}
                {%- endfor %}
            from {{ ref(config.require('change_set')) if strategy == 'change_set' else made }}
        ) as news
        on not news.is_made and {% for key in keys %}held.{{ key }} = news.{{ key }}{{ " and " if not loop.last }}{% endfor %}
        when matched then delete
        when not matched and news.is_made then insert ({{ names | join(', ') }})
            values (news.{{ names | join(', news.') }})
    {%- else -%}
        {{ exceptions.raise_compiler_error("the engine has no incremental strategy '" ~ strategy ~ "'") }}
    {%- endif -%}
{%- endmacro %}


{#- The names of the columns that are written, once the table has them all: as `on_schema_change` says.
    Types are not compared: of a number the engine chooses the places by how the query computes it. -#}
{% macro columns_to_write(relation, made) -%}
    {%- set names = [] -%}
    {%- for column in adapter.get_column_schema_from_query(get_empty_subquery_sql('select * from ' ~ made)) -%}
        {%- do names.append(column.name | lower) -%}
    {%- endfor -%}
    {%- set held = adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list -%}
    {%- set missing = names | reject('in', held) | list -%}
    {%- set gone = held | reject('in', names) | list -%}
    {%- if (missing or gone) and config.get('on_schema_change') != 'sync_all_columns' -%}
        {{ exceptions.raise_compiler_error(
            relation ~ ' has other columns than its model. New: ' ~ (missing | join(', ') or 'none')
            ~ '. Gone: ' ~ (gone | join(', ') or 'none')
        ) }}
    {%- endif -%}
    {%- for column in adapter.get_columns_in_relation(made) if missing and column.name | lower in missing -%}
        {%- do run_query('alter table ' ~ relation ~ ' add column ' ~ column.name ~ ' ' ~ column.data_type) -%}
    {%- endfor -%}
    {%- for name in gone -%}
        {%- do run_query('alter table ' ~ relation ~ ' drop column ' ~ name) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}


{#- An incremental model of either engine: whole where there is none yet, else what has changed. A model in
    Python has run in this process (see `cdp/warehouse/engines/dbt_warehouses.py`) and left its rows in
    `made`, which is the table that a query fills here. -#}
{% macro build_increment(former, anew, made) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set is_python = model['language'] == 'python' -%}
    {%- if anew -%}
        {%- if former is not none and former.type != 'table' -%}
            {%- do adapter.drop_relation(former) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            {{ create_table_as(False, target_relation, 'select * from ' ~ made if is_python else compiled_code) }}
        {%- endcall -%}
    {%- else -%}
        {%- if not is_python -%}
            {%- do run_query(create_table_as(True, made, compiled_code)) -%}
        {%- endif -%}
        {%- set names = columns_to_write(target_relation, made) -%}
        {%- call statement('main') -%}
            {{ change_in_one_statement(target_relation, made, names) }}
        {%- endcall -%}
    {%- endif -%}
    {%- if is_python or not anew -%}
        {%- do adapter.drop_relation(made) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ return(target_relation) }}
{%- endmacro %}


{#- The rows of a seed as a query, each value read as its column's type. -#}
{% macro rows_of_seed(model, agate_table) -%}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- if not agate_table.rows | length %}
    select
        {%- for name in agate_table.column_names %}
        cast(null as {{ type_named(types.get(name, adapter.convert_type(agate_table, loop.index0))) }}) as {{ name }}{{ "," if not loop.last }}
        {%- endfor %}
    limit 0
    {%- endif %}
    {%- for row in agate_table.rows %}
    select
        {%- for name in agate_table.column_names %}
        {%- set value = row[loop.index0] %}
        cast({{ 'null' if value is none else text_literal(value | string) }} as {{ type_named(types.get(name, adapter.convert_type(agate_table, loop.index0))) }}) as {{ name }}{{ "," if not loop.last }}
        {%- endfor %}
    {{ "union all" if not loop.last }}
    {%- endfor %}
{%- endmacro %}
