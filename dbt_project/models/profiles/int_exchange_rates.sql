{{ config(materialized='view') }}

with rates as (

    select * from {{ ref('exchange_rates') }}

),

intervals as (

    select
        currency,
        cast(valid_from as date) as valid_from,
        lead(cast(valid_from as date)) over (partition by currency order by cast(valid_from as date)) as valid_to,
        cast(rate_to_base as decimal(18, 8)) as rate
    from rates

),

base as (

    select * from intervals
    where currency = {{ run_value('base_currency') }}

),

-- The seed's rates share one reference currency; the deployment's own may be another of them.
converted as (

    select
        intervals.currency,
        greatest(intervals.valid_from, base.valid_from) as valid_from,
        least(
            coalesce(intervals.valid_to, cast('9999-12-31' as date)),
            coalesce(base.valid_to, cast('9999-12-31' as date))
        ) as valid_to,
        {{ rate_over('intervals.rate', 'base.rate') }} as rate
    from intervals
    inner join base
        on
            intervals.valid_from < coalesce(base.valid_to, cast('9999-12-31' as date))
            and base.valid_from < coalesce(intervals.valid_to, cast('9999-12-31' as date))
    where intervals.currency <> base.currency

)

-- Money in the base currency needs no rate, so it has one on days before the seed begins too.
select
    {{ run_value('base_currency') }} as currency,
    cast('0001-01-01' as date) as valid_from,
    cast('9999-12-31' as date) as valid_to,
    cast(1 as decimal(18, 8)) as rate

union all

select * from converted
