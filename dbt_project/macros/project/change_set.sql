{#- Incremental strategy `change_set`: the model's rows replace what the target holds for every key
    of the run's change set. Unlike delete+insert it also removes keys that have no row any more
    (a profile that was merged away), so an increment ends where a full build would.

    config: change_set = name of the model that lists the keys, change_key = the key's column in
    both. Rows outside the change set may be appended too (new events of no known visitor). -#}
{% macro get_incremental_change_set_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set change_set = config.require('change_set') -%}
    {%- set change_key = config.require('change_key') %}
    delete from {{ target }}
    where {{ change_key }} in (select changed.{{ change_key }} from {{ ref(change_set) }} as changed);

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }};
{% endmacro %}


{#- Condition: the key is in the run's change set. True for every key in a full build. -#}
{% macro in_change_set(column, change_set, change_key=none) -%}
    {#- Evaluated in full builds too, so that dbt sees what the model depends on. -#}
    {%- set changed = ref(change_set) -%}
    {%- set key = change_key or column.split('.')[-1] -%}
    {{ column ~ ' in (select changed.' ~ key ~ ' from ' ~ changed ~ ' as changed)' if is_incremental() else 'true' }}
{%- endmacro %}


{#- Condition: the row of this relation belongs to an order of the change set. It compares the two
    columns as they are, since making the text key of every order there is costs more than the rest.
    True for every row in a full build. -#}
{% macro of_changed_orders(relation) -%}
    {%- set changed = ref('int_changed_orders') -%}
    {%- if is_incremental() -%}
        exists (
            select 1 from {{ changed }} as changed
            where changed.source = {{ relation }}.source and changed.order_id = {{ relation }}.order_id
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}


{#- The refunds that landed since the last published run, or whose customer was found to be nobody's or
    somebody's since: `source`, `refund_id`. -#}
{% macro changed_refunds() -%}
    select
        source,
        refund_id
    from {{ ref('int_refunds') }}
    where landing_number > {{ run_value('published_landing_high_water') }}

    union distinct

    select
        refunds.source,
        refunds.refund_id
    from {{ ref('int_refunds') }} as refunds
    inner join {{ ref('int_changed_verdicts') }} as changed
        on refunds.id_type = changed.identifier_type and refunds.customer_id = changed.raw_value
{%- endmacro %}


{#- What a later model left behind in earlier runs, for models that compare with its former state,
    where a ref would make a circle. Before the model's first run, and its first with these columns,
    it is empty: the given columns (name: type) and no rows. -#}
{% macro former_state(schema, identifier, columns) -%}
    {%- set found = adapter.get_relation(target.database, schema, identifier) if execute else none -%}
    {%- set there = adapter.get_columns_in_relation(found) | map(attribute='name') | map('lower') | list if found is not none else [] -%}
    {%- if found is not none and columns.keys() | reject('in', there) | list == [] -%}
        {{ found }}
    {%- else -%}
        (
            select
                {%- for name, type in columns.items() %}
                cast(null as {{ type }}) as {{ name }}{{ "," if not loop.last }}
                {%- endfor %}
            from (select 1 as nothing) as nobody
            where false
        )
    {%- endif -%}
{%- endmacro %}


{#- Condition: a later model has been built before, if only without a row. -#}
{% macro stands_already(schema, identifier) -%}
    {{ 'true' if execute and adapter.get_relation(target.database, schema, identifier) is not none else 'false' }}
{%- endmacro %}


{#- The change set that runs since the last published one left in this model: they computed those keys
    already, so the keys are computed anew even where the reason has gone since, such as a merge that
    a later row undoes. `columns` are the key's (name: type); the model has a `run_number` beside. -#}
{% macro changed_by_unpublished_runs(columns) -%}
    select
        {%- for name in columns %}
        former.{{ name }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ former_state(this.schema, this.identifier, dict(columns, run_number=dbt.type_bigint())) }} as former
    where former.run_number > {{ run_value('previous_run_number') }}
{%- endmacro %}
