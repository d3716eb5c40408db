"""The rules of who is who, as the seeds declare them, in the form that solving asks for.

Belongs here: what holds for a type of identifiers, which signs make a group of identifiers
implausible as one person, and reading both from the seeds' rows. Does not belong here: what follows
from them for anybody (`cdp.identity.solving`), which files they stand in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import pyarrow as pa

from cdp.identity.graph import Name

ANY_TYPE = "*"


@dataclass(frozen=True)
class TypeRule:
    """What holds for one identifier type.

    Attributes:
        max_per_profile: values of the type that one profile may hold; None for any number.
        max_people: distinct values of a one-per-profile type that a value may stand beside before
            it counts as nobody's own; None for never.
        max_asserted: values of the type that sources may say are one before that is not believed;
            None for any number.
        max_values: distinct values of any one other type that a value may stand beside before it
            counts as nobody's own; None for never.
        window: `max_per_profile` holds for the values that were first seen within any period of
            this length; None for a limit that holds for ever.
        do_not_merge: two values of the type are two people's, whatever any source says.
        is_device: it names a device, of which a person may have any number.
    """

    max_per_profile: int | None = None
    max_people: int | None = None
    max_asserted: int | None = None
    max_values: int | None = None
    window: timedelta | None = None
    do_not_merge: bool = False
    is_device: bool = False

    @property
    def one_per_profile(self) -> bool:
        """Whether another value of the type is, for all that is known, another person's."""
        return self.do_not_merge or (self.max_per_profile == 1 and self.window is None)


@dataclass(frozen=True)
class Signs:
    """Signs that a group of identifiers is more than one person; None where one is not asked for.

    Attributes:
        identifiers: more of them than this, those of devices not counted.
        given_names, surnames: more than this of the former together with more than this of the
            latter; one alone tells a nickname, or a marriage.
    """

    identifiers: int | None = None
    given_names: int | None = None
    surnames: int | None = None

    def in_names(self, names: Iterable[Name]) -> int | None:
        """How many given names there are where the names are those of several people."""
        if self.given_names is None or self.surnames is None:
            return None
        given = {name.given for name in names if name.given is not None}
        surnames = {name.surname for name in names if name.surname is not None}
        many = len(given) > self.given_names and len(surnames) > self.surnames
        return len(given) if many else None


@dataclass(frozen=True)
class Rules:
    """All rules; `*` holds for types that are not named."""

    types: Mapping[str, TypeRule]
    signs: Signs = field(default_factory=Signs)

    @cached_property
    def devices(self) -> frozenset[str]:
        """Types that name devices."""
        return frozenset(kind for kind, rule in self.types.items() if rule.is_device)

    def of(self, kind: str) -> TypeRule:
        return self.types.get(kind) or self.types.get(ANY_TYPE) or TypeRule()


def rules_of(types: pa.Table, signs: pa.Table) -> Rules:
    """Rules from the rows of the seeds.

    Args:
        types: the seed `identifier_types`.
        signs: the seed `identity_signs`: `sign` text, `allowed` BIGINT.
    """
    allowed = {row["sign"]: row["allowed"] for row in signs.to_pylist()}
    return Rules(
        {
            row["identifier_type"]: TypeRule(
                max_per_profile=row["max_per_profile"],
                max_people=row["max_people"],
                max_asserted=row["max_asserted"],
                max_values=row["max_values"],
                window=None if row["window_days"] is None else timedelta(row["window_days"]),
                do_not_merge=bool(row["do_not_merge"]),
                is_device=bool(row["is_device"]),
            )
            for row in types.to_pylist()
        },
        Signs(allowed.get("identifiers"), allowed.get("given_names"), allowed.get("surnames")),
    )
