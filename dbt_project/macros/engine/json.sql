{#- Reading JSON text. `json_fields` parses a column once for many paths, where the engine can;
    `json_field` names one of them by its position (from 0). -#}
{% macro json_fields(column, paths) -%}
    {{ return(adapter.dispatch('json_fields', 'tributary')(column, paths)) }}
{%- endmacro %}

{% macro json_field(fields, paths, index) -%}
    {{ return(adapter.dispatch('json_field', 'tributary')(fields, paths, index)) }}
{%- endmacro %}


{#- One of the fields as an id, the JSON being in `column`: text or a number. Objects, lists and booleans,
    which are text once they are extracted, are none, and neither is a blank. What an id looks like
    says nothing: ids made on Windows are written in braces. -#}
{% macro json_id(column, fields, paths, index) -%}
    {{ return(adapter.dispatch('json_id', 'tributary')(column, fields, paths, index)) }}
{%- endmacro %}


{#- One of the fields as a name, the JSON being in `column`: text alone. A number, an object, a list or a
    boolean is none, and neither is a blank. -#}
{% macro json_name(column, fields, paths, index) -%}
    {{ return(adapter.dispatch('json_name', 'tributary')(column, fields, paths, index)) }}
{%- endmacro %}


{#- Text that was computed as an id, by the form that objects, lists and booleans have as text. -#}
{% macro text_id(text) -%}
    {{ return(adapter.dispatch('text_id', 'tributary')(text)) }}
{%- endmacro %}


{#- One value of JSON text at a path. -#}
{% macro json_text(column, path) -%}
    {{ return(adapter.dispatch('json_text', 'tributary')(column, path)) }}
{%- endmacro %}


{#- The identifiers in JSON text of the form that the Segment spec gives `context.externalIds`: JSON text
    of a list of objects (identifier_type, raw_value), sorted, each once; null where there is none.

    An entry counts when its type and its id are texts and it names a person. Where the type looks like
    no name of a type it is none, so that nobody's details become one. An id that is encoded (hashed,
    for example) is of another type than a plain one. -#}
{% macro external_identifiers(column) -%}
    {{ return(adapter.dispatch('external_identifiers', 'tributary')(column)) }}
{%- endmacro %}


{#- A query: rows of `relation` with the given columns, one for each identifier in what
    `external_identifiers` gives, with `identifier_type` and `raw_value`. -#}
{% macro rows_of_identifiers(relation, columns, identifiers) -%}
    {{ return(adapter.dispatch('rows_of_identifiers', 'tributary')(relation, columns, identifiers)) }}
{%- endmacro %}
