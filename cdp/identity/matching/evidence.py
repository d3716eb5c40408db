"""What speaks for two identifiers being one person, and against, in words.

Belongs here: reading the evidence that a run has kept of its candidates. Does not belong here:
working it out (`scoring`), how it is shown (`cdp.commands`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from cdp.identity.identifiers import Identifier
from cdp.identity.looking_up import NothingBuilt
from cdp.identity.matching.proposing import ACCEPT
from cdp.warehouse.store import Warehouse

SOURCE = "match:"
"""What the source of an edge begins with that matching has made; the model's name follows."""


@dataclass(frozen=True)
class Step:
    """What one attribute says: how the two agree, and for how many bits that counts."""

    attribute: str
    level: str
    bits: float

    def __str__(self) -> str:
        return f"{self.attribute}: {self.level} ({self.bits:+.1f})"


@dataclass(frozen=True)
class Likeliness:
    """How likely two are one person, and why.

    Attributes:
        match_weight: the evidence in bits; `prior_bits`, the share of true pairs, and the bits of
            all steps add up to it.
    """

    model: str
    probability: float
    match_weight: float
    prior_bits: float
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Review:
    """Two identifiers of two profiles that nobody has decided on."""

    left: Identifier
    right: Identifier
    left_profile_id: int
    right_profile_id: int
    likeliness: Likeliness


def open_reviews(warehouse: Warehouse) -> list[Review]:
    """What people are asked, the likeliest first.

    Raises:
        NothingBuilt: no run has built it yet.
    """
    if not warehouse.has_table("identity", "match_reviews"):
        raise NothingBuilt("no run has looked for likely people yet; `cdp run` does")
    rows = warehouse.rows(
        "SELECT left_type, left_value, right_type, right_value, left_profile_id, right_profile_id, "
        "matching_model, probability, match_weight, waterfall FROM identity.match_reviews "
        "ORDER BY probability DESC, left_node, right_node, matching_model"
    )
    return [
        Review(Identifier(*row[0:2]), Identifier(*row[2:4]), row[4], row[5], likeliness(*row[6:]))
        for row in rows
    ]


def of_accepted(
    warehouse: Warehouse, pairs: Iterable[tuple[str, int, int]]
) -> dict[tuple[str, int, int], Likeliness]:
    """The evidence of accepted candidates, each told as its model and its two nodes, the lesser
    first."""
    found = {}
    for model, left, right in sorted(set(pairs)):
        for row in warehouse.rows(
            "SELECT matching_model, probability, match_weight, waterfall "
            "FROM identity.int_match_candidates "
            "WHERE matching_model = ? AND left_node = ? AND right_node = ? AND decision = ?",
            [model, left, right, ACCEPT],
        ):
            found[model, left, right] = likeliness(*row)
    return found


def likeliness(
    model: str, probability: float, match_weight: float, waterfall: str | None
) -> Likeliness:
    """The evidence of a candidate from its row."""
    told = json.loads(waterfall or "{}")
    steps = tuple(
        Step(each["name"], each["level"], each["bits"] + each.get("rarity_bits", 0.0))
        for each in told.get("comparisons", ())
    )
    return Likeliness(model, probability, match_weight, told.get("prior_bits", 0.0), steps)
