"""The dbt models that the declared segments ask for.

Belongs here: pure functions from segments to dbt files: the features of all of them in one model,
their verdicts in another, their catalogue, one view for each, and the YAML that describes them.
Does not belong here: the SQL of a rule (`compiling`), writing files (`cdp.generation`), what keeps
the history of memberships (`dbt_project/models/segments/`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml
from sqlglot import exp

from cdp.segmentation.compiling import next_evaluation, verdict
from cdp.segmentation.definitions import Segment
from cdp.segmentation.traits import Catalogue
from cdp.segmentation.tree import Feature, features

HEADER = "-- Generated from config/segments by `cdp generate`; change those files instead.\n"
YAML_HEADER = HEADER.replace("--", "#")

OWNER = "data-platform@example.com"

_CATALOGUE_COLUMNS = (
    ("segment_name", "varchar", "Name of the segment and of its table."),
    ("rule", "varchar", "Its rule as it was written."),
    ("sentence", "varchar", "The rule in English."),
    ("description", "varchar", "Whom it is for and what for."),
    ("owner", "varchar", "Who answers for it."),
    ("purpose", "varchar", "What its members must have consented to."),
    ("rule_version", "varchar", "Digest of the rule; changes whenever what it asks does."),
)


def models(
    definitions: Sequence[Segment], catalogue: Catalogue, dialect: str = "duckdb"
) -> dict[str, str]:
    """All generated files: path below `models/segments/generated/` to text.

    Args:
        definitions: the segments.
        catalogue: the traits that their rules compare.
        dialect: the engine's SQL, as sqlglot calls it.
    """
    del catalogue  # the trees carry the traits that they use
    segments = sorted(definitions, key=lambda each: each.name)
    needed = features(*(each.rule for each in segments))
    files = {
        "int_segment_features.sql": _features_sql(needed, dialect),
        "int_segment_verdicts.sql": _verdicts_sql(segments, needed, dialect),
        "int_segment_verdict_rows.sql": _verdict_rows_sql(segments, dialect),
        "dim_segments.sql": _catalogue_sql(segments, dialect),
        "_models.yml": _models_yaml(segments, needed),
    }
    for each in segments:
        files[f"{each.name}.sql"] = _segment_sql(each, dialect)
    return files


def member_column(segment_name: str) -> str:
    """The column of `int_segment_verdicts` that says who is in a segment."""
    return f"in_{segment_name}"


def _sql(expression: exp.Expr, dialect: str, indent: int = 0) -> str:
    """SQL in the form of the project, in lower case but for the constants.

    Jinja reads the file first, so no constant may begin anything of Jinja's.
    """
    # Names of columns are ASCII, so no name can look like a constant set aside.
    constants: dict[str, str] = {}

    def set_aside(node: exp.Expr) -> exp.Expr:
        if not node.is_string or isinstance(node.parent, exp.Interval):
            return node
        name = f"\N{SECTION SIGN}{len(constants)}\N{SECTION SIGN}"
        constants[name] = _constant(node, dialect)
        return exp.var(name)

    words = expression.transform(set_aside).sql(dialect, pretty=True, pad=4, indent=4).lower()
    written = re.sub(
        "\N{SECTION SIGN}[0-9]+\N{SECTION SIGN}", lambda found: constants[found[0]], words
    )
    return written.replace("\n", "\n" + " " * indent)


def _constant(node: exp.Expr, dialect: str) -> str:
    """A constant of text: through the macro where engines spell it in ways of their own."""
    if not {"'", "\\", "\n", "\r"} & set(node.name):
        return node.sql(dialect).replace("{", "{{ '{' }}")
    quoted = node.name.replace("\\", "\\\\").replace("'", "\\'")
    quoted = quoted.replace("\n", "\\n").replace("\r", "\\r")
    return f"{{{{ text_literal('{quoted}') }}}}"


def _text(value: str, dialect: str) -> str:
    return _sql(exp.Literal.string(value), dialect)


def _incremental(extra: str = "") -> str:
    return (
        "{{ config(\n"
        "    materialized='incremental',\n"
        "    incremental_strategy='change_set',\n"
        "    change_set='int_changed_profiles',\n"
        "    change_key='profile_id',\n"
        "    on_schema_change='sync_all_columns'\n"
        f"{extra}) }}}}\n\n"
    )


def _features_sql(needed: Sequence[Feature], dialect: str) -> str:
    if not needed:
        return (
            HEADER + _incremental() + "select changed.profile_id\n"
            "from {{ ref('int_changed_profiles') }} as changed\n"
            "-- No segment asks for an event, so nobody has features.\n"
            "where false\n"
        )
    keys = ", ".join(_text(each.key, dialect) for each in needed)
    columns = []
    for each in needed:
        key = _text(each.key, dialect)
        columns.append(
            f"    max(case when event_key = {key} then occurred_at end) as {each.column}_at"
        )
        if each.ordered:
            columns.append(
                f"    max(case when event_key = {key} then landing_number end)"
                f" as {each.column}_number"
            )
    return (
        HEADER
        + _incremental()
        + f"""with events as (

    select
        profile_id,
        event_key,
        occurred_at,
        landing_number
    from {{{{ ref('fct_events') }}}}
    where
        event_key in ({keys})
        and not is_bot
        and not is_internal
        and profile_id is not null
        and occurred_at <= {{{{ run_value('as_of') }}}}
        and {{{{ in_change_set('profile_id', 'int_changed_profiles') }}}}

),

last_moments as (

    select
        profile_id,
        event_key,
        max(occurred_at) as occurred_at
    from events
    group by profile_id, event_key

),

-- Of events at the same moment, the one that landed last is the last.
last_events as (

    select
        events.profile_id,
        events.event_key,
        events.occurred_at,
        max(events.landing_number) as landing_number
    from events
    inner join last_moments
        on
            events.profile_id = last_moments.profile_id
            and events.event_key = last_moments.event_key
            and events.occurred_at = last_moments.occurred_at
    group by events.profile_id, events.event_key, events.occurred_at

)

select
    profile_id,
"""
        + ",\n".join(columns)
        + "\nfrom last_events\ngroup by profile_id\n"
    )


def _verdicts_sql(segments: Sequence[Segment], needed: Sequence[Feature], dialect: str) -> str:
    columns = ["    profiles.profile_id"]
    for each in segments:
        compiled = _sql(verdict(each.rule), dialect, indent=4)
        columns.append(f"    {compiled} as {member_column(each.name)}")
    flip = _sql(next_evaluation(each.rule for each in segments), dialect, indent=4)
    columns.append(f"    {flip} as next_flip_at")
    used = [column for each in needed for column in _columns(each)]
    feature_list = "".join(f",\n        {column}" for column in used)
    return (
        HEADER
        + _incremental()
        + f"""with profiles as (

    select * from {{{{ ref('dim_profiles') }}}}
    where {{{{ in_change_set('profile_id', 'int_changed_profiles') }}}}

),

features as (

    select
        profile_id{feature_list}
    from {{{{ ref('int_segment_features') }}}}

),

current_run as (

    select * from {{{{ ref('int_current_run') }}}}

)

select
"""
        + ",\n".join(columns)
        + """
from profiles
cross join current_run
left join features on profiles.profile_id = features.profile_id
"""
    )


def _verdict_rows_sql(segments: Sequence[Segment], dialect: str) -> str:
    head = HEADER + "{{ config(materialized='view') }}\n\n"
    if not segments:
        return (
            head + "select\n    verdicts.profile_id,\n"
            "    segments.segment_name,\n    segments.rule_version,\n    false as is_member\n"
            "from {{ ref('int_segment_verdicts') }} as verdicts\n"
            "cross join {{ ref('dim_segments') }} as segments\n"
        )
    cases = "\n".join(
        f"        when {_text(each.name, dialect)} then verdicts.{member_column(each.name)}"
        for each in segments
    )
    return (
        head
        + f"""with verdicts as (

    select * from {{{{ ref('int_segment_verdicts') }}}}

),

segments as (

    select
        segment_name,
        rule_version
    from {{{{ ref('dim_segments') }}}}

)

select
    verdicts.profile_id,
    segments.segment_name,
    segments.rule_version,
    case segments.segment_name
{cases}
    end as is_member
from verdicts
cross join segments
"""
    )


def _catalogue_sql(segments: Sequence[Segment], dialect: str) -> str:
    head = HEADER + "{{ config(materialized='view', contract={'enforced': true}) }}\n\n"
    text = "{{ dbt.type_string() }}"
    if not segments:
        nothing = ",\n".join(
            f"    cast(null as {text}) as {name}" for name, _, _ in _CATALOGUE_COLUMNS
        )
        return f"{head}select\n{nothing}\nfrom (select 1 as nothing) as nobody\nwhere false\n"
    rows = []
    for each in segments:
        values = (
            each.name,
            each.rule_text,
            each.sentence,
            each.description,
            each.owner,
            each.purpose,
            each.rule_version,
        )
        columns = ",\n".join(
            f"    cast({_text(value, dialect)} as {text}) as {name}"
            for value, (name, _, _) in zip(values, _CATALOGUE_COLUMNS, strict=True)
        )
        rows.append(f"select\n{columns}")
    return head + "\nunion all\n\n".join(f"{row}\n" for row in rows)


def _segment_sql(segment: Segment, dialect: str) -> str:
    return (
        HEADER
        + "{{ config(materialized='view', contract={'enforced': true}) }}\n\n"
        + f"""select
    profile_id,
    entered_at,
    rule_version
from {{{{ ref('fct_segment_memberships') }}}}
where
    segment_name = {_text(segment.name, dialect)}
    and exited_at is null
"""
    )


def _columns(feature: Feature) -> list[str]:
    return [f"{feature.column}_at"] + ([f"{feature.column}_number"] if feature.ordered else [])


def _models_yaml(segments: Sequence[Segment], needed: Sequence[Feature]) -> str:
    feature_columns = [("profile_id", "bigint", "The profile.")]
    for feature in needed:
        feature_columns.append(
            (f"{feature.column}_at", "timestamp", f"Last '{feature.key}' up to as_of, UTC.")
        )
        if feature.ordered:
            feature_columns.append(
                (f"{feature.column}_number", "bigint", "Its place in the order of landing.")
            )
    described = [
        _model(
            "int_segment_features",
            "One row per profile that did an event which a segment asks for: the last of each.",
            feature_columns,
            ["profile_id"],
            "A deployment may bring in orders alone.",
        ),
        _model(
            "int_segment_verdicts",
            "One row per profile: which segments it is in.",
            [
                ("profile_id", "bigint", "The profile."),
                *(
                    (member_column(each.name), "boolean", f"Whether it is in {each.name}.")
                    for each in segments
                ),
                (
                    "next_flip_at",
                    "timestamp",
                    "When a verdict, or what it is decided by, next changes by itself, UTC; "
                    "null for never.",
                ),
            ],
            ["profile_id"],
            None,
        ),
        _model(
            "int_segment_verdict_rows",
            "One row per profile and segment: whether it is in it.",
            [
                ("profile_id", "bigint", "The profile."),
                ("segment_name", "varchar", "The segment."),
                ("rule_version", "varchar", "Its rule."),
                ("is_member", "boolean", "Whether the profile is in it."),
            ],
            ["profile_id", "segment_name"],
            None if segments else "No segment is declared.",
        ),
        _model(
            "dim_segments",
            "One row per segment that is declared.",
            _CATALOGUE_COLUMNS,
            ["segment_name"],
            None if segments else "No segment is declared.",
        ),
    ]
    for each in segments:
        described.append(
            _model(
                each.name,
                f"One row per member of the segment. {each.description} {each.sentence} "
                f"Rule: {each.rule_text} (version {each.rule_version}).",
                [
                    ("profile_id", "bigint", "The member."),
                    ("entered_at", "timestamp", "When it came in, UTC."),
                    ("rule_version", "varchar", "The rule by which it came in."),
                ],
                ["profile_id"],
                "A segment may have no members.",
                owner=each.owner,
                purpose=each.purpose,
            )
        )
    document = {"version": 2, "models": described}
    return YAML_HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def _model(
    name: str,
    description: str,
    columns: Sequence[tuple[str, str, str]],
    unique_key: Sequence[str],
    may_be_empty: str | None,
    owner: str = OWNER,
    **meta: str,
) -> dict[str, Any]:
    floor: dict[str, Any] = {"row_floor": 0 if may_be_empty else 1}
    if may_be_empty:
        floor["row_floor_reason"] = may_be_empty
    return {
        "name": name,
        "description": _unread_by_jinja(description),
        "config": {
            "meta": {
                "stage": "segments",
                "kind": "current",
                **floor,
                "owner": _unread_by_jinja(owner),
                "unique_key": list(unique_key),
                **meta,
            }
        },
        "columns": [
            {"name": column, "data_type": kind, "description": _unread_by_jinja(said)}
            for column, kind, said in columns
        ],
    }


def _unread_by_jinja(value: str) -> str:
    """dbt reads descriptions as Jinja too."""
    return value.replace("{", "{{ '{' }}")
