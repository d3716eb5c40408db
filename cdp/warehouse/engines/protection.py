"""What of published tables which role may see, before any engine's way of saying so.

Belongs here: which relations a role reads, and which of their columns are personal, from the three
declarations that know it: `roles.yml`, `personal_data.yml` and the catalogue of models. Pure. Does
not belong here: statements (`snowflake_protection`, `bigquery_protection`); the embedded engine,
whose sets leave out what a role may not see (`cdp.warehouse.set_files`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cdp.config.personal_data import Column, PersonalData
from cdp.config.roles import SECTIONS, Role, expand
from cdp.warehouse.model_catalogue import Catalogue

Place = tuple[str, str]
"""Schema and name of a relation where it stands."""


@dataclass(frozen=True)
class Relation:
    """A table or view that roles read.

    Attributes:
        columns: as its model declares them: what the map says of them is asked by the model's own
            schema and table, wherever the relation stands.
        readers: names of the roles that read it.
    """

    schema: str
    name: str
    is_view: bool
    columns: tuple[Column, ...]
    readers: tuple[str, ...]
    description: str = ""

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.schema, self.name


def read_relations(
    roles: Mapping[str, Role],
    catalogue: Catalogue,
    *,
    stands: Callable[[Place], tuple[Place, bool]] = lambda place: (place, False),
) -> list[Relation]:
    """The relations that roles read, each once, in the order of their names.

    Args:
        roles: all roles.
        catalogue: all models.
        stands: of a model's schema and name, where what is published of it stands, and whether that
            is a view; without it, the model's own table.
    """
    readers: dict[Place, list[str]] = {}
    for role in roles.values():
        for section in SECTIONS:
            for place in expand(role.patterns(section), catalogue):
                named = readers.setdefault(place, [])
                if role.name not in named:
                    named.append(role.name)
    relations = []
    for place, names in sorted(readers.items()):
        (schema, name), is_view = stands(place)
        model = catalogue[place]
        relations.append(
            Relation(
                schema, name, is_view, tuple(model.typed_columns()), tuple(names), model.description
            )
        )
    return relations


def sees(role: Role, column: Column, personal_data: PersonalData) -> bool:
    """Whether a role is shown a column.

    Raises:
        UndeclaredColumns: the map says nothing about it.
    """
    return role.sees_class(personal_data.class_of(column))
