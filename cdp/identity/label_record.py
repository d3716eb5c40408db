"""The record of labels: `governance.identity_labels`.

Belongs here: reading its rows and adding to them; nothing is ever changed or taken out. Does not
belong here: making the table (`cdp.warehouse.runs`), what is in force (`labels`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdp.identity.identifiers import Identifier
from cdp.identity.labels import Claim, Label
from cdp.warehouse.runs import ensure_run_tables, utc_now
from cdp.warehouse.store import Warehouse


@dataclass(frozen=True)
class Said:
    """What is to be recorded: a claim, who makes it and why, and the label that it takes back."""

    claim: Claim
    author: str
    reason: str
    removes: int | None = None


def recorded(warehouse: Warehouse) -> list[Label]:
    """Every row, in the order of numbers."""
    ensure_run_tables(warehouse)
    rows = warehouse.rows(
        "SELECT label_number, kind, left_type, left_value, right_type, right_value, author, "
        "reason, recorded_at, removes FROM governance.identity_labels ORDER BY label_number"
    )
    return [_label(*row) for row in rows]


def _label(
    number: int,
    kind: Any,
    left_type: str,
    left_value: str,
    right_type: str | None,
    right_value: str | None,
    *others: Any,
) -> Label:
    right = None
    if right_type is not None and right_value is not None:
        right = Identifier(right_type, right_value)
    return Label(number, Claim(kind, Identifier(left_type, left_value), right), *others)


def record(warehouse: Warehouse, said: Sequence[Said]) -> list[Label]:
    """Add rows, all or none, and give each its number. The caller holds the warehouse."""
    ensure_run_tables(warehouse)
    last = warehouse.scalar("SELECT coalesce(max(label_number), 0) FROM governance.identity_labels")
    now = utc_now()
    labels = [
        Label(number, each.claim, each.author, each.reason, now, each.removes)
        for number, each in enumerate(said, last + 1)
    ]
    warehouse.insert("governance.identity_labels", [_row(label) for label in labels])
    return labels


def _row(label: Label) -> tuple[Any, ...]:
    claim, right = label.claim, label.claim.right
    return (
        label.number,
        claim.kind,
        claim.left.type,
        claim.left.value,
        None if right is None else right.type,
        None if right is None else right.value,
        label.author,
        label.reason,
        label.recorded_at,
        label.removes,
    )
