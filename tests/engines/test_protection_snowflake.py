"""Snowflake's policies and grants keep from each role what the map of personal data says.

fakesnow has no policies, roles or grants, so those statements run nowhere here: `NOT_EXECUTED`
names them, and a test holds the list. What decides, the condition of a policy, is executed.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
import sqlglot
from hypothesis import given, settings
from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake

from cdp.warehouse.engines import snowflake_protection as protection
from cdp.warehouse.engines.protection import Relation
from cdp.warehouse.engines.snowflake_protection import Found, Grant, Masked
from tests.engines.protected import Declared, declared, names, plain_names, role, shipped

NOT_EXECUTED = {
    "ALTER MASKING POLICY",
    "ALTER TABLE MODIFY COLUMN SET MASKING POLICY",
    "ALTER TABLE MODIFY COLUMN UNSET MASKING POLICY",
    "ALTER VIEW MODIFY COLUMN SET MASKING POLICY",
    "ALTER VIEW MODIFY COLUMN UNSET MASKING POLICY",
    "CREATE DATABASE ROLE",
    "CREATE MASKING POLICY",
    "DROP DATABASE ROLE",
    "DROP MASKING POLICY",
    "GRANT SELECT ON TABLE",
    "GRANT SELECT ON VIEW",
    "GRANT USAGE ON DATABASE",
    "GRANT USAGE ON SCHEMA",
    "REVOKE SELECT ON TABLE",
    "REVOKE SELECT ON VIEW",
    "REVOKE USAGE ON SCHEMA",
    "SELECT POLICY_REFERENCES",
    "SHOW DATABASE ROLES",
    "SHOW GRANTS",
    "SHOW MASKING POLICIES",
}
"""Kinds of statements that are written and that fakesnow 0.11 does not execute."""

ENGINES = "needs what `make engines` installs"
OWNER = "TRIBUTARY"


def protected(given: Declared, found: Found = protection.NOTHING) -> list[str]:
    return protection.protect(
        "CDP", given.relations, given.roles, given.personal_data, owner=OWNER, found=found
    )


IDENTIFIER = r'"(?:[^"]|"")*"'
PATH = rf"{IDENTIFIER}(?:\.{IDENTIFIER})*"


class Account:
    """An account that does what the statements say, as far as protection goes, and nothing else.

    It knows each statement by its whole text, so that a statement that says more is refused.
    """

    def __init__(self) -> None:
        self.roles: set[str] = set()
        self.policies: dict[str, str] = {}
        self.masks: dict[Masked, str] = {}
        self.grants: set[Grant] = set()
        self.past: list[str] = []

    def run(self, statements: list[str]) -> None:
        for statement in statements:
            self.past.append(statement)
            for pattern, act in self._acts:
                if match := re.fullmatch(pattern, statement, re.DOTALL):
                    act(self, *match.groups())
                    break
            else:
                raise AssertionError(f"no statement of protection: {statement}")

    def found(self) -> Found:
        return Found(
            frozenset(self.policies),
            dict(self.masks),
            frozenset(self.roles),
            frozenset(self.grants),
        )

    def _create_role(self, path: str, _: str) -> None:
        self.roles.add(parts(path)[1])

    def _drop_role(self, path: str) -> None:
        name = parts(path)[1]
        self.roles.remove(name)
        self.grants = {grant for grant in self.grants if grant.role != name}

    def _create_policy(self, path: str, body: str) -> None:
        self.policies.setdefault(parts(path)[2], body)

    def _set_body(self, path: str, body: str) -> None:
        assert parts(path)[2] in self.policies
        self.policies[parts(path)[2]] = body

    def _drop_policy(self, path: str) -> None:
        name = parts(path)[2]
        assert name not in self.masks.values(), "a policy that columns have cannot be dropped"
        del self.policies[name]

    def _mask(self, kind: str, path: str, column: str, policy: str) -> None:
        _, schema, name = parts(path)
        assert parts(policy)[2] in self.policies
        self.masks[Masked(schema, name, kind == "VIEW", parts(column)[0])] = parts(policy)[2]

    def _unmask(self, kind: str, path: str, column: str) -> None:
        _, schema, name = parts(path)
        del self.masks[Masked(schema, name, kind == "VIEW", parts(column)[0])]

    def _grant(self, privilege: str, kind: str, path: str, role: str) -> None:
        assert parts(role)[1] in self.roles
        self.grants.add(self._of(privilege, kind, path, role))

    def _revoke(self, privilege: str, kind: str, path: str, role: str) -> None:
        self.grants.remove(self._of(privilege, kind, path, role))

    @staticmethod
    def _of(privilege: str, kind: str, path: str, role: str) -> Grant:
        named = parts(path)
        return Grant(
            parts(role)[1], privilege, kind, tuple(named if kind == "DATABASE" else named[1:])
        )

    _acts: tuple[tuple[str, Any], ...] = (
        (
            rf"CREATE DATABASE ROLE IF NOT EXISTS ({PATH}) COMMENT = ('(?:[^'\\]|\\.)*')",
            _create_role,
        ),
        (rf"DROP DATABASE ROLE ({PATH})", _drop_role),
        (
            rf"CREATE MASKING POLICY IF NOT EXISTS ({PATH}) AS \(value [A-Z]+(?:\(\d+, \d+\))?\) "
            r"RETURNS [A-Z]+(?:\(\d+, \d+\))? -> (CASE WHEN .* END)",
            _create_policy,
        ),
        (rf"ALTER MASKING POLICY ({PATH}) SET BODY -> (CASE WHEN .* END)", _set_body),
        (rf"DROP MASKING POLICY ({PATH})", _drop_policy),
        (
            rf"ALTER (TABLE|VIEW) ({PATH}) MODIFY COLUMN ({IDENTIFIER}) "
            rf"SET MASKING POLICY ({PATH}) FORCE",
            _mask,
        ),
        (
            rf"ALTER (TABLE|VIEW) ({PATH}) MODIFY COLUMN ({IDENTIFIER}) UNSET MASKING POLICY",
            _unmask,
        ),
        (rf"GRANT (\w+) ON (\w+) ({PATH}) TO DATABASE ROLE ({PATH})", _grant),
        (rf"REVOKE (\w+) ON (\w+) ({PATH}) FROM DATABASE ROLE ({PATH})", _revoke),
    )

    def shows(self, relation: Relation, column: str, role: str) -> bool:
        """Whether a session with one database role is shown the values of a column."""
        policy = self.masks.get(
            Masked(relation.schema.upper(), relation.name.upper(), relation.is_view, column.upper())
        )
        return policy is None or true_for(self.policies[policy], {role.upper()})

    def reads(self, relation: Relation, role: str) -> bool:
        """Whether a database role may read a relation."""
        schema, name = relation.schema.upper(), relation.name.upper()
        kind = "VIEW" if relation.is_view else "TABLE"
        return {
            Grant(role.upper(), "USAGE", "SCHEMA", (schema,)),
            Grant(role.upper(), "SELECT", kind, (schema, name)),
        } <= self.grants


def parts(path: str) -> list[str]:
    return [each[1:-1].replace('""', '"') for each in re.findall(IDENTIFIER, path)]


def true_for(body: str, roles: set[str], account_role: str | None = None) -> bool:
    """Whether a policy's body gives the value to a session with these database roles."""
    (case,) = [sqlglot.parse_one(body, dialect="snowflake")]
    assert isinstance(case, exp.Case)
    (only,) = case.args["ifs"]
    assert only.args["true"].sql() == "value"
    assert case.args["default"].sql() == "NULL"
    asked = list(only.this.flatten()) if isinstance(only.this, exp.Or) else [only.this]
    answers = []
    for each in asked:
        assert isinstance(each, exp.Anonymous)
        named = each.expressions[0].this
        answers.append(
            named in roles
            if each.name == "IS_DATABASE_ROLE_IN_SESSION"
            else each.name == "IS_ROLE_IN_SESSION" and named == account_role
        )
    return any(answers)


@given(declared())
@settings(max_examples=60, deadline=None)
def test_every_personal_column_is_null_for_every_role_that_must_not_see_it(given: Declared) -> None:
    account = Account()
    account.run(protected(given))
    for reader in given.roles.values():
        for relation in given.relations:
            assert account.reads(relation, reader.name) == (reader.name in relation.readers)
            for column in relation.columns:
                kind = given.personal_data.class_of(column)
                assert account.shows(relation, column.name, reader.name) == reader.sees_class(kind)


def test_every_personal_column_of_the_shipped_roles_is_covered() -> None:
    given, account = shipped(), Account()
    account.run(protected(given))
    hidden = given.hidden(given.roles["analyst"])
    assert {"email", "phone", "birth_date", "payload"} <= {
        given.personal_data.class_of(column) for _, column in hidden
    }
    for relation, column in hidden:
        assert not account.shows(relation, column.name, "analyst")
        assert account.shows(relation, column.name, "marketing")


def test_the_owner_is_shown_what_it_builds_and_nobody_else_is() -> None:
    account = Account()
    account.run(protected(shipped()))
    for body in account.policies.values():
        assert true_for(body, set(), OWNER)
        assert not true_for(body, set(), "ACCOUNTADMIN")
        assert not true_for(body, {"ANALYST", "PUBLIC"})


@given(declared())
@settings(max_examples=30, deadline=None)
def test_doing_it_again_changes_nothing(given: Declared) -> None:
    account = Account()
    account.run(protected(given))
    before = account.found()
    again = protected(given, before)
    assert all(
        re.match("CREATE (DATABASE ROLE|MASKING POLICY) IF NOT EXISTS|ALTER MASKING POLICY", each)
        for each in again
    )
    account.run(again)
    assert account.found() == before


@given(declared(), declared())
@settings(max_examples=60, deadline=None)
def test_what_is_declared_no_more_is_taken_away(before: Declared, after: Declared) -> None:
    account, fresh = Account(), Account()
    account.run(protected(before))
    account.run(protected(after, account.found()))
    fresh.run(protected(after))
    assert account.found() == fresh.found()


@given(declared(), declared())
@settings(max_examples=30, deadline=None)
def test_at_no_moment_on_the_way_does_a_role_read_what_neither_declaration_shows_it(
    before: Declared, after: Declared
) -> None:
    account = Account()
    account.run(protected(before))
    steps = protected(after, account.found())
    if before.relations and {each.place for each in before.relations} & {
        each.place for each in after.relations
    }:
        return  # a relation of one place is the same one, with other columns: no such deployment
    for step in steps:
        account.run([step])
        for reader in after.roles.values():
            for relation, column in after.hidden(reader):
                if account.reads(relation, reader.name):
                    assert not account.shows(relation, column.name, reader.name)


def test_each_statement_is_taken_by_the_dialect() -> None:
    """As far as sqlglot knows it: a statement on policies or roles is a command to it."""
    given, account = shipped(), Account()
    account.run(protected(given))
    account.run(protected(Declared({}, given.personal_data, []), account.found()))
    unknown = set()
    for statement in account.past:
        try:
            sqlglot.parse_one(statement, dialect="snowflake")
        except sqlglot.ParseError:
            unknown.add(kind_of(statement))
    assert unknown == {"DROP DATABASE ROLE"}


def shape(statement: str) -> list[Any]:
    """The kinds of a statement's tokens: what is no name and no text, word for word."""
    tokens = Snowflake().tokenize(statement)
    quoted = {sqlglot.TokenType.IDENTIFIER, sqlglot.TokenType.STRING}
    return [
        each.token_type if each.token_type in quoted else (each.token_type, each.text)
        for each in tokens
    ]


@given(declared(names()))
@settings(max_examples=100, deadline=None)
def test_no_name_and_no_description_becomes_a_part_of_a_statement(given: Declared) -> None:
    """With any names, the statements are those of plain names but for what is quoted."""
    statements = protected(given)
    Account().run(statements)
    for statement in statements:
        for token in Snowflake().tokenize(statement):
            if token.token_type not in (
                sqlglot.TokenType.IDENTIFIER,
                sqlglot.TokenType.STRING,
            ):
                assert re.fullmatch(r"[A-Za-z_]+|\d+|[().,=]|->", token.text), statement
        assert ";" not in re.sub(rf"{IDENTIFIER}|'(?:[^'\\]|\\.)*'", "", statement)


@given(plain_names(), names())
@settings(max_examples=100, deadline=None)
def test_an_odd_name_gives_the_tokens_of_a_plain_one(plain: str, odd: str) -> None:
    def grants(name: str) -> list[str]:
        relation = Relation(name, name, True, (), ("a",), name)
        roles = {"a": role("a", name)}
        return protection.protect(
            "CDP", [relation], roles, shipped_map, owner=OWNER, found=protection.NOTHING
        )

    assert [shape(each) for each in grants(plain)] == [shape(each) for each in grants(odd)]


shipped_map = shipped().personal_data


def test_what_an_account_answers_is_read_as_what_was_made() -> None:
    given, account = shipped(), Account()
    account.run(protected(given))
    found = account.found()
    policies = [{"name": name} for name in (*found.policies, "MASK_SSN", "SOMEBODY_S")]
    assert protection.own_policies(policies) == found.policies
    roles: list[dict[str, str | None]] = [
        {"name": name, "comment": "Role of Tributary: x"} for name in found.roles
    ]
    roles += [{"name": "THEIRS", "comment": None}, {"name": "OLD", "comment": "by hand"}]
    assert protection.own_roles(roles) == found.roles
    masks: dict[Masked, str] = {}
    for policy in found.policies:
        rows = [
            {
                "ref_schema_name": each.schema,
                "ref_entity_name": each.relation,
                "ref_entity_domain": "VIEW" if each.is_view else "TABLE",
                "ref_column_name": each.column,
            }
            for each, of in found.masks.items()
            if of == policy
        ]
        masks |= protection.masks_of(policy, rows)
    assert masks == found.masks
    grants: set[Grant] = set()
    for name in found.roles:
        rows = [
            {
                "privilege": each.privilege,
                "granted_on": each.kind,
                "name": ".".join(each.path if each.kind == "DATABASE" else ("CDP", *each.path)),
            }
            for each in found.grants
            if each.role == name
        ]
        grants |= protection.grants_of(name, [*rows, {"granted_on": "DATABASE_ROLE"}])
    assert grants == found.grants


def test_a_name_that_an_account_quotes_is_read_as_it_is() -> None:
    rows = [{"privilege": "SELECT", "granted_on": "VIEW", "name": 'CDP."odd.""schema".V'}]
    assert protection.grants_of("A", rows) == {Grant("A", "SELECT", "VIEW", ('odd."schema', "V"))}


# --- what runs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cursor() -> Any:
    fakesnow = pytest.importorskip("fakesnow", reason=ENGINES)
    connector = pytest.importorskip("snowflake.connector", reason=ENGINES)
    with fakesnow.patch(), connector.connect(database="CDP", schema="GOVERNANCE") as connection:
        yield connection.cursor()


def test_the_condition_of_a_policy_gives_the_value_or_null(cursor: Any) -> None:
    account = Account()
    account.run(protected(shipped()))
    answers = {
        name: partial(lambda name, call: str(call[2] == name).upper(), name)
        for name in ("ANALYST", "MARKETING")
    }
    for policy, body in account.policies.items():
        type_ = policy.rpartition("_")[2]
        for name, shown in (("ANALYST", 0), ("MARKETING", 1)):
            # The only calls that fakesnow lacks, as the account answers them.
            told = re.sub(
                r"IS_(DATABASE_)?ROLE_IN_SESSION\('(\w+)'\)",
                answers[name],
                body,
            )
            value = "CAST('2001-02-03' AS DATE)" if type_ == "DATE" else "'ada'"
            cursor.execute(f"SELECT COUNT({told}) FROM (SELECT {value} AS value)")
            assert cursor.fetchone() == (shown,), (policy, name)


def kind_of(statement: str) -> str:
    bare = re.sub(rf"{PATH}|'(?:[^'\\]|\\.)*'", "", statement)
    if "POLICY_REFERENCES" in bare:
        return "SELECT POLICY_REFERENCES"
    words = re.sub(
        r"\s+(IF NOT EXISTS|COMMENT|AS|SET BODY|FORCE|TO|FROM|IN)\b.*", "", bare, flags=re.DOTALL
    )
    return " ".join(words.split())


def test_the_list_of_what_is_not_executed_is_right(cursor: Any) -> None:
    account, given = Account(), shipped()
    tables = Declared(
        given.roles,
        given.personal_data,
        [Relation("other", r.name, False, r.columns, r.readers) for r in given.relations],
    )
    bare = Declared(
        {"later": role("later")},
        given.personal_data,
        [],
    )
    fewer = Declared(given.roles, given.personal_data, [])
    for each in (given, tables, given, fewer, bare):
        account.run(protected(each, account.found()))
    written = [
        *account.past,
        protection.ask_policies("CDP"),
        protection.ask_masks("CDP", "MASK_EMAIL_VARCHAR"),
        protection.ask_roles("CDP"),
        protection.ask_grants("CDP", "ANALYST"),
    ]
    kinds = {kind_of(statement): statement for statement in written}
    from snowflake.connector.errors import ProgrammingError

    refused = set()
    for kind, statement in kinds.items():
        try:
            cursor.execute(statement)
        except (ProgrammingError, NotImplementedError):
            refused.add(kind)
    assert refused == NOT_EXECUTED
