{#- Whether a macro may ask the warehouse now: while models are built or tested, not while the project
    is parsed, compiled or linted, when no table need exist. -#}
{% macro reads_tables() -%}
    {{ return(execute and flags.WHICH != 'compile') }}
{%- endmacro %}


{#- The raw tables of all declared sources. -#}
{% macro raw_tables() -%}
    {%- set tables = [] -%}
    {%- if execute -%}
        {%- for node in graph.sources.values() if node.source_name == 'raw' -%}
            {%- do tables.append(adapter.Relation.create(node.database, node.schema, node.identifier)) -%}
        {%- endfor -%}
    {%- else -%}
        {%- do tables.append('raw') -%}
    {%- endif -%}
    {{ return(tables) }}
{%- endmacro %}


{#- One column of the current run as a scalar subquery. -#}
{% macro run_value(column) -%}
    (select current_run.{{ column }} from {{ ref('int_current_run') }} as current_run)
{%- endmacro %}


{#- Rows of a recorded relation that count as the state before this run: those of published runs. A
    run that was killed or refused left rows that its repetition must not see. -#}
{% macro published_rows(relation) -%}
    select recorded.*
    from {{ relation }} as recorded
    where recorded.run_number in (
        select runs.run_number from {{ source('governance', 'runs') }} as runs
        where runs.status = 'published'
    )
{%- endmacro %}


{#- The one text of a key made of several columns: canonical on every engine. -#}
{% macro text_key(columns) -%}
    {%- set texts = [] -%}
    {%- for column in columns -%}
        {%- do texts.append('coalesce(cast(' ~ column ~ ' as ' ~ dbt.type_string() ~ '), chr(1))') -%}
    {%- endfor -%}
    {{ dbt.hash(texts | join(' || chr(31) || ')) }}
{%- endmacro %}


{#- Takes back what this recorded model wrote in runs that were never published, the current one's
    earlier try included, so that a killed run is simply repeated. For use as a pre-hook. -#}
{% macro forget_unpublished_rows() -%}
    {%- set published = "select runs.run_number from " ~ source('governance', 'runs') ~ " as runs where runs.status = 'published'" -%}
    {%- if is_incremental() -%}
    {{ delete_of_unpublished(this, published) }}
    {%- else -%}
    select 1 as nothing_to_forget
    {%- endif -%}
{%- endmacro %}


{#- Condition: the row landed after what the last published run has seen. True for every row in a
    full build. -#}
{% macro landed_since_published(column) -%}
    {#- Evaluated in full builds too, so that dbt sees what the model depends on. -#}
    {%- set seen = run_value('published_landing_high_water') -%}
    {{ column ~ ' > ' ~ seen if is_incremental() else 'true' }}
{%- endmacro %}
