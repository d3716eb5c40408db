"""Exchange rates for the truth, read from the deployment's seed.

Belongs here: reading the seed as data. Does not belong here: any of the models' SQL.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

_FOUR_PLACES = Decimal("0.0001")


@dataclass(frozen=True)
class Rates:
    """What one unit of a currency was worth in the base currency, by day."""

    days: dict[str, list[date]]
    rates: dict[str, list[Decimal]]

    def to_base(self, cents: int, currency: str, day: date) -> Decimal:
        """An amount in the base currency, to four places."""
        row = bisect_right(self.days[currency], day) - 1
        if row < 0:
            raise LookupError(f"the seed of exchange rates has none for {currency} on {day}")
        rate = self.rates[currency][row]
        return (Decimal(cents) / 100 * rate).quantize(_FOUR_PLACES, ROUND_HALF_UP)


def read_rates(path: Path) -> Rates:
    """Read the seed (columns currency, valid_from, rate_to_base)."""
    found: dict[str, list[tuple[date, Decimal]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            entry = (date.fromisoformat(row["valid_from"]), Decimal(row["rate_to_base"]))
            found.setdefault(row["currency"], []).append(entry)
    ordered = {currency: sorted(entries) for currency, entries in found.items()}
    return Rates(
        days={currency: [day for day, _ in each] for currency, each in ordered.items()},
        rates={currency: [rate for _, rate in each] for currency, each in ordered.items()},
    )
