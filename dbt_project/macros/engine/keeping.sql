{#- Keeps the rows of a query under a name for the statements that follow, in place of any other of
    that name. -#}
{% macro rebuild_temporary(name, query) -%}
    {{ return(adapter.dispatch('rebuild_temporary', 'tributary')(name, query)) }}
{%- endmacro %}


{#- A statement that takes the rows out of a recorded table that `run_number`s of runs which were never
    published stand in. `published` is a query of the run numbers that were. -#}
{% macro delete_of_unpublished(relation, published) -%}
    {{ return(adapter.dispatch('delete_of_unpublished', 'tributary')(relation, published)) }}
{%- endmacro %}


{#- What statements call rows that were kept under a name. -#}
{% macro kept_name(name) -%}
    {{ return(adapter.dispatch('kept_name', 'tributary')(name)) }}
{%- endmacro %}

{% macro default__kept_name(name) -%}
    {{ return(name) }}
{%- endmacro %}


{#- How rows of a large table lie on disk, for a model's config: `partition_by` a moment, `cluster_by` the
    columns by which rows are looked for, `file_size` in megabytes, smaller where a refresh changes rows here
    and there, for the file of a changed row is written anew. None where the engine does without. -#}
{% macro parted_by(moment) -%}
    {{ return(adapter.dispatch('parted_by', 'tributary')(moment)) }}
{%- endmacro %}

{% macro default__parted_by(moment) -%}
    {{ return(none) }}
{%- endmacro %}

{% macro looked_up_by(columns) -%}
    {{ return(adapter.dispatch('looked_up_by', 'tributary')(columns)) }}
{%- endmacro %}

{% macro default__looked_up_by(columns) -%}
    {{ return(none) }}
{%- endmacro %}

{% macro files_of(megabytes) -%}
    {{ return(adapter.dispatch('files_of', 'tributary')(megabytes)) }}
{%- endmacro %}

{% macro default__files_of(megabytes) -%}
    {{ return(none) }}
{%- endmacro %}
