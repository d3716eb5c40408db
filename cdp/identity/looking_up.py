"""Finding the identifier that somebody means in what the warehouse has seen.

Belongs here: from `type:value`, in the spelling of a source or the normalised one, to the
normalised identifier. Does not belong here: who it is (`cdp.identity.explaining`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import pyarrow as pa

from cdp.identity.identifiers import Identifier, NoIdentifier, no_type, readings
from cdp.identity.spelling import normaliser_of, spelled
from cdp.warehouse.store import Warehouse

_ANY = "*"

_WAYS = (
    ("given", "raw_value"),
    ("given", "identifier_value"),
    ("spelling", "identifier_value"),
)
"""In which spelling something may be asked for, and in which it is kept."""


class NeverSeen(LookupError):
    """The warehouse has never seen an identifier. Tells no value."""


class NothingBuilt(LookupError):
    """No run has built the identities yet."""


class Seen:
    """The identifiers of a warehouse, in whatever spelling they are asked for."""

    def __init__(self, warehouse: Warehouse, declared_types: Iterable[str] = ()) -> None:
        """
        Args:
            declared_types: types that sources are declared to bring, whether they have or not.

        Raises:
            NothingBuilt: no run has built the identities yet.
        """
        for schema, table in (
            ("identity", "int_identifier_values"),
            ("staging", "identifier_types"),
        ):
            if not warehouse.has_table(schema, table):
                raise NothingBuilt("no run has built the identities yet; `cdp run` does")
        self._warehouse = warehouse
        self._declared = frozenset(declared_types)
        self._known: dict[Identifier, Identifier | None] = {}

    def find(self, text: str, *, unseen: bool = False) -> Identifier:
        """The normalised identifier that `type:value` means.

        Args:
            unseen: take one that has never been seen, where its type is known.

        Raises:
            NoIdentifier: it is not written as one, its type is not known, or its value cannot be
                one of the type.
            NeverSeen: the warehouse has never seen it.
        """
        return self._find(list(readings(text)), unseen=unseen)

    def find_of(self, kind: str, value: str, *, unseen: bool = False) -> Identifier:
        """The same of a type and a value that are told apart."""
        return self._find([Identifier(kind, value)], unseen=unseen)

    def look_up(self, meant: Iterable[Identifier]) -> None:
        """Ask for many at once, so that finding each asks nothing more."""
        asked = sorted({each for each in meant if each.type != _ANY} - self._known.keys())
        self._known |= dict.fromkeys(asked)
        if not asked:
            return
        rows = pa.table(
            {
                "kind": [each.type for each in asked],
                "given": [each.value for each in asked],
                "spelling": [self._spelled(each) or each.value for each in asked],
            }
        )
        with self._warehouse.session() as session:
            session.lay("asked_identifiers", rows)
            found = session.rows(
                " UNION ".join(
                    "SELECT asked.kind, asked.given, seen.identifier_value "
                    "FROM asked_identifiers AS asked "
                    "JOIN identity.int_identifier_values AS seen "
                    f"ON asked.kind = seen.identifier_type AND asked.{given} = seen.{kept} "
                    "WHERE seen.identifier_value IS NOT NULL"
                    for given, kept in _WAYS
                )
            )
        for kind, given, value in sorted(found):
            # A value is itself before it is a spelling of another one.
            if self._known[Identifier(kind, given)] is None or value == given:
                self._known[Identifier(kind, given)] = Identifier(kind, value)

    def _find(self, meant: list[Identifier], *, unseen: bool) -> Identifier:
        self.look_up(meant)
        for each in meant:
            if (found := self._known.get(each)) is not None:
                return found
        for each in meant:
            if each.type not in self._types:
                continue
            spelling = self._spelled(each)
            if spelling is None:
                raise NoIdentifier(f"the value is none that a {each.type} can have")
            if unseen:
                return Identifier(each.type, spelling)
            raise NeverSeen(
                f"no row with that {each.type} has landed; look at its spelling, and where it is "
                "to come only later, say so by `--unseen`"
            )
        raise no_type(meant[-1].type, self._types)

    def _spelled(self, meant: Identifier) -> str | None:
        normaliser = self._normalisers.get(meant.type, self._normalisers.get(_ANY, "exact"))
        return spelled(
            meant.value,
            normaliser_of(meant.type, normaliser),
            self._warehouse.settings.default_country,
        )

    @cached_property
    def _normalisers(self) -> dict[str, str]:
        rows = self._warehouse.rows(
            "SELECT identifier_type, normaliser FROM staging.identifier_types"
        )
        return {str(kind): str(normaliser) for kind, normaliser in rows}

    @cached_property
    def _types(self) -> frozenset[str]:
        """Types that the rules name, that sources are declared to bring, or that have landed."""
        landed = self._warehouse.rows(
            "SELECT DISTINCT identifier_type FROM identity.int_identifier_values"
        )
        named = self._declared | {kind for (kind,) in landed} | self._normalisers.keys()
        return frozenset(named - {_ANY})
