"""Declarations of sources: what is wrong is said with its line, and nothing in them is run.

Belongs here: attacks on `sources.yml` and mistakes in it. Does not belong here: landing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdp.config.source_options import OPTIONS, names_of
from cdp.config.sources import load_sources, parse_expression
from cdp.config.staging_models import models
from cdp.config.yaml_text import ConfigError
from cdp.warehouse.settings import PROJECT_ROOT, load_settings

SOURCE: dict[str, Any] = {
    "description": "A till in a shop.",
    "kind": "files",
    "owner": "shop@example.org",
    "purpose": "contract",
    "fresh_within": "1 day",
    "options": {"location": "{home}/landing/till"},
    "streams": {
        "orders": {
            "files": "*.csv",
            "format": "csv",
            "maps": [{"entity": "orders", "columns": {"order_id": "No", "total_amount": "Total"}}],
        }
    },
}


def load(folder: Path, text: str) -> Any:
    (folder / "sources.yml").write_text(text, encoding="utf-8")
    return load_sources(load_settings(home=folder, config=folder))


def declared(**changes: Any) -> str:
    return yaml.safe_dump({"sources": {"till": {**SOURCE, **changes}}}, sort_keys=False)


def mapped(**changes: Any) -> str:
    """The declaration with another map."""
    made = {"entity": "orders", "columns": {"order_id": "No"}, **changes}
    return declared(streams={"orders": {"files": "*", "format": "csv", "maps": [made]}})


def test_a_declaration_that_is_right_is_read(tmp_path: Path) -> None:
    assert load(tmp_path, declared()).sources["till"].streams["orders"].format == "csv"


def test_a_declaration_that_was_edited_is_read_again(tmp_path: Path) -> None:
    assert load(tmp_path, declared(owner="one@example.org")).sources["till"].owner[:3] == "one"
    # Of the same length, and in the same tick of the file system's clock perhaps.
    assert load(tmp_path, declared(owner="two@example.org")).sources["till"].owner[:3] == "two"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("sources: !!python/object/apply:os.system [ls]", 1, "tag"),
        ("sources:\n  till: !!python/name:os.system {}", 2, "tag"),
        ("sources:\n  till: !include /etc/passwd", 2, "tag"),
        ("sources:\n  one: &a {kind: files}\n  two: *a", 2, "alias"),
        ("sources:\n  till: {kind: files}\n  till: {kind: files}", 3, "twice"),
        ("sources:\n  till:\n\tkind: files", 3, "token"),
        ("sources: {till: [", 1, ""),
        ("sources: " + "[" * 5_000, 1, "deep"),
        ("- sources", 1, "mapping"),
        ("sources: {}", 1, "at least one"),
        ("sources:\n  till: 3", 2, "mapping"),
        ("sorces:\n  till: {}", 1, "sources"),
        (f"{declared()}more: 1\n", 14 + 6, "not known"),
    ],
)
def test_yaml_that_is_wrong_or_hostile_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, told: str
) -> None:
    with pytest.raises(ConfigError, match=rf"sources\.yml:\d+: .*{told}") as error:
        load(tmp_path, text)
    assert abs((error.value.line or 1) - line) <= 1 or line > 3


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path: Path) -> None:
    levels = "\n".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))
    with pytest.raises(ConfigError, match="alias"):
        load(tmp_path, f"sources:\n  a0: &a0 [x]\n{levels}\n")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "ftp"}, "kind"),
        ({"fresh_within": "soon"}, "duration"),
        ({"purpose": None}, "purpose"),
        ({"name": "other"}, "drop `name`"),
        ({"colour": "red"}, "colour"),
        ({"id_type": "x' or '1'='1"}, "id_type"),
        ({"id_type": "{{ env_var('HOME') }}"}, "id_type"),
        ({"description": "Rows of {{ env_var('HOME') }}."}, "description"),
        ({"owner": "{% do run_query('drop table x') %}"}, "owner"),
        ({"options": {"location": "x", "timezone": "UTC') or 1=1 --"}}, "timezone"),
        ({"options": {"location": "x", "timezone": "Europe/Berlim"}}, "timezone"),
        ({"streams": {}}, "streams"),
        ({"streams": {"Robert'); DROP TABLE x;--": {}}}, "streams"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_wrong_value_is_refused_and_says_which(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        load(tmp_path, declared(**changes))


KINDS: dict[str, dict[str, Any]] = {
    "files": SOURCE,
    "database": {
        **SOURCE,
        "kind": "database",
        "options": {"url": {"env": "SHOP_URL"}},
        "streams": {
            "orders": {
                "table": "orders",
                "key": ["no"],
                "maps": [{"entity": "orders", "columns": {"order_id": "no"}}],
            }
        },
    },
    "rest_api": {
        **SOURCE,
        "kind": "rest_api",
        "options": {"base_url": "https://crm.example.com"},
        "streams": {
            "people": {
                "endpoint": {"path": "people"},
                "key": ["id"],
                "maps": [{"entity": "contacts", "columns": {"contact_id": "id"}}],
            }
        },
    },
}
"""A declaration of each kind of source."""


@pytest.mark.parametrize(
    ("kind", "option", "near"),
    [
        ("files", "loaction", "location"),
        ("files", "delimeter", "delimiter"),
        ("files", "url", None),
        ("database", "schemas", "schema"),
        ("database", "settle", None),
        ("rest_api", "base_ur", "base_url"),
        ("rest_api", "delimiter", None),
        ("rest_api", "time_zone", "timezone"),
    ],
)
def test_an_option_that_its_kind_does_not_know_is_refused(
    tmp_path: Path, kind: str, option: str, near: str | None
) -> None:
    source = {**KINDS[kind], "options": {**KINDS[kind]["options"], option: "x"}}
    text = yaml.safe_dump({"sources": {"till": source}}, sort_keys=False)
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    told = str(error.value)
    assert error.value.line == 1 + next(
        at for at, line in enumerate(text.splitlines()) if line.strip() == f"{option}: x"
    )
    assert f"no option of kind {kind} is called '{option}'; allowed: " in told
    assert all(known in told for known in names_of(kind))
    assert (f"did you mean '{near}'?" in told) == (near is not None)


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("files", {}, "options.location: Field required"),
        ("database", {}, "options.url"),
        ("rest_api", {}, "options.base_url: Field required"),
        ("files", {"location": "x", "settle": "soon"}, "options.settle: expected a duration"),
        ("files", {"location": "x", "delimiter": ";;"}, "options.delimiter: expected one ASCII"),
        ("files", {"location": "x", "delimiter": ""}, "options.delimiter: expected one ASCII"),
        ("files", {"location": "x", "delimiter": '"'}, "options.delimiter: expected one ASCII"),
        ("files", {"location": "x", "delimiter": "\n"}, "options.delimiter: expected one ASCII"),
        ("files", {"location": "x", "delimiter": "¦"}, "options.delimiter: expected one ASCII"),
        ("files", {"location": ["x"]}, "options.location"),
        ("database", {"url": {"env": "lower"}}, "options.url"),
        ("database", {"url": "sqlite://", "timezone": "Mars"}, "options.timezone: none that is"),
        ("rest_api", {"base_url": "x", "allow_private": "false"}, "options.allow_private"),
        ("rest_api", {"base_url": "x", "headers": "x"}, "options.headers"),
    ],
)
def test_an_option_of_the_wrong_form_is_refused(
    tmp_path: Path, kind: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        load(tmp_path, yaml.safe_dump({"sources": {"till": {**KINDS[kind], "options": options}}}))


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_documented(kind: str) -> None:
    page = (PROJECT_ROOT / "docs" / "reference" / "sources.md").read_text(encoding="utf-8")
    for name, field in OPTIONS[kind].model_fields.items():
        assert field.description, name
        assert f"| `{field.alias or name}` |" in page


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        ("files", {"table": "orders"}, "`table` is for sources of kind database alone"),
        ("files", {"cursor": "changed"}, "`cursor` is for sources of kind database alone"),
        ("rest_api", {"format": "csv"}, "`format` is for sources of kind files alone"),
        ("database", {"endpoint": {"path": "x"}}, "`endpoint` is for sources of kind rest_api"),
        ("rest_api", {"deletes": {"compare_every": "1 day"}}, "compared in a database alone"),
        ("files", {"format": "segment"}, "drop `maps`"),
        ("files", {"format": "segment", "maps": [], "key": ["id"]}, "drop `key`"),
        ("files", {"clolumns": {}}, "no key here is called 'clolumns'"),
        ("files", {"kye": ["no"]}, "did you mean 'key'?"),
        ("files", {"key": ['N"o']}, "key: a source column that is read may not have a quote"),
        ("files", {"key": [""]}, "key: expected the name of a source column; it is blank"),
        ("files", {"key": ["{{ x }}"]}, "key: a source column may not have {{"),
        ("files", {"version": " "}, "version: expected the name of a source column"),
        ("database", {"cursor": "at", "lag": "0 seconds"}, "expected a duration of 1 second or"),
    ],
)
def test_a_key_of_a_stream_that_would_mean_nothing_is_refused(
    tmp_path: Path, kind: str, changes: dict[str, Any], told: str
) -> None:
    ((name, stream),) = KINDS[kind]["streams"].items()
    source = {**KINDS[kind], "streams": {name: {**stream, **changes}}}
    with pytest.raises(ConfigError, match=re.escape(told)):
        load(tmp_path, yaml.safe_dump({"sources": {"till": source}}))


def test_deletions_of_what_knows_none_are_refused(tmp_path: Path) -> None:
    stream = {
        "files": "*.csv",
        "format": "csv",
        "deletes": {"column": "gone"},
        "maps": [{"entity": "events", "columns": {"user_id": "id"}}],
    }
    with pytest.raises(ConfigError, match="events know no deletion"):
        load(tmp_path, declared(streams={"clicks": stream}))


@pytest.mark.parametrize("name", ["../etc", "a b", "Web", "1st", "x" * 60, "select'; --", "ö"])
def test_the_name_of_a_source_is_no_path_and_no_sql(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path, yaml.safe_dump({"sources": {name: SOURCE}}))


@pytest.mark.parametrize(
    "columns",
    [
        {"order_id": 'No" or 1=1 --'},
        {"order_id": "{{ run_query('drop table x') }}"},
        {"order_id": "No", "status": {"value": "{% raw %}"}},
        {"order_id": "No", "status": {"sql": 'lower("{{ x }}")'}},
        {"order_id": "No", "stat us": "x"},
        {"status": "x"},
    ],
)
def test_a_mapping_cannot_smuggle_anything_into_a_model(
    tmp_path: Path, columns: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path, mapped(columns=columns))


HOSTILE = [
    "1; DROP TABLE raw.till",
    "1) from landed; drop table x; select (1",
    "(SELECT max(payload) FROM raw.web)",
    "No IN (SELECT user_id FROM governance.runs)",
    "EXISTS (SELECT 1)",
    "read_csv('/etc/passwd')",
    "read_text('/etc/passwd')",
    "read_parquet('/etc/passwd')",
    "getenv('HOME')",
    "query('drop table x')",
    "glob('/*')",
    "current_setting('secret_directory')",
    "sum(Total)",
    "row_number() over ()",
    "*",
    "$1",
    "?",
    "No AS id",
    "unnest(string_split(No, ','))",
    "random()",
    "uuid()",
    "current_timestamp",
    "localtimestamp",
    "localtime",
    "strftime(localtimestamp(), '%Y')",
    "utc_timestamp()",
    "current_user",
    "(" * 900 + "1" + ")" * 900,
    "",
    "DELETE FROM raw.till",
    "ATTACH 'x.db'",
    "COPY x TO 'y'",
    "PRAGMA version",
    "No /*",
]


@pytest.mark.parametrize("sql", HOSTILE, ids=lambda sql: sql[:30])
def test_sql_of_a_mapping_is_one_expression_over_its_row(tmp_path: Path, sql: str) -> None:
    with pytest.raises(ValueError, match=r"mapping|expression|function"):
        parse_expression(sql)
    with pytest.raises(ConfigError):
        load(tmp_path, mapped(columns={"order_id": "No", "status": {"sql": sql}}))
    if sql:
        with pytest.raises(ConfigError):
            load(tmp_path, mapped(where=sql))


@pytest.mark.parametrize(
    "sql",
    [
        "case when Kind = 'C' then 'refunded' else 'placed' end",
        "coalesce(nullif(trim(Name), ''), 'x''; DROP TABLE y; --')",
        "cast(Total as decimal(18, 4)) / 100",
        "Kind in ('A', 'B') and not No like 'X%'",
        "substring(No, 1, 3) || '-' || lower(Kind)",
    ],
)
def test_plain_expressions_are_taken(tmp_path: Path, sql: str) -> None:
    sources = load(tmp_path, mapped(columns={"order_id": "No", "status": {"sql": sql}}))
    assert models(sources)["till/stg_till__orders.sql"]


def test_a_comment_in_an_expression_hides_nothing_behind_it(tmp_path: Path) -> None:
    sources = load(tmp_path, mapped(columns={"order_id": "No", "status": {"sql": "Kind -- x"}}))
    model = models(sources)["till/stg_till__orders.sql"]
    assert "--" not in model.split("\n", 1)[1].replace("-- A comparison", "")


WRONG_CONSTANTS: dict[str, tuple[str, list[Any]]] = {
    "total_amount": ("money", ["abc", "12,50", ".nan", "1e15", "1.00001", "true", "''"]),
    "ordered_at": ("timestamp", ["soon", "'2026-13-01'", "12", "infinity", "'0000-01-01'"]),
    "order_id": ("identifier", ["' '", "true"]),
}


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [(column, kind, each) for column, (kind, all_) in WRONG_CONSTANTS.items() for each in all_],
)
def test_a_constant_that_its_column_cannot_hold_is_refused_at_its_line(
    tmp_path: Path, column: str, kind: str, value: str
) -> None:
    text = mapped(columns={"order_id": "No", column: {"value": "HERE"}}).replace("HERE", value)
    with pytest.raises(ConfigError, match=f"is no {kind}, which {column} of orders is; expected"):
        load(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert text.splitlines()[(error.value.line or 0) - 1].strip() == f"value: {value}"


@pytest.mark.parametrize(
    ("entity", "column", "value", "told"),
    [
        ("orders", "total_amount", "12.5", "cast('12.5' as decimal(18,4))"),
        ("orders", "total_amount", "1e3", "cast('1000' as decimal(18,4))"),
        ("orders", "order_id", "7", "cast('7' as {{ dbt.type_string() }})"),
        ("orders", "ordered_at", "2026-06-01", "2026-06-01 00:00:00"),
        ("orders", "ordered_at", "2026-06-01T12:00:00+02:00", "2026-06-01 12:00:00+02:00"),
        ("customers", "birth_date", "1990-02-28", "cast('1990-02-28' as date)"),
    ],
)
def test_a_constant_is_taken_as_people_write_it(
    tmp_path: Path, entity: str, column: str, value: str, told: str
) -> None:
    key = "order_id" if entity == "orders" else "contact_id"
    columns = {key: "No", column: {"value": "HERE"}}
    sources = load(tmp_path, mapped(entity=entity, columns=columns).replace("HERE", value))
    assert told in models(sources)[f"till/stg_till__{entity}.sql"]
