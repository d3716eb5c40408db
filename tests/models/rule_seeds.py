"""The seeds of rules, changed as a person would change them.

Belongs here: their rows, as text that a configuration can hold. Does not belong here: what the
rules mean (`tests.identity.oracle`), any expectation.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import Any

from cdp.warehouse.settings import PROJECT_ROOT

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"


def _shipped(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


@dataclass
class RuleSeeds:
    """The rules in force: the shipped ones, and what was changed in them."""

    types: dict[str, dict[str, str]] = field(
        default_factory=lambda: {
            row["identifier_type"]: row for row in _shipped("identifier_types")
        }
    )
    signs: dict[str, str] = field(
        default_factory=lambda: {row["sign"]: row["allowed"] for row in _shipped("identity_signs")}
    )
    blocked: list[dict[str, str]] = field(default_factory=lambda: _shipped("blocked_values"))

    def change(self, kind: str, **rules: Any) -> None:
        """Change what holds for a type; where it has no row, what holds for `*` holds besides."""
        row = dict(self.types.get(kind) or {**self.types["*"], "identifier_type": kind})
        row |= {name: _text(value) for name, value in rules.items()}
        self.types[kind] = row

    def texts(self) -> dict[str, str]:
        """The seeds' files by their names."""
        signs = [{"sign": sign, "allowed": allowed} for sign, allowed in self.signs.items()]
        return {
            "identifier_types": _csv(list(self.types.values())),
            "identity_signs": _csv(signs),
            "blocked_values": _csv(self.blocked),
        }

    def told_types(self) -> dict[str, dict[str, Any]]:
        """What holds for each type, with numbers and truths in place of their texts."""
        return {
            kind: {name: _value(text) for name, text in row.items()}
            for kind, row in self.types.items()
        }

    def told_signs(self) -> dict[str, int]:
        return {sign: int(allowed) for sign, allowed in self.signs.items() if allowed}

    def told_blocked(self) -> tuple[tuple[str, str], ...]:
        """Type and pattern; a value that is listed is a pattern of itself."""
        return tuple(
            (row["identifier_type"], row["pattern"] or f"^{re.escape(row['value'])}$")
            for row in self.blocked
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text or None


def _csv(rows: list[dict[str, str]]) -> str:
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()
