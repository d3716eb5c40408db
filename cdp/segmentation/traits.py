"""The trait catalogue: what a rule may compare, and what kind of value it is.

Belongs here: the shape of `config/traits/*.yml`. Does not belong here: how a trait is computed
(`dbt_project/models/profiles/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "money", "text", "moment"]


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing that is known of a profile.

    Attributes:
        name: as rules write it.
        kind: number, money (in the base currency), text or moment (UTC).
        label: as a sentence says it after `whose`: `number of orders`.
        description: what it is.
        column: the column of `profiles.dim_profiles` that holds it.
    """

    name: str
    kind: Kind
    label: str
    description: str
    column: str


Catalogue = Mapping[str, Trait]
"""Traits by name."""
