-- Generated from config/segments by `cdp generate`; change those files instead.
{{ config(materialized='view', contract={'enforced': true}) }}

select
    cast('active_cart_abandoners' as {{ dbt.type_string() }}) as segment_name,
    cast({{ text_literal('did \'Product Added\' within 24 hours AND NOT did \'Order Completed\' since last \'Product Added\'') }} as {{ dbt.type_string() }}) as rule,
    cast({{ text_literal('People who did \'Product Added\' within the last 24 hours and who did not do \'Order Completed\' since their last \'Product Added\'.') }} as {{ dbt.type_string() }}) as sentence,
    cast('People who filled a cart in the last day and have not ordered since, to remind them of it.' as {{ dbt.type_string() }}) as description,
    cast('growth@tributary-demo.example' as {{ dbt.type_string() }}) as owner,
    cast('marketing' as {{ dbt.type_string() }}) as purpose,
    cast('a9d03d538a03' as {{ dbt.type_string() }}) as rule_version

union all

select
    cast('high_value_recent' as {{ dbt.type_string() }}) as segment_name,
    cast('last_purchase_date within 30 days AND total_spent > $500' as {{ dbt.type_string() }}) as rule,
    cast('People whose last purchase was within the last 30 days and whose total spending is more than 500 USD.' as {{ dbt.type_string() }}) as sentence,
    cast('People who spent a lot and bought lately, for offers that are worth their while.' as {{ dbt.type_string() }}) as description,
    cast('crm@tributary-demo.example' as {{ dbt.type_string() }}) as owner,
    cast('marketing' as {{ dbt.type_string() }}) as purpose,
    cast('2a076c82b097' as {{ dbt.type_string() }}) as rule_version

union all

select
    cast('loyal_customers' as {{ dbt.type_string() }}) as segment_name,
    cast('order_count >= 3 AND last_purchase_date within 60 days' as {{ dbt.type_string() }}) as rule,
    cast('People whose number of orders is at least 3 and whose last purchase was within the last 60 days.' as {{ dbt.type_string() }}) as sentence,
    cast('People who keep buying, to thank them.' as {{ dbt.type_string() }}) as description,
    cast('crm@tributary-demo.example' as {{ dbt.type_string() }}) as owner,
    cast('marketing' as {{ dbt.type_string() }}) as purpose,
    cast('a0649ead9299' as {{ dbt.type_string() }}) as rule_version

union all

select
    cast('new_visitors' as {{ dbt.type_string() }}) as segment_name,
    cast('first seen within 7 days' as {{ dbt.type_string() }}) as rule,
    cast('People who were first seen within the last 7 days.' as {{ dbt.type_string() }}) as sentence,
    cast('People who came for the first time in the last week, to welcome them.' as {{ dbt.type_string() }}) as description,
    cast('growth@tributary-demo.example' as {{ dbt.type_string() }}) as owner,
    cast('marketing' as {{ dbt.type_string() }}) as purpose,
    cast('8ba268c7fe7d' as {{ dbt.type_string() }}) as rule_version
