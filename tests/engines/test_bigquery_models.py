"""What the project says to BigQuery, parsed in its dialect and looked through for what it lacks.

Belongs here: every statement that dbt sends for every model (full and incremental), macros that no
model of the demo uses, compiled rules, and the statements of the core. Does not belong here: views,
tags and members (`test_protection_bigquery`).

A stand-in (`duck_bigquery`) executes what makes a model's table. BigQuery itself does where the
environment has a project and credentials (`CDP_BIGQUERY_PROJECT`
and `CDP_BIGQUERY_LOCATION`, with `CDP_BIGQUERY_KEYFILE` or application default credentials); the
last test says whether it was.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlglot
import yaml

from cdp.generation import generate
from cdp.segmentation.compiling import next_flip, verdict
from cdp.segmentation.definitions import load_catalogue, load_definitions
from cdp.segmentation.parsing import _parser, parse_rule
from cdp.segmentation.tree import Rule
from cdp.warehouse.engines.translation import translated
from cdp.warehouse.modelling import Models
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from cdp.warehouse.store import open_warehouse
from tests.engines.bigquery_functions import lacking
from tests.engines.bigquery_listening import Listening
from tests.engines.copying import copy_to_bigquery, difference
from tests.engines.rendering import rendered
from tests.engines.test_macros_alike import CASES, by_duckdb
from tests.services.shop_run import ShopRun

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not find_spec("dbt.adapters.bigquery"), reason="needs what `make engines` installs"
    ),
]

SENTENCES = (
    ("last_purchase_date within 30 days AND total_spent > $500", "USD"),
    ("total_spent > 123 EUR AND NOT average_order_value <= 12.50 eur", "EUR"),
    ("did 'Product Added' within 24 hours AND did 'x' within 90 minutes", "USD"),
    ("NOT did 'Order Completed' since last 'Product Added'", "USD"),
    ("first seen within 7 days AND (last seen within 1 week OR order_count >= 1)", "USD"),
    ("country = 'it''s' OR country != 'a\\b'", "USD"),
    ("event_count < -1 OR session_count = 2", "USD"),
)
"""Rules of every form that the language has, and the currency of each, beside those declared."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(
        home=tmp_path_factory.mktemp("bigquery"),
        target="bigquery",
        bigquery_project="acme-cdp",
        bigquery_location="EU",
    )


@pytest.fixture(scope="module")
def listening(settings: Settings) -> Iterator[Listening]:
    made = Listening(Models(settings, generate(settings)))
    with made.instead_of_a_project():
        made.build(again=False)
        made.build(again=True)
        yield made


def test_every_model_and_seed_is_said_to_it(listening: Listening) -> None:
    failed = {name: told for name, told in listening.outcomes.items() if told.startswith("error")}
    assert failed == {}
    assert set(listening.outcomes.values()) == {""}
    nodes = listening._models.manifest().nodes.values()
    named = {node.name for node in nodes if node.resource_type in ("model", "seed")}
    assert named == set(listening.outcomes)
    said = {name for name, _ in listening.said}
    assert named - said == set()


def test_no_statement_asks_for_what_it_lacks(listening: Listening) -> None:
    found = {f"{name}: {lack}" for name, sql in set(listening.said) for lack in lacking(sql)}
    assert found == set()


def test_what_changes_a_table_is_one_statement(listening: Listening) -> None:
    for name, sql in listening.said:
        statements = [each for each in sqlglot.parse(sql, dialect="bigquery") if each is not None]
        assert len(statements) == 1, name


NOT_EXECUTED = {
    "int_identity_components": "a loop, whose statements follow from each other's answers",
    "int_identifier_values": "the rules of blocked values that were told are no shop's",
    "int_current_run": "knows of what has been published since",
    "int_identity_constrained": "Python",
    "int_match_candidates": "Python",
    "int_person_names": "Python",
    "int_identifier_spellings": "Python",
    "int_user_agents": "Python",
    "int_addresses": "Python",
}
"""Models whose statement is parsed and not executed, and why."""

NOT_COMPARED = {"dim_profiles": ("average_order_value",)}
"""Columns that the stand-in works out otherwise: DuckDB divides decimals as floating numbers."""


def test_models_make_of_the_tables_before_them_what_they_do_in_the_embedded_engine(
    listening: Listening, finished_shop_run: ShopRun, settings: Settings
) -> None:
    """Each model's own statement, run by a stand-in over the tables of a shop that are there."""
    from cdp.warehouse.engines.bigquery_store import BigQuery
    from tests.engines.duck_bigquery import DuckBigQuery

    cloud = DuckBigQuery()
    house = BigQuery(settings, cloud.client())  # type: ignore[arg-type]
    house.prepare()
    with open_warehouse(finished_shop_run.settings) as embedded:
        tables = copy_to_bigquery(embedded, house)
    differing = {}
    for name, sql in statements_that_make(listening).items():
        schema = listening._nodes[name].schema
        place = f'{schema}."{name}"'
        cloud.duck.execute(f"CREATE OR REPLACE TEMP TABLE kept AS SELECT * FROM {place}")
        kind = cloud.tables(schema)[name].replace("BASE ", "")
        cloud.duck.execute(f"DROP {kind} {place}")
        cloud.run(sql, None)
        found = cloud.duck.execute(f"SELECT * FROM {place}").to_arrow_table()
        if told := difference(tables[schema, name], found, NOT_COMPARED.get(name, ())):
            differing[name] = told
        # The next ones read what the embedded engine has made of it.
        cloud.duck.execute(f"DROP {cloud.tables(schema)[name].replace('BASE ', '')} {place}")
        cloud.duck.execute(f"CREATE TABLE {place} AS SELECT * FROM kept")
    assert differing == {}


def statements_that_make(listening: Listening) -> dict[str, str]:
    """By model, the statement that makes its table or view in full."""
    found = {}
    for name, node in listening._nodes.items():
        if node.resource_type != "model" or name in NOT_EXECUTED:
            continue
        made = rf"\s*create or replace (table|view)\s+\S*`{name}`"
        (found[name], *_) = [
            sql for whose, sql in listening.said if whose == name and re.match(made, sql)
        ]
    return found


def test_large_tables_are_parted_and_clustered(listening: Listening) -> None:
    made = {
        name: sql
        for name, sql in listening.said
        if re.match(rf"\s*create or replace table \S+`{name}`", sql)
    }
    events = re.sub(r"\s+", " ", made["fct_events"])
    assert "partition by timestamp_trunc(occurred_at, month)" in events
    assert "cluster by visitor_birth, profile_id" in events
    assert "cluster by order_key" in made["fct_orders"]
    sessions = re.sub(r"\s+", " ", made["fct_sessions"])
    assert "partition by timestamp_trunc(started_at, month)" in sessions
    assert "cluster by visitor_birth" in sessions
    assert "cluster by identifier_value" in made["int_identifier_values"]


@pytest.mark.usefixtures("listening")
def test_no_macro_asks_for_what_it_lacks(settings: Settings) -> None:
    calls = {
        f"{case}: {name}": call
        for case, (_, named) in CASES.items()
        for name, call in named.items()
        # Where an argument is SQL of the test's own, it is DuckDB's.
        if "split_part(v" not in call
    }
    sql = rendered(settings, calls)
    found = {f"{name}: {lack}" for name, each in sql.items() for lack in lacking(f"SELECT {each}")}
    assert found == set()


def test_sentences_have_every_form_of_the_language() -> None:
    language = _parser()
    trees = [language.parse(text) for text, _ in SENTENCES]
    forms = {str(each.alias or each.origin.name) for each in language.rules}
    # These give their place to what they are made of.
    forms -= {"start", "term", "condition", "value"}
    found = {str(each.data) for tree in trees for each in tree.iter_subtrees()}
    assert found == {each for each in forms if not each.startswith("_")}
    words = [
        (each.type, each.lower().removesuffix("s"))
        for text, _ in SENTENCES
        for each in language.lex(text)
    ]
    named = {each.name for each in language.terminals} - {"WHITESPACE"}
    assert {kind for kind, _ in words} == named
    assert {word for kind, word in words if kind == "UNIT"} == {"minute", "hour", "day", "week"}
    operators = {"=", "!=", "<", "<=", ">", ">="}
    assert {word for kind, word in words if kind == "OPERATOR"} == operators


def declared_rules() -> Iterator[tuple[str, Rule]]:
    """The rules of every configuration that there is."""
    for folder in (PROJECT_ROOT / "config", *sorted((PROJECT_ROOT / "examples").iterdir())):
        currency = load_settings(config=folder).base_currency
        for each in load_definitions(folder, load_catalogue(folder), currency):
            yield f"{folder.name}: {each.name}", each.rule


def test_no_rule_asks_for_what_it_lacks() -> None:
    catalogue = load_catalogue(PROJECT_ROOT / "config")
    rules = dict(declared_rules())
    assert len({name.partition(":")[0] for name in rules}) > 8
    rules |= {text: parse_rule(text, catalogue, currency) for text, currency in SENTENCES}
    found = {
        f"{name}: {lack}"
        for name, rule in rules.items()
        for compiled in (verdict(rule), next_flip([rule]))
        for lack in lacking(f"SELECT {compiled.sql('bigquery')}")
    }
    assert found == set()


ELSEWHERE = (
    *("engines", "demo", "matching", "rule_change.py"),
    *("file_shelf.py", "set_files.py", "readers.py"),
)
"""Where statements are of one engine: its adapters, the demo's writer, matching, which works in the
memory of this process whatever holds the warehouse, what rules would change, which is computed on a
copy of the embedded warehouse, and sets kept as files."""

OF_THE_DESK = (
    "ingestion/database_sessions.py",
    "ingestion/judging.py",
    "ingestion/object_keys.py",
    "ingestion/rows.py",
)
"""Statements for a source, or for rows that are in no warehouse yet."""

_STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|WITH|MERGE)\b")

LACKING: dict[str, set[str]] = {
    # A query that a check hands over is put in where a name stands here.
    "expectations/raw.py": {"a text that is a part of a statement"},
    "expectations/staging.py": {"a text that is a part of a statement"},
    # What is put in there is executed (`test_bigquery_landing`).
    "ingestion/promotion.py": {"a text that is a part of a statement"},
    "ingestion/returning.py": {"a text that is a part of a statement"},
    # The gate of sets that are kept as files.
    "expectations/serving.py": {"function DUCKDB_COLUMNS"},
}
"""What statements of the core ask for that BigQuery lacks, by module."""


def statements_of_the_core() -> Iterator[tuple[str, str]]:
    """Texts that are statements, with a name where a module puts something in."""
    for package in ("cdp", "expectations", "ingestion", "orchestration"):
        for path in sorted((PROJECT_ROOT / package).rglob("*.py")):
            name = str(path.relative_to(PROJECT_ROOT))
            if set(path.parts) & set(ELSEWHERE) or name in OF_THE_DESK:
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            parts = {
                id(part)
                for node in ast.walk(tree)
                if isinstance(node, ast.JoinedStr)
                for part in node.values
            }
            for node in ast.walk(tree):
                text = None if id(node) in parts else _text(node)
                if text and _STATEMENT.match(text):
                    yield name, text


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "placed" for part in node.values
        )
    return None


def test_statements_of_the_core_ask_for_nothing_that_it_lacks_but_what_is_listed() -> None:
    found: dict[str, set[str]] = {}
    for module, text in statements_of_the_core():
        try:
            lacks = {
                lack
                for statement in translated(text, "bigquery", _parameters(text))
                for lack in lacking(statement)
            }
        except sqlglot.errors.SqlglotError:
            lacks = {"a text that is a part of a statement"}
        if lacks:
            found.setdefault(module, set()).update(lacks)
    assert found == LACKING


def _parameters(text: str) -> dict[str, str] | list[str] | None:
    names = re.findall(r"\$(\w+)", text)
    if names:
        return dict.fromkeys(names, "given")
    return ["given"] * text.count("?") or None


def test_a_key_file_is_named_in_the_profile_and_not_read(tmp_path: Path) -> None:
    settings = load_settings(
        home=tmp_path,
        target="bigquery",
        bigquery_project="acme-cdp",
        bigquery_location="EU",
        bigquery_keyfile=tmp_path / "key.json",
    )
    Models(settings, generate(settings))
    text = (settings.dbt_dir / "profiles.yml").read_text(encoding="utf-8")
    output = yaml.safe_load(text)["tributary"]["outputs"]["bigquery"]
    assert output["method"] == "service-account"
    assert output["keyfile"] == str(tmp_path / "key.json")


def test_odd_values_are_read_there_as_they_are_here_where_there_is_a_project(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The smoke run: every macro, on values that engines read in ways of their own."""
    reached = _project_of_the_environment()
    if reached is None:
        with capsys.disabled():
            print(
                "\nBigQuery: nothing is executed, for want of CDP_BIGQUERY_PROJECT or credentials"
            )
        return
    from google.cloud import bigquery

    there = load_settings(home=settings.home / "there", target="bigquery")
    here = load_settings(home=settings.home / "here")
    client = bigquery.Client(project=reached, location=there.bigquery_location)
    differing = []
    for case, (values, named) in CASES.items():
        named = {name: call for name, call in named.items() if "split_part(v" not in call}
        theirs = rendered(there, named)
        columns = ", ".join(
            f"CAST({each} AS STRING) AS c{number}" for number, each in enumerate(theirs.values())
        )
        given = bigquery.ArrayQueryParameter("given", "STRING", [each or "" for each in values])
        job = client.query(
            f"SELECT {columns} FROM UNNEST(@given) AS v WITH OFFSET AS i ORDER BY i",
            job_config=bigquery.QueryJobConfig(query_parameters=[given]),
        )
        ours = by_duckdb([each or "" for each in values], rendered(here, named))
        for value, one, other in zip(values, ours, job.result(), strict=True):
            differing += [
                f"{case}, {name} of {value!r}: {mine!r} here, {its!r} there"
                for name, mine, its in zip(named, one, other.values(), strict=True)
                if mine != its
            ]
    assert differing == []


def _project_of_the_environment() -> str | None:
    """The project, where there are credentials for it."""
    import os

    project = os.environ.get("CDP_BIGQUERY_PROJECT")
    if not project:
        return None
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    if os.environ.get("CDP_BIGQUERY_KEYFILE"):
        return project
    try:
        google.auth.default()
    except DefaultCredentialsError:
        return None
    return project
