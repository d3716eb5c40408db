"""Declarations for tests of protection: the shipped ones, and any others.

Belongs here: roles, maps and relations as a deployment might declare them, odd names included. Does
not belong here: any engine's statements.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from cdp.config.personal_data import CLASSES, PLAIN, Column, PersonalData, load_personal_data
from cdp.config.roles import Role, load_roles
from cdp.generation import SHIPPED_PROJECT
from cdp.warehouse.engines.protection import Relation, read_relations
from cdp.warehouse.model_catalogue import load_catalogue
from cdp.warehouse.settings import PROJECT_ROOT, load_settings

TYPES = ("VARCHAR", "BIGINT", "DATE", "TIMESTAMP", "BOOLEAN", "DECIMAL(18,4)")


@dataclass(frozen=True)
class Declared:
    """What a deployment declares, and what of it roles read."""

    roles: dict[str, Role]
    personal_data: PersonalData
    relations: list[Relation]

    def hidden(self, role: Role) -> list[tuple[Relation, Column]]:
        """The columns that a role must not see of what it reads."""
        return [
            (relation, column)
            for relation in self.relations
            if role.name in relation.readers
            for column in relation.columns
            if not role.sees_class(self.personal_data.class_of(column))
        ]


def shipped() -> Declared:
    """The shipped declarations, published as views of a set."""
    settings = load_settings(config=PROJECT_ROOT / "config")
    roles = load_roles(settings)
    relations = read_relations(
        roles,
        load_catalogue(SHIPPED_PROJECT),
        stands=lambda place: (("serving", place[1]), True),
    )
    return Declared(roles, load_personal_data(settings), relations)


def role(name: str, description: str = "x", shows: object = ()) -> Role:
    """A role as `roles.yml` declares it."""
    return Role.model_validate(
        {"name": name, "description": description, "shows": shows, "core": ("s.*",)}
    )


def shown() -> st.SearchStrategy[object]:
    return st.one_of(
        st.just("all"), st.lists(st.sampled_from(sorted(CLASSES)), unique=True).map(tuple)
    )


def names(alphabet: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[str]:
    return st.text(
        alphabet
        or st.one_of(
            st.sampled_from("abc_\"'`;-. )(*/\\\n$"),
            st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc"]),
        ),
        min_size=1,
        max_size=12,
    )


def plain_names() -> st.SearchStrategy[str]:
    return st.from_regex("[a-z][a-z0-9_]{0,8}", fullmatch=True)


@st.composite
def declared(draw: st.DrawFn, named: st.SearchStrategy[str] | None = None) -> Declared:
    """Any declarations; relations and columns are called as `named` says."""
    named = named or plain_names()
    roles = {
        name: role(name, draw(names()), draw(shown()))
        for name in draw(st.lists(plain_names(), min_size=1, max_size=4, unique=True))
    }
    relations: list[Relation] = []
    tables: dict[str, dict[str, str]] = {}
    for number, name in enumerate(
        draw(st.lists(named, min_size=1, max_size=3, unique_by=str.upper))
    ):
        schema, table = draw(named), f"t{number}"
        columns = draw(st.lists(named, min_size=1, max_size=4, unique_by=str.upper))
        tables[f"s.{table}"] = {
            column.lower(): draw(st.sampled_from([*CLASSES, PLAIN])) for column in columns
        }
        relations.append(
            Relation(
                schema,
                name,
                draw(st.booleans()),
                tuple(
                    Column("s", table, column, draw(st.sampled_from(TYPES))) for column in columns
                ),
                tuple(draw(st.lists(st.sampled_from(sorted(roles)), unique=True))),
                draw(names()),
            )
        )
    return Declared(roles, PersonalData(tables, {}, frozenset()), relations)
