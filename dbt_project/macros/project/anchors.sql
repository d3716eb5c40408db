{#- Which identifier a row is anchored to: the strongest of those it carries that is somebody's own.
    The row belongs to that identifier's profile, whatever weaker ones it carries.

    `anchor_joins` gives left joins to a row's identifiers, `anchor_birth` the choice. slots: (alias,
    SQL of the identifier type, SQL of the raw value), strongest first; owning: what has
    `identifier_type`, `raw_value`, `node` of all that is somebody's own. -#}
{% macro anchor_joins(slots, owning) -%}
    {%- for alias, type, value in slots %}
left join {{ owning }} as {{ alias }}
    on
        {{ alias }}.identifier_type = {{ type }}
        and {{ alias }}.raw_value = {{ value }}
    {%- endfor -%}
{%- endmacro %}

{% macro anchor_birth(slots) -%}
    coalesce({% for alias, type, value in slots %}{{ alias }}.node{{ ", " if not loop.last }}{% endfor %})
{%- endmacro %}

{#- Of events beside the seed `identity_scopes`, joined as `scopes` on their source. -#}
{% macro event_slots(relation) -%}
    {{ return([
        ('by_user', "'user_id'", relation ~ '.user_id'),
        ('by_email', "'email'", relation ~ '.email'),
        ('by_phone', "'phone'", relation ~ '.phone'),
        ('by_name', "'name'", scoped_name('scopes.scope', told_name(relation))),
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
