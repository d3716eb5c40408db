{#- A path as this engine writes it: every name in brackets, where it may hold anything. -#}
{% macro snowflake_json_path(path) -%}
    {%- set steps = [] -%}
    {%- for quoted, plain, place in modules.re.findall('[.]"([^"]*)"|[.]([^."\\[\\]]+)|(\\[[0-9]+\\])', path) -%}
        {%- do steps.append(place or '["' ~ (quoted or plain) ~ '"]') -%}
    {%- endfor -%}
    {{ return(steps | join('')) }}
{%- endmacro %}


{#- What was parsed is a value with its type, and what is in it is found without parsing again. The text
    of an object has its names in the order of the alphabet, and a number is written as short as can be. -#}
{% macro snowflake__json_fields(column, paths) -%}
    try_parse_json({{ column }})
{%- endmacro %}

{% macro snowflake_json_value(fields, path) -%}
    {%- set steps = snowflake_json_path(path) -%}
    {{ return('get_path(' ~ fields ~ ', ' ~ text_literal(steps) ~ ')' if steps else fields) }}
{%- endmacro %}

{% macro snowflake__json_field(fields, paths, index) -%}
    {{ snowflake_json_value(fields, paths[index]) }}::varchar
{%- endmacro %}


{#- As JSON, text begins with a quotation mark and a number with none of these. -#}
{% macro snowflake__json_id(column, fields, paths, index) -%}
    {%- set value = snowflake_json_value(fields, paths[index]) -%}
    nullif({{ trimmed(
        "case when left(to_json(" ~ value ~ "), 1) not in ('{', '[', 't', 'f') then " ~ value ~ '::varchar end'
    ) }}, '')
{%- endmacro %}


{% macro snowflake__json_name(column, fields, paths, index) -%}
    {%- set value = snowflake_json_value(fields, paths[index]) -%}
    nullif({{ trimmed(
        "case when left(to_json(" ~ value ~ "), 1) = '\"' then " ~ value ~ '::varchar end'
    ) }}, '')
{%- endmacro %}


{% macro snowflake__text_id(text) -%}
    case
        when regexp_instr({{ text }}, {{ text_literal('^[\t\n\f\r ]*([{]("|[}])|\\[|(true|false)[\t\n\f\r ]*$)') }}) = 0
            then nullif({{ trimmed(text) }}, '')
    end
{%- endmacro %}


{% macro snowflake__json_text(column, path) -%}
    {{ snowflake_json_value('try_parse_json(' ~ column ~ ')', path) }}::varchar
{%- endmacro %}


{% macro snowflake_of_entry(name) -%}
    {{ return(trimmed("get_path(entry, '" ~ name ~ "')::varchar")) }}
{%- endmacro %}

{% macro snowflake_entry_has_text(name) -%}
    {{ return("left(to_json(get_path(entry, '" ~ name ~ "')), 1) = '\"'") }}
{%- endmacro %}

{#- Without a subquery: the engine flattens nothing in one that looks at the row around it. Each identifier
    is text as JSON before those told twice are left out and the others put in order. -#}
{% macro snowflake__external_identifiers(column) -%}
    {%- set encoding = "coalesce(nullif(lower(" ~ snowflake_of_entry('encoding') ~ "), 'none'), '')" -%}
    {%- set type = "lower(" ~ snowflake_of_entry('type') ~ ") || case when " ~ encoding ~ " <> '' then ':' || " ~ encoding ~ " else '' end" -%}
    {%- set value = snowflake_of_entry('id') -%}
    nullif('[' || array_to_string(array_sort(array_distinct(transform(
        filter(
            as_array(try_parse_json({{ column }})),
            entry -> {{ snowflake_entry_has_text('type') }}
                and {{ snowflake_entry_has_text('id') }}
                and {{ value }} <> ''
                and regexp_like({{ type }}, '[a-z][a-z0-9_.:-]{0,63}')
                and coalesce(lower({{ snowflake_of_entry('collection') }}), 'users') in ('users', 'user')
        ),
        entry -> to_json(object_construct('identifier_type', {{ type }}, 'raw_value', {{ value }}))
    ))), ',') || ']', '[]')
{%- endmacro %}


{% macro snowflake__rows_of_identifiers(relation, columns, identifiers) -%}
    select
        {%- for each in columns %}
        given.{{ each }},
        {%- endfor %}
        get_path(entry.value, 'identifier_type')::varchar as identifier_type,
        get_path(entry.value, 'raw_value')::varchar as raw_value
    from {{ relation }} as given,
        lateral flatten(input => try_parse_json(given.{{ identifiers }})) as entry
    where given.{{ identifiers }} is not null
{%- endmacro %}
