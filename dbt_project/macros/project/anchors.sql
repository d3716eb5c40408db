{#- Which identifier a row is anchored to: the strongest of those it carries that is somebody's own
    (not blocked). The row belongs to that identifier's profile, whatever weaker ones it carries.

    `anchor_births` gives left joins to the births of a row's identifiers, `anchor_birth` the
    choice. slots: (alias, SQL of the identifier type, SQL of the raw value), strongest first. -#}
{% macro anchor_joins(slots) -%}
    {%- for alias, type, value in slots %}
left join {{ ref('int_identifier_values') }} as {{ alias }}
    on
        {{ alias }}.identifier_type = {{ type }}
        and {{ alias }}.raw_value = {{ value }}
        and not {{ alias }}.is_blocked
    {%- endfor -%}
{%- endmacro %}

{% macro anchor_birth(slots) -%}
    coalesce({% for alias, type, value in slots %}{{ alias }}.node{{ ", " if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro event_slots(relation) -%}
    {{ return([
        ('by_user', "'user_id'", relation ~ '.user_id'),
        ('by_email', "'email'", relation ~ '.email'),
        ('by_phone', "'phone'", relation ~ '.phone'),
        ('by_device', "'anonymous_id'", relation ~ '.anonymous_id'),
    ]) }}
{%- endmacro %}

{% macro order_slots(relation) -%}
    {{ return([
        ('by_customer', relation ~ '.id_type', relation ~ '.customer_id'),
        ('by_email', "'email'", relation ~ '.email'),
        ('by_phone', "'phone'", phone_with_country(relation ~ '.phone', relation ~ '.country')),
        ('by_device', "'anonymous_id'", relation ~ '.anonymous_id'),
    ]) }}
{%- endmacro %}

{% macro contact_slots(relation) -%}
    {%- set country = 'coalesce(' ~ relation ~ '.phone_country, ' ~ relation ~ '.country)' %}
    {{ return([
        ('by_contact', relation ~ '.id_type', relation ~ '.contact_id'),
        ('by_email', "'email'", relation ~ '.email'),
        ('by_phone', "'phone'", phone_with_country(relation ~ '.phone', country)),
    ]) }}
{%- endmacro %}
