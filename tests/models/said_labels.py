"""Labels on what has landed, drawn by chance, put on and taken off again.

Belongs here: recording them as a person's commands do. Does not belong here: any expectation.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from cdp.identity.identifiers import Identifier
from cdp.identity.label_record import Said, record, recorded
from cdp.identity.labels import Claim, Kind, LabelRefused, Standing, in_force
from cdp.warehouse.store import open_warehouse
from tests.models.landed_rows import Landed

KINDS: tuple[Kind, ...] = ("join", "join", "split", "split", "trust", "distrust")


def say(
    landed: Landed, chance: random.Random, count: int, unseen: Sequence[Identifier] = ()
) -> None:
    """Labels on identifiers of one world or two, as far as they contradict none that stand.

    Args:
        unseen: identifiers that may not have landed yet.
    """
    known = [
        Identifier(*row)
        for row in landed.rows(
            "SELECT identifier_type, identifier_value FROM identity.dim_identifiers ORDER BY birth"
        )
    ]
    known += unseen
    if len(known) < 2:
        return
    with open_warehouse(landed.settings) as warehouse:
        standing = Standing(in_force(recorded(warehouse)))
        for _ in range(count):
            kind, at = chance.choice(KINDS), chance.randrange(max(1, len(known) - 8))
            # Births that are near are often one person's.
            near = known[at : at + 8]
            one, other = chance.sample(near, 2)
            claim = Claim(kind, one, other if kind in ("join", "split") else None)
            try:
                standing.refuse(claim)
            except LabelRefused:
                continue
            (label,) = record(warehouse, [Said(claim, "ada", "a test")])
            standing.add(label)


def take_back(landed: Landed, numbers: Iterable[int]) -> None:
    with open_warehouse(landed.settings) as warehouse:
        labels = {label.number: label for label in in_force(recorded(warehouse))}
        record(
            warehouse,
            [Said(labels[each].claim, "ada", "a mistake", removes=each) for each in numbers],
        )


def standing(landed: Landed) -> list[int]:
    with open_warehouse(landed.settings) as warehouse:
        return [label.number for label in in_force(recorded(warehouse))]
