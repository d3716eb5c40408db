{#- How a table of Spark is given what has changed: every strategy is one commit of Delta, so a run that is
    killed has changed a table wholly or not at all.

    Delta deletes and inserts in one commit only by MERGE, which matches rows of the table with rows of a
    source. The source holds each new row under a key that no row of the table has, so it is inserted, and
    each key that is to go, which deletes its rows. -#}
{% materialization incremental, adapter='spark', supported_languages=['sql', 'python'] %}
    {%- set former = load_cached_relation(this) -%}
    {%- set anew = former is none or former.type == 'view' or should_full_refresh() -%}
    {%- set kept = this.identifier ~ '__rows' -%}
    {{ run_hooks(pre_hooks) }}
    {%- if model['language'] == 'python' -%}
        {%- call statement('rows', language='python') -%}
{{ compiled_code }}
keep('{{ kept }}', model(dbtObj(spark.table), spark))
        {%- endcall -%}
        {%- set query = 'select * from ' ~ kept -%}
    {%- else -%}
        {%- set query = compiled_code -%}
    {%- endif -%}
    {%- if anew -%}
        {%- set target_relation = spark_replace_table(former, query) -%}
    {%- else -%}
        {%- set target_relation = this.incorporate(type='table') -%}
        {%- if config.get('contract').enforced -%}
            {%- do get_assert_columns_equivalent(query) -%}
        {%- endif -%}
        {%- set columns = spark_columns_to_write(target_relation, query) -%}
        {%- if model['language'] != 'python' -%}
            {#- Worked out once: a MERGE asks its source more than once. -#}
            {%- do adapter.keep_rows(kept, query) -%}
        {%- endif -%}
        {%- do spark_set_file_size() -%}
        {%- call statement('main') -%}
            {{ spark_change(target_relation, 'select * from ' ~ kept, columns) }}
        {%- endcall -%}
    {%- endif -%}
    {%- if model['language'] == 'python' or not anew -%}
        {%- do run_query('drop view if exists ' ~ kept) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{- return({'relations': [target_relation]}) -}}
{% endmaterialization %}


{#- The columns of the query, once the table has them all: as `on_schema_change` says. -#}
{% macro spark_columns_to_write(relation, query) -%}
    {%- set new = adapter.get_column_schema_from_query(get_empty_subquery_sql(query)) -%}
    {%- set held = {} -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
        {%- do held.update({column.name | lower: column.dtype | lower}) -%}
    {%- endfor -%}
    {%- set names = new | map(attribute='name') | map('lower') | list -%}
    {%- set missing = new | rejectattr('name', 'in', held) | list -%}
    {%- set gone = held.keys() | reject('in', names) | list -%}
    {%- set other = [] -%}
    {%- for column in new if column.name in held and held[column.name] != column.dtype | lower -%}
        {%- do other.append(column.name ~ ' (' ~ held[column.name] ~ ', now ' ~ column.dtype | lower ~ ')') -%}
    {%- endfor -%}
    {%- if (missing or gone or other) and (other or config.get('on_schema_change') != 'sync_all_columns') -%}
        {{ exceptions.raise_compiler_error(
            relation ~ ' has other columns than its model. New: ' ~ (missing | map(attribute='name') | join(', ') or 'none')
            ~ '. Gone: ' ~ (gone | join(', ') or 'none') ~ '. Of another type: ' ~ (other | join(', ') or 'none')
        ) }}
    {%- endif -%}
    {%- if missing -%}
        {%- set added = [] -%}
        {%- for column in missing -%}{%- do added.append(column.name ~ ' ' ~ column.dtype) -%}{%- endfor -%}
        {%- do run_query('alter table ' ~ relation ~ ' add columns (' ~ added | join(', ') ~ ')') -%}
    {%- endif -%}
    {%- if gone -%}
        {%- do run_query('alter table ' ~ relation ~ ' drop columns (' ~ gone | join(', ') ~ ')') -%}
    {%- endif -%}
    {{ return(new) }}
{%- endmacro %}


{#- The statement of the model's strategy. -#}
{% macro spark_change(relation, query, columns) -%}
    {%- set names = columns | map(attribute='name') | list -%}
    {%- set strategy = config.get('incremental_strategy') -%}
    {%- if strategy == 'append' -%}
        insert into {{ relation }} ({{ names | join(', ') }})
        select {{ names | join(', ') }} from (
        {{ query }}
        ) as made
    {%- elif strategy == 'merge' -%}
        {%- set key = config.require('unique_key') -%}
        merge into {{ relation }} as held
        using (
        {{ query }}
        ) as made
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
        {%- set types = {} -%}
        {%- for column in columns -%}{%- do types.update({column.name: column.dtype | lower}) -%}{%- endfor -%}
        merge into {{ relation }} as held
        using (
            {%- if strategy == 'change_set' %}
            select
                {{ spark_key_of_none(keys[0], types[keys[0]]) }} as merge_key_1,
                true as is_made,
                made.*
            from (
            {{ query }}
            ) as made
            union all
            select
                changed.{{ keys[0] }},
                false,
                {%- for name in names %}
                null{{ "," if not loop.last }}
                {%- endfor %}
            from (select distinct {{ keys[0] }} from {{ ref(config.require('change_set')) }}) as changed
            {%- else %}
            select
                {%- for key in keys %}
                {% if loop.first -%}
                case when given.is_made then {{ spark_key_of_none('made.' ~ key, types[key]) }} else made.{{ key }} end as merge_key_{{ loop.index }},
                {%- else -%}
                made.{{ key }} as merge_key_{{ loop.index }},
                {%- endif %}
                {%- endfor %}
                given.is_made,
                made.*
            from (
            {{ query }}
            ) as made
            cross join (select true as is_made union all select false) as given
            {%- endif %}
        ) as news
        on {% for key in keys %}held.{{ key }} = news.merge_key_{{ loop.index }}{{ " and " if not loop.last }}{% endfor %}
        when matched then delete
        when not matched and news.is_made then insert ({{ names | join(', ') }})
            values (news.{{ names | join(', news.') }})
    {%- else -%}
        {{ exceptions.raise_compiler_error("the engine has no incremental strategy '" ~ strategy ~ "'") }}
    {%- endif -%}
{%- endmacro %}


{#- A key that no row has: ids are above zero, and no text begins with what ends all texts. A null would do
    too, but all new rows would be one worker's. -#}
{% macro spark_key_of_none(key, type) -%}
    {{ "-1 - " ~ key if type in ('bigint', 'int') else "chr(0) || " ~ key }}
{%- endmacro %}
