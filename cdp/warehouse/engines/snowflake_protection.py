"""The map of personal data as Snowflake's own protection: database roles, masking policies, grants.

Belongs here: the statements that bring an account from what it has to what is declared, and reading
what it has. Pure: declarations and rows in, text out. Does not belong here: running a statement.

Each role of `roles.yml` becomes a database role, to be granted to whom one likes. Each class of
personal data has one masking policy for each type: it gives the value to sessions that have a role
which is shown the class, and null to all others, whatever else they may do in the account. It gives
it to the owner of the warehouse too, who builds and checks with it.

The order leaves no moment in which a role sees what it must not: what is taken away comes first,
policies and masks next, grants last. Doing it again changes nothing, and what was declared once and
is declared no more goes, where its name or comment says that it came from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlglot import exp

from cdp.config.personal_data import CLASSES, Column, PersonalData
from cdp.config.roles import Role
from cdp.warehouse.engines.protection import Relation

POLICY_SCHEMA = "GOVERNANCE"
"""The schema that policies stand in."""

_OWN_POLICY = re.compile("MASK_(" + "|".join(map(str.upper, CLASSES)) + ")_[A-Z0-9_]+")
_OWN_ROLE = "Role of Tributary: "
"""How the comment of a database role begins that came from `roles.yml`."""

_DIALECT = "snowflake"


class Masked(NamedTuple):
    """A column that a policy stands on."""

    schema: str
    relation: str
    is_view: bool
    column: str


class Grant(NamedTuple):
    """What a database role may do: to the schema, or the table or view, of a path."""

    role: str
    privilege: str
    kind: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What an account has of protection that came from here; all names as Snowflake keeps them."""

    policies: frozenset[str] = frozenset()
    masks: Mapping[Masked, str] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    grants: frozenset[Grant] = frozenset()


NOTHING = Found()


def protect(
    database: str,
    relations: Sequence[Relation],
    roles: Mapping[str, Role],
    personal_data: PersonalData,
    *,
    owner: str,
    found: Found = NOTHING,
) -> list[str]:
    """The statements that make an account protect what roles read, as it is declared.

    Args:
        database: the database of the warehouse.
        relations: what roles read, all of it there already.
        roles: all roles.
        personal_data: the map.
        owner: the account role that builds and checks.
        found: what the account has already.

    Raises:
        UndeclaredColumns: the map says nothing about a column.
    """
    masks = _masks(relations, personal_data)
    kinds = {policy: (kind, type_) for policy, kind, type_ in masks.values()}
    wanted = {masked: policy for masked, (policy, _, _) in masks.items()}
    grants = _grants(database, relations, roles)
    names = {_upper(name) for name in roles}
    statements = [
        _revoked(database, grant)
        for grant in sorted(found.grants - grants)
        if grant.role in names  # those of others go with their role
    ]
    statements += [
        f"DROP DATABASE ROLE {_path(database, name)}" for name in sorted(found.roles - names)
    ]
    statements += [
        f"CREATE DATABASE ROLE IF NOT EXISTS {_path(database, name)} "
        f"COMMENT = {_text(_OWN_ROLE + role.description)}"
        for name, role in roles.items()
    ]
    for policy, (kind, type_) in sorted(kinds.items()):
        statements += _policy(database, policy, type_, _shown(kind, roles, owner))
    statements += [
        f"ALTER {_kind(masked)} {_path(database, masked.schema, masked.relation)} "
        f"MODIFY COLUMN {_name(masked.column)} SET MASKING POLICY "
        f"{_path(database, POLICY_SCHEMA, policy)} FORCE"
        for masked, policy in wanted.items()
        if found.masks.get(masked) != policy
    ]
    statements += [
        f"ALTER {_kind(masked)} {_path(database, masked.schema, masked.relation)} "
        f"MODIFY COLUMN {_name(masked.column)} UNSET MASKING POLICY"
        for masked in found.masks
        if masked not in wanted
    ]
    statements += [_granted(database, grant) for grant in sorted(grants - found.grants)]
    statements += [
        f"DROP MASKING POLICY {_path(database, POLICY_SCHEMA, policy)}"
        for policy in sorted(found.policies - set(kinds))
    ]
    return statements


def policies_of(relations: Iterable[Relation], personal_data: PersonalData) -> frozenset[str]:
    """The policies that relations need."""
    return frozenset(policy for policy, _, _ in _masks(relations, personal_data).values())


def admitting(database: str, relations: Sequence[Relation], role: str) -> list[str]:
    """The statements that let a role read relations; nothing is taken away."""
    return [
        # A publication that was killed may have dropped it, being declared no more, while the set
        # that readers are pointed at has it still.
        f"CREATE DATABASE ROLE IF NOT EXISTS {_path(database, role)} COMMENT = {_text(_OWN_ROLE)}",
        *(_granted(database, grant) for grant in sorted(_grants(database, relations, [role]))),
    ]


# --- what is wanted ------------------------------------------------------------------------------


def _masks(
    relations: Iterable[Relation], personal_data: PersonalData
) -> dict[Masked, tuple[str, str, str]]:
    """Policy, class and type of each personal column, whether or not any role is kept from it."""
    masks = {}
    for relation in relations:
        for column in relation.columns:
            kind = personal_data.class_of(column)
            if kind is not None:
                type_ = _type(column)
                masks[
                    Masked(
                        _upper(relation.schema),
                        _upper(relation.name),
                        relation.is_view,
                        _upper(column.name),
                    )
                ] = (_policy_name(kind, type_), kind, type_)
    return masks


def _shown(kind: str, roles: Mapping[str, Role], owner: str) -> str:
    """Whether a session is shown values of a class."""
    calls = [f"IS_ROLE_IN_SESSION({_text(_upper(owner))})"]
    calls += [
        # By the name alone: of a path it says no.
        f"IS_DATABASE_ROLE_IN_SESSION({_text(_upper(name))})"
        for name, role in sorted(roles.items())
        if role.sees_class(kind)
    ]
    return " OR ".join(calls)


def _policy(database: str, policy: str, type_: str, shown: str) -> list[str]:
    path = _path(database, POLICY_SCHEMA, policy)
    body = f"CASE WHEN {shown} THEN value ELSE NULL END"
    return [
        # A policy that columns have cannot be replaced, only given another body.
        f"CREATE MASKING POLICY IF NOT EXISTS {path} AS (value {type_}) RETURNS {type_} -> {body}",
        f"ALTER MASKING POLICY {path} SET BODY -> {body}",
    ]


def _grants(database: str, relations: Iterable[Relation], roles: Iterable[str]) -> set[Grant]:
    grants = {Grant(_upper(name), "USAGE", "DATABASE", (_upper(database),)) for name in roles}
    for relation in relations:
        schema, name = map(_upper, relation.place)
        kind = "VIEW" if relation.is_view else "TABLE"
        for reader in map(_upper, relation.readers):
            grants.add(Grant(reader, "USAGE", "SCHEMA", (schema,)))
            grants.add(Grant(reader, "SELECT", kind, (schema, name)))
    return grants


def _granted(database: str, grant: Grant) -> str:
    return f"GRANT {_what(database, grant)} TO DATABASE ROLE {_path(database, grant.role)}"


def _revoked(database: str, grant: Grant) -> str:
    return f"REVOKE {_what(database, grant)} FROM DATABASE ROLE {_path(database, grant.role)}"


def _what(database: str, grant: Grant) -> str:
    path = grant.path if grant.kind == "DATABASE" else (database, *grant.path)
    return f"{grant.privilege} ON {grant.kind} {_path(*path)}"


def _kind(masked: Masked) -> str:
    return "VIEW" if masked.is_view else "TABLE"


def _policy_name(kind: str, type_: str) -> str:
    return "MASK_" + re.sub(r"\W+", "_", f"{kind}_{type_}").strip("_").upper()


def _type(column: Column) -> str:
    return exp.DataType.build(column.type, dialect="duckdb").sql(dialect=_DIALECT)


# --- names and texts -----------------------------------------------------------------------------


def _upper(name: str) -> str:
    """A name as Snowflake keeps it: dbt and dlt write names without quotes, which it turns up."""
    return name.upper()


def _name(name: str) -> str:
    return '"' + _upper(name).replace('"', '""') + '"'


def _path(*names: str) -> str:
    return ".".join(map(_name, names))


def _text(value: str) -> str:
    return exp.Literal.string(value).sql(dialect=_DIALECT)


# --- what is found -------------------------------------------------------------------------------

Row = Mapping[str, Any]
"""A row of a SHOW statement or a table function by the names of its columns in lower case."""


def ask_policies(database: str) -> str:
    """Asks for the policies there are."""
    return f"SHOW MASKING POLICIES IN SCHEMA {_path(database, POLICY_SCHEMA)}"


def ask_masks(database: str, policy: str) -> str:
    """Asks for the columns that a policy stands on."""
    named = _text(_path(database, POLICY_SCHEMA, policy))
    return (
        f"SELECT * FROM TABLE({_name(database)}.INFORMATION_SCHEMA.POLICY_REFERENCES("
        f"POLICY_NAME => {named}))"
    )


def ask_roles(database: str) -> str:
    """Asks for the database roles there are."""
    return f"SHOW DATABASE ROLES IN DATABASE {_name(database)}"


def ask_grants(database: str, role: str) -> str:
    """Asks for what a database role may do."""
    return f"SHOW GRANTS TO DATABASE ROLE {_path(database, role)}"


def own_policies(rows: Iterable[Row]) -> frozenset[str]:
    """The policies that came from here, from the answer to `ask_policies`."""
    return frozenset(str(row["name"]) for row in rows if _OWN_POLICY.fullmatch(str(row["name"])))


def own_roles(rows: Iterable[Row]) -> frozenset[str]:
    """The database roles that came from here, from the answer to `ask_roles`."""
    return frozenset(
        str(row["name"]) for row in rows if str(row["comment"] or "").startswith(_OWN_ROLE)
    )


def masks_of(policy: str, rows: Iterable[Row]) -> dict[Masked, str]:
    """The columns that a policy stands on, from the answer to `ask_masks`."""
    return {
        Masked(
            str(row["ref_schema_name"]),
            str(row["ref_entity_name"]),
            str(row["ref_entity_domain"]).upper() == "VIEW",
            str(row["ref_column_name"]),
        ): policy
        for row in rows
    }


def grants_of(role: str, rows: Iterable[Row]) -> frozenset[Grant]:
    """What a database role may do, from the answer to `ask_grants`."""
    found = set()
    for row in rows:
        kind = str(row["granted_on"]).upper()
        if kind not in ("DATABASE", "SCHEMA", "TABLE", "VIEW"):
            continue
        parts = tuple(part.name for part in exp.to_table(str(row["name"]), dialect=_DIALECT).parts)
        path = parts if kind == "DATABASE" else parts[1:]
        found.add(Grant(role, str(row["privilege"]).upper(), kind, path))
    return frozenset(found)
