{#- A path as this engine writes it: a name with a dot or a bracket in it stands in brackets, any other
    behind a dot, where it may hold all else. -#}
{% macro spark_json_path(path) -%}
    {%- set steps = [] -%}
    {%- for quoted, plain, place in modules.re.findall('[.]"([^"]*)"|[.]([^."\\[\\]]+)|(\\[[0-9]+\\])', path) -%}
        {%- set name = quoted or plain -%}
        {%- do steps.append(place or ("['" ~ name ~ "']" if '.' in name or '[' in name else '.' ~ name)) -%}
    {%- endfor -%}
    {{ return('$' ~ steps | join('')) }}
{%- endmacro %}

{% macro spark_json_text(column, path) -%}
    {{ return('get_json_object(' ~ column ~ ', ' ~ text_literal(spark_json_path(path)) ~ ')') }}
{%- endmacro %}

{% macro spark_json_type(column, path) -%}
    {#- A variant names a step as the other functions do, but a name beyond letters in brackets. -#}
    {%- set steps = [] -%}
    {%- for quoted, plain, place in modules.re.findall('[.]"([^"]*)"|[.]([^."\\[\\]]+)|(\\[[0-9]+\\])', path) -%}
        {%- do steps.append(place or '["' ~ (quoted or plain) ~ '"]') -%}
    {%- endfor -%}
    {{ return('schema_of_variant(try_variant_get(try_parse_json(' ~ column ~ '), ' ~ text_literal('$' ~ steps | join('')) ~ ", 'variant'))") }}
{%- endmacro %}


{#- Each path is read by itself: parsing once, into a variant, would put the names of objects in another
    order and take nothing from an object that has a name twice. The case keeps the optimiser from reading
    a path anew wherever its field is used. -#}
{% macro spark__json_fields(column, paths) -%}
    case
        when {{ column }} is not null then array(
            {%- for path in paths %}
            {{ spark_json_text(column, path) }}{{ "," if not loop.last }}
            {%- endfor %}
        )
    end
{%- endmacro %}

{% macro spark__json_field(fields, paths, index) -%}
    {{ fields }}[{{ index }}]
{%- endmacro %}


{% macro spark__json_id(column, fields, paths, index) -%}
    {#- Large and small numbers are written by the engine's own rule, 12345678.5 as 1.23456785E7. -#}
    {%- set text = spark__json_field(fields, paths, index) -%}
    {%- set odd = text_literal('^([\\[{]|(true|false)$|-?[0-9][.][0-9]+E-?[0-9]+$)') -%}
    nullif({{ spark__trimmed(
        'case when not ' ~ text ~ ' rlike ' ~ odd ~ ' then ' ~ text
        ~ ' when ' ~ spark_json_type(column, paths[index]) ~ " = 'STRING' then " ~ text
        ~ ' else ' ~ spark_plain_number(text) ~ ' end'
    ) }}, '')
{%- endmacro %}

{#- The type takes parsing the JSON again, which is left to what may be something else than text. -#}
{% macro spark__json_name(column, fields, paths, index) -%}
    {%- set text = spark__json_field(fields, paths, index) -%}
    {%- set odd = text_literal('^([-0-9\\[{]|(true|false)$)') -%}
    nullif({{ spark__trimmed(
        'case when not ' ~ text ~ ' rlike ' ~ odd ~ ' then ' ~ text
        ~ ' when ' ~ spark_json_type(column, paths[index]) ~ " = 'STRING' then " ~ text ~ ' end'
    ) }}, '')
{%- endmacro %}

{#- A number in the engine's scientific form as other engines write it: in full from 1e-6 to 1e21. Null for
    what is no number. -#}
{% macro spark_plain_number(text) -%}
    {%- set value = 'abs(try_cast(' ~ text ~ ' as double))' -%}
    {{ return(
        'case when ' ~ value ~ ' is null then null when ' ~ value ~ ' >= 1e-6 and ' ~ value ~ ' < 1e21 then regexp_replace(cast(try_cast('
        ~ text ~ ' as decimal(38, 16)) as string), ' ~ text_literal('([.][0-9]*?[1-9])0+$|([.]0)0+$') ~ ", '$1$2') "
        ~ 'else lower(replace(' ~ text ~ ", '.0E', 'E')) end"
    ) }}
{%- endmacro %}


{% macro spark__text_id(text) -%}
    case
        when not {{ text }} rlike '^[\\t\\n\\f\\r ]*([{]("|[}])|\\[|(true|false)[\\t\\n\\f\\r ]*\\z)'
            then nullif({{ spark__trimmed(text) }}, '')
    end
{%- endmacro %}


{% macro spark__json_text(column, path) -%}
    {{ spark_json_text(column, path) }}
{%- endmacro %}


{% macro spark_of_entry(name) -%}
    {{ return(spark__trimmed("try_variant_get(entry, '$." ~ name ~ "', 'string')")) }}
{%- endmacro %}

{% macro spark_entry_has_text(name) -%}
    {{ return("schema_of_variant(try_variant_get(entry, '$." ~ name ~ "', 'variant')) = 'STRING'") }}
{%- endmacro %}

{% macro spark__external_identifiers(column) -%}
    {%- set encoding = "coalesce(nullif(nullif(lower(" ~ spark_of_entry('encoding') ~ "), ''), 'none'), '')" -%}
    {%- set type = "concat_ws(':', lower(" ~ spark_of_entry('type') ~ "), nullif(" ~ encoding ~ ", ''))" -%}
    {%- set value = spark_of_entry('id') -%}
    nullif(to_json(array_sort(array_distinct(transform(
        filter(
            try_variant_get(try_parse_json({{ column }}), '$', 'array<variant>'),
            entry -> {{ spark_entry_has_text('type') }}
                and {{ spark_entry_has_text('id') }}
                and {{ value }} <> ''
                and {{ type }} rlike '^[a-z][a-z0-9_.:-]{0,63}\\z'
                and coalesce(lower({{ spark_of_entry('collection') }}), 'users') in ('users', 'user')
        ),
        entry -> named_struct('identifier_type', {{ type }}, 'raw_value', {{ value }})
    )))), '[]')
{%- endmacro %}


{% macro spark__rows_of_identifiers(relation, columns, identifiers) -%}
    select
        {%- for each in columns %}
        {{ each }},
        {%- endfor %}
        entry.identifier_type,
        entry.raw_value
    from (
        select
            {%- for each in columns %}
            {{ each }},
            {%- endfor %}
            explode(from_json({{ identifiers }}, 'array<struct<identifier_type: string, raw_value: string>>')) as entry
        from {{ relation }}
        where {{ identifiers }} is not null
    ) as unnested
{%- endmacro %}
