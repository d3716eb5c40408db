{#- A model's schema is the name of its stage, whatever the profile's default schema is: people
    find `profiles.dim_profiles` under that name on every engine and for every developer. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
