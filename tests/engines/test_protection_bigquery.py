"""BigQuery's views, members and policy tags keep from each role what the map says.

Nothing here reaches BigQuery: each statement is parsed in its dialect, and the queries of views are
executed by DuckDB, turned into its dialect.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import assume, given, settings
from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery

from cdp.config.personal_data import CLASSES
from cdp.config.roles import SECTIONS
from cdp.warehouse.engines import bigquery_protection as protection
from cdp.warehouse.engines.bigquery_protection import Found
from cdp.warehouse.engines.bigquery_shelf import BigQueryShelf
from cdp.warehouse.engines.protection import Relation, sees
from cdp.warehouse.engines.schema_shelf import ABOUT
from cdp.warehouse.shelf import ServedTable
from tests.engines.protected import Declared, declared, names, plain_names, role, shipped

TAXONOMY = "projects/acme-cdp/locations/eu/taxonomies/7"
TAGS = {kind: f"{TAXONOMY}/policyTags/{number}" for number, kind in enumerate(CLASSES)}
BUILDER = "serviceAccount:cdp@acme-cdp.iam.gserviceaccount.com"


PLACE = "set_1"


class Telling(BigQueryShelf):
    """A shelf that keeps what it would say."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.house: Any = SimpleNamespace(settings=SimpleNamespace(bigquery_location="EU"))

    def _run(self, statement: str) -> None:
        self.said.append(statement)


def made(given: Declared) -> list[str]:
    """What makes the views of all roles."""
    shelf = Telling()
    tables = {
        (name, section): [
            ServedTable(each.schema, each.name, each.columns, None)
            for each in given.relations
            if section == "core" and name in each.readers
        ]
        for name in given.roles
        for section in SECTIONS
    }
    offer: Any = SimpleNamespace(tables=tables, personal_data=given.personal_data)
    for each in given.roles.values():
        shelf._show(PLACE, each, offer)
    return shelf.said


def views(statements: list[str]) -> dict[tuple[str, str], exp.Select]:
    """The query of each view, by its dataset and name."""
    found = {}
    for statement in statements:
        tree = sqlglot.parse_one(statement, dialect="bigquery")
        if isinstance(tree, exp.Create) and tree.kind == "VIEW":
            view = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
            if view.name not in ABOUT:
                found[view.db, view.name] = tree.expression
    return found


@given(declared())
@settings(max_examples=60, deadline=None)
def test_every_personal_column_is_null_for_every_role_that_must_not_see_it(given: Declared) -> None:
    queries = views(made(given))
    for reader in given.roles.values():
        read = {each.name: each for each in given.relations if reader.name in each.readers}
        dataset = protection.dataset_of(reader.name, PLACE)
        assert {name for place, name in queries if place == dataset} == set(read)
        for name, relation in read.items():
            query = queries[dataset, name]
            # In the order of the table, so that a role's view has the shape of any other's.
            assert query.named_selects == [column.name for column in relation.columns]
            for column, selected in zip(relation.columns, query.selects, strict=True):
                if sees(reader, column, given.personal_data):
                    assert isinstance(selected, exp.Column)
                else:
                    assert isinstance(selected.unalias(), exp.Cast)
                    assert isinstance(selected.unalias().this, exp.Null)
                    assert not list(selected.find_all(exp.Column))


def test_every_personal_column_of_the_shipped_roles_is_covered() -> None:
    given = shipped()
    queries = views(made(given))
    hidden = given.hidden(given.roles["analyst"])
    assert hidden
    for relation, column in hidden:
        for reader, shown in ((f"{PLACE}_analyst", False), (f"{PLACE}_marketing", True)):
            read = {each.name for each in queries[reader, relation.name].find_all(exp.Column)}
            assert (column.name in read) == shown


def test_a_masked_column_is_null_of_its_type_and_others_are_as_they_are() -> None:
    given = shipped()
    queries = views(made(given))
    with duckdb.connect() as connection:
        connection.execute(f"CREATE SCHEMA {PLACE}")
        for relation in given.relations:
            columns = ", ".join(
                f"CAST({'NULL' if column.type not in ('varchar',) else repr(column.name)} "
                f"AS {column.type}) AS {column.name}"
                for column in relation.columns
            )
            connection.execute(f"CREATE TABLE {PLACE}.serving__{relation.name} AS SELECT {columns}")
            shapes = []
            for reader in given.roles.values():
                query = queries[protection.dataset_of(reader.name, PLACE), relation.name].copy()
                for table in query.find_all(exp.Table):
                    table.set("catalog", None)
                sql = query.sql(dialect="duckdb")
                row = connection.execute(sql).fetchone()
                assert row is not None
                for column, value in zip(relation.columns, row, strict=True):
                    if column.type == "varchar":
                        shown = sees(reader, column, given.personal_data)
                        assert value == (column.name if shown else None)
                described = connection.execute(f"DESCRIBE {sql}").fetchall()
                shapes.append([(name, kind) for name, kind, *_ in described])
            assert all(shape == shapes[0] for shape in shapes)


@given(declared())
@settings(max_examples=40, deadline=None)
def test_each_statement_is_taken_by_the_dialect_as_what_it_is(given: Declared) -> None:
    members = {name: ["group:a@example.com", "user:b@example.com"] for name in given.roles}
    found = Found({"serving_gone": frozenset({"user:x@example.com"})})
    for statement in (
        *protection.revoke("acme-cdp", given.roles, members, found),
        *made(given),
        *protection.grant("acme-cdp", given.roles, members, found),
    ):
        tree = sqlglot.parse_one(statement, dialect="bigquery")
        assert isinstance(tree, exp.Create | exp.Drop | exp.Grant | exp.Revoke), statement


@given(declared(), declared())
@settings(max_examples=40, deadline=None)
def test_what_is_declared_no_more_is_taken_away(before: Declared, after: Declared) -> None:
    found = Found(
        {
            protection.dataset_of(name): frozenset({f"group:{name}@example.com", "user:a@b.c"})
            for name in before.roles
        }
    )
    members = {name: ["user:a@b.c"] for name in after.roles}
    granted = {(dataset, each) for dataset, had in found.members.items() for each in had}
    for statement in protection.revoke("acme-cdp", after.roles, members, found):
        granted.remove(granted_in(statement))
    for statement in protection.grant("acme-cdp", after.roles, members, found):
        granted.add(granted_in(statement))
    assert granted == {(protection.dataset_of(name), "user:a@b.c") for name in after.roles}


def granted_in(statement: str) -> tuple[str, str]:
    match = re.fullmatch(
        r"(?:GRANT|REVOKE) `roles/bigquery\.dataViewer` ON SCHEMA `acme-cdp`\.`(\w+)` "
        r'(?:TO|FROM) "([^"\\]+)"',
        statement,
    )
    assert match, statement
    return match[1], match[2]


def test_doing_it_again_grants_and_revokes_nothing() -> None:
    given = shipped()
    members = {"analyst": ["group:analysts@example.com"]}
    found = Found({"serving_analyst": frozenset(members["analyst"])})
    assert protection.grant("acme-cdp", given.roles, members, found) == []
    assert protection.revoke("acme-cdp", given.roles, members, found) == []


def test_members_of_a_role_that_there_is_not_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"gives members to analist, .* allowed: analyst, marketing"
    ):
        protection.grant("acme-cdp", shipped().roles, {"analist": ["user:a@example.com"]})


# --- names ---------------------------------------------------------------------------------------


@given(declared(names()))
@settings(max_examples=150, deadline=None)
def test_no_name_and_no_description_becomes_a_part_of_a_statement(given: Declared) -> None:
    unquotable = any(
        re.search(r"[`\\\x00-\x1f\x7f]", name)
        for relation in given.relations
        if relation.readers
        for name in (*relation.place, *(column.name for column in relation.columns))
    )
    if unquotable:
        with pytest.raises(ValueError, match="cannot be quoted"):
            made(given)
        return
    of_no_declaration = {
        f"CREATE VIEW {PLACE}_{name}.{about} AS SELECT * FROM {PLACE}.{about}"
        for name in given.roles
        for about in ABOUT
    }
    for statement in set(made(given)) - of_no_declaration:
        for token in BigQuery().tokenize(statement):
            if token.token_type not in (
                sqlglot.TokenType.IDENTIFIER,
                sqlglot.TokenType.STRING,
            ):
                assert re.fullmatch(r"[A-Za-z_]+[A-Za-z_0-9]*|\d+|[().,=\[\]]", token.text), (
                    statement
                )


@given(plain_names(), names())
@settings(max_examples=100, deadline=None)
def test_an_odd_name_gives_the_tokens_of_a_plain_one(plain: str, odd: str) -> None:
    assume(not re.search(r"[`\\\x00-\x1f\x7f]", odd))

    def shapes(name: str) -> list[list[Any]]:
        relation = Relation(name, name, False, shipped_columns, ("a",), name)
        statements = made(Declared({"a": role("a", name)}, shipped_map, [relation]))
        quoted = {sqlglot.TokenType.IDENTIFIER, sqlglot.TokenType.STRING}
        return [
            [
                each.token_type if each.token_type in quoted else (each.token_type, each.text)
                for each in BigQuery().tokenize(statement)
            ]
            for statement in statements
        ]

    assert shapes(plain) == shapes(odd)


shipped_map = shipped().personal_data
shipped_columns = shipped().relations[0].columns


# --- requests ------------------------------------------------------------------------------------


def test_views_of_all_roles_are_let_in_once_and_others_stay_as_they_are() -> None:
    owner = {"role": "OWNER", "specialGroup": "projectOwners"}
    theirs = {
        "dataset": {
            "dataset": {"projectId": "other", "datasetId": "serving_gone"},
            "targetTypes": ["VIEWS"],
        }
    }
    once = protection.let_views_in("acme-cdp", [owner, theirs], ["analyst", "gone"])
    again = protection.let_views_in("acme-cdp", once, ["analyst"], known=["serving_gone"])
    assert again == [
        owner,
        theirs,
        {
            "dataset": {
                "dataset": {"projectId": "acme-cdp", "datasetId": "serving_analyst"},
                "targetTypes": ["VIEWS"],
            }
        },
    ]
    assert protection.let_views_in("acme-cdp", again, ["analyst"]) == again


def test_each_personal_column_has_the_tag_of_its_class_and_no_other_has_one() -> None:
    given = shipped()
    for relation in given.relations:
        tags = protection.tags_of(relation, given.personal_data, TAGS)
        for column in relation.columns:
            kind = given.personal_data.class_of(column)
            assert tags.get(column.name) == (TAGS[kind] if kind else None)


def test_a_taxonomy_without_a_class_is_told_which_to_make() -> None:
    assert protection.missing_tags(TAGS) == []
    (missing,) = protection.missing_tags({k: v for k, v in TAGS.items() if k != "email"})
    assert missing["displayName"] == "email"


def test_a_schema_gets_its_tags_and_loses_those_that_are_declared_no_more() -> None:
    fields: list[protection.Json] = [
        {"name": "Email", "type": "STRING", "mode": "NULLABLE", "description": "x"},
        {"name": "plain", "type": "STRING", "policyTags": {"names": [TAGS["name"]]}},
        {"name": "theirs", "type": "STRING", "policyTags": {"names": ["projects/o/t/9"]}},
        {"name": "bare", "type": "INTEGER"},
    ]
    wanted: list[protection.Json] = [
        {**fields[0], "policyTags": {"names": [TAGS["email"]]}},
        {"name": "plain", "type": "STRING", "policyTags": {"names": []}},
        fields[2],
        fields[3],
    ]
    assert protection.tagged(fields, {"email": TAGS["email"]}, TAXONOMY) == wanted
    assert protection.tagged(wanted, {"email": TAGS["email"]}, TAXONOMY) == wanted


def test_a_tag_is_read_by_members_that_are_shown_its_class_and_by_the_builder() -> None:
    members = {"analyst": ["group:a@example.com"], "marketing": ["group:m@example.com"]}
    readers = protection.readers_of_tags(shipped().roles, members, TAGS, BUILDER)
    assert set(readers) == set(TAGS.values())
    assert all(each == ["group:m@example.com", BUILDER] for each in readers.values())
