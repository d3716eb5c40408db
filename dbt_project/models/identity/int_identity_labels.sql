{{ config(materialized='table') }}

with current_run as (

    select * from {{ ref('int_current_run') }}

),

record as (

    select labels.*
    from {{ source('governance', 'identity_labels') }} as labels
    cross join current_run
    where labels.label_number <= current_run.label_high_water

),

seed as (

    select * from {{ ref('identity_labels') }}

),

identifiers as (

    select * from {{ ref('int_identifier_values') }}

),

spellings as (

    select * from {{ ref('int_identifier_spellings') }}

),

types as (

    select * from {{ ref('identifier_types') }}

),

taken_back as (

    select
        removes as label_number,
        min(label_number) as taken_back_by
    from record
    where removes is not null
    group by removes

),

-- What was taken back before the last published run says nothing any more, not even that it went.
said as (

    select
        record.label_number,
        record.kind,
        record.left_type,
        record.left_value,
        record.right_type,
        record.right_value,
        taken_back.label_number is null as is_in_force,
        coalesce(taken_back.taken_back_by, record.label_number)
        > current_run.published_label_high_water as is_news
    from record
    left join taken_back on record.label_number = taken_back.label_number
    cross join current_run
    where
        record.removes is null
        and (
            taken_back.label_number is null
            or taken_back.taken_back_by > current_run.published_label_high_water
        )

    union all

    select
        0 as label_number,
        {{ trimmed('seed.kind') }} as kind,
        {{ trimmed('seed.left_type') }} as left_type,
        {{ trimmed('seed.left_value') }} as left_value,
        {{ trimmed('seed.right_type') }} as right_type,
        {{ trimmed('seed.right_value') }} as right_value,
        true as is_in_force,
        false as is_news
    from seed

),

named as (

    select
        left_type as identifier_type,
        left_value as named_value
    from said

    union distinct

    select
        right_type as identifier_type,
        right_value as named_value
    from said
    where right_value is not null

),

ruled as (

    select
        named.*,
        {{ normaliser_of('named.identifier_type') }} as normaliser
    from named
    left join types on named.identifier_type = types.identifier_type
    left join types as any_type on any_type.identifier_type = '*'

),

normalised as (

    select
        ruled.*,
        {{ spelled('ruled.normaliser', 'ruled.named_value', 'spellings.identifier_value') }} as identifier_value
    from ruled
    left join spellings
        on ruled.normaliser = spellings.normaliser and ruled.named_value = spellings.raw_value

),

-- As it landed, as it is normalised, or as people write it.
spelled as (
    {%- for here, there in [
        ('named_value', 'raw_value'), ('named_value', 'identifier_value'), ('identifier_value', 'identifier_value')
    ] %}

    select
        normalised.identifier_type,
        normalised.named_value,
        identifiers.node,
        identifiers.is_blocked,
        identifiers.first_landing_number
    from normalised
    inner join identifiers
        on
            normalised.identifier_type = identifiers.identifier_type
            and normalised.{{ here }} = identifiers.{{ there }}
    {{ "union distinct" if not loop.last }}
    {%- endfor %}

),

-- Blocked values are nobody's own, whatever anybody says.
nodes as (

    select
        identifier_type,
        named_value,
        min(node) as node,
        min(first_landing_number) as first_landing_number
    from spelled
    where not is_blocked
    group by identifier_type, named_value

)

-- A label on what has not been seen yet waits until it is; a join that has waited is news then.
select distinct
    said.label_number,
    said.kind,
    one.node as left_node,
    other.node as right_node,
    said.is_in_force,
    said.is_news
    or (
        said.is_in_force
        and said.kind = 'join'
        and greatest(one.first_landing_number, other.first_landing_number)
        > current_run.published_landing_high_water
    ) as is_news
from said
cross join current_run
inner join nodes as one
    on said.left_type = one.identifier_type and said.left_value = one.named_value
left join nodes as other
    on said.right_type = other.identifier_type and said.right_value = other.named_value
where
    (said.kind in ('join', 'split') and other.node is not null and other.node <> one.node)
    or said.kind in ('trust', 'distrust')
