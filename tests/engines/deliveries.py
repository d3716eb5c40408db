"""What arrives before each run of the whole way, the same for every engine: late, and told again.

Belongs here: putting files where a home's sources look, in parts, and the moments of the runs. Does
not belong here: running anything, any engine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdp.demo import generate

OF_THE_MACHINE = ("landed_at", "run_id", "changed_at")
"""Columns that tell when and by which run: no two runs have them alike."""

IN_THE_SHOP = (
    "2026-07-01T12:00:00Z",
    "2026-07-02T12:00:00Z",
    "2026-07-08T12:00:00Z",
    "2026-07-08T13:00:00Z",
)
AT_THE_WHOLESALER = (
    "2011-06-30T23:00:00Z",
    "2011-08-15T23:00:00Z",
    "2011-08-31T23:00:00Z",
    "2011-09-15T23:00:00Z",
)

Deliver = Callable[[Path, int], None]
"""Puts into a home what arrives before the run of a number."""


def of_a_shop(people: int) -> Deliver:
    """The shop's files, of which every third stays out at first, whatever its day: it comes late,
    in parts, with some of them a second time under another name."""

    def deliver(home: Path, number: int) -> None:
        if number == 0:
            generate(home, people=people, seed=11, days=60)
            files = sorted((home / "landing").rglob("*.ndjson.gz"))[::3]
            assert len(files) > 6
            aside = home / "aside"
            for each in files:
                away = aside / each.relative_to(home)
                away.parent.mkdir(parents=True, exist_ok=True)
                each.rename(away)
            return
        waiting = sorted((home / "aside").rglob("*.ndjson.gz"))
        for nth, each in enumerate(waiting[::2]):
            there = home / each.relative_to(home / "aside")
            each.rename(there)
            if nth % 2:
                shutil.copyfile(there, there.with_name(f"again-{there.name}"))

    return deliver


def of_a_wholesaler(lines: pa.Table) -> Deliver:
    """A wholesaler's invoices in four files by their numbers, so that each has lines of all days.
    The first file comes again, with more lines at its end."""
    invoices = pc.utf8_slice_codeunits(lines["InvoiceNo"], -1)

    def part(digits: str) -> pa.Table:
        return lines.filter(pc.is_in(invoices, value_set=pa.array(list(digits))))

    arrivals = {
        0: ("one", [part("01234")]),
        1: ("two", [part("56")]),
        2: ("one", [part("01234"), part("7")]),
        3: ("three", [part("89")]),
    }

    def deliver(home: Path, number: int) -> None:
        name, parts = arrivals[number]
        folder = home / "landing/retail"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables(parts), folder / f"{name}.parquet")

    return deliver
