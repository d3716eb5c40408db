"""Data homes before and after a delivery, and what people read in them.

Belongs here: the homes that the tests of this folder start from, and the content of a published set
without what tells one run from another. Does not belong here: any expectation.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cdp.demo.shop import generate
from cdp.warehouse.readers import open_reader
from cdp.warehouse.settings import Settings
from cdp.warehouse.store import open_warehouse
from orchestration.running import Outcome, run_job
from tests.services.delivery import Deliveries
from tests.services.shop_run import settings_of

END = datetime(2026, 6, 30, 12)
OF_A_RUN = {
    "landed_at", "load_id", "run_id", "run_number", "computed_at", "assigned_at", "recorded_at",
    "published_at", "started_at", "finished_at", "built_at", "noticed_at", "landing_number",
}  # fmt: skip
"""Columns that say which run wrote a row, or when by the clock."""


@dataclass(frozen=True)
class BeforeDelivery:
    """A home that has published once, and files that have not been delivered to it."""

    home: Path
    files: Path

    def delivered(self, home: Path) -> Path:
        """A copy of the home to which the rest has been delivered."""
        shutil.copytree(self.home, home, symlinks=True)
        deliveries = Deliveries(self.files, home, seed=4)
        _, rest = deliveries.batches(2, shuffled=True)
        deliveries.deliver(rest)
        deliveries.database_up_to(None)
        return home


def before_delivery(folder: Path) -> BeforeDelivery:
    """Generate a shop, deliver a part of it to a home, and run that home once."""
    files, home = folder / "files", folder / "home"
    generate(files, people=60, days=30)
    deliveries = Deliveries(files, home, seed=4)
    first, _ = deliveries.batches(2, shuffled=True)
    deliveries.deliver(first)
    deliveries.database_up_to(END - timedelta(days=10))
    run(home)
    return BeforeDelivery(home, files)


def run(home: Path) -> Outcome:
    """Run the main job to its end."""
    outcome = run_job(settings_of(home))
    assert outcome.success, outcome.errors
    return outcome


def published(settings: Settings) -> dict[str, Counter[str]]:
    """Every row of every table that the role `marketing` reads."""
    found: dict[str, Counter[str]] = {}
    with open_reader(settings, "marketing") as reader:
        tables = reader.execute(
            "SELECT database_name, schema_name, table_name FROM duckdb_tables() "
            "WHERE database_name IN ('core', 'facts') AND NOT internal"
        ).fetchall()
        for database, schema, table in tables:
            if schema == "about":
                continue
            name = f'"{database}"."{schema}"."{table}"'
            columns = [
                f'"{column}"'
                for (column, *_) in reader.execute(f"DESCRIBE {name}").fetchall()
                if column not in OF_A_RUN and not column.endswith(("_run", "_run_number"))
            ]
            rows = reader.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
            told = map(repr, rows)
            # A row a run: a killed run that was published has left one, and rightly.
            found[f"{schema}.{table}"] = Counter(set(told) if table == "segment_sizes" else told)
    return found


def raw_rows(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Keys of all that has landed, of all that was kept out, and the account of it."""
    sources = ("web", "shop", "crm", "consent")
    with open_warehouse(settings) as warehouse:
        found = {
            source: warehouse.rows(
                f"SELECT stream, row_key, payload_hash FROM raw.{source} ORDER BY ALL"
            )
            for source in sources
        }
        found["quarantine"] = warehouse.rows(
            "SELECT source, position, reason FROM raw.quarantine ORDER BY ALL"
        )
        assert (
            warehouse.rows(
                "SELECT load_id FROM raw.loads "
                "WHERE rows_read <> rows_landed + rows_duplicate + rows_quarantined"
            )
            == []
        )
        everything = " UNION ALL ".join(f"SELECT landing_number FROM raw.{s}" for s in sources)
        assert warehouse.rows(
            f"SELECT count(*) = max(landing_number), count(DISTINCT landing_number) = count(*) "
            f"FROM ({everything})"
        ) == [(True, True)]
    return found
