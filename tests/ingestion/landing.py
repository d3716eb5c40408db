"""A home with sources of its own, landed into a real warehouse.

Belongs here: declaring sources, laying files down, landing them, and the account that must hold
after every landing. Does not belong here: any other expectation.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from cdp.warehouse.runs import begin_run, finish_run
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import open_warehouse
from ingestion.landing import has_news, land
from ingestion.promotion import LoadReport
from ingestion.replay import replay

AS_OF = datetime(2026, 6, 30, 12)


@dataclass
class Landing:
    """A data home and the sources declared in it."""

    home: Path
    sources: dict[str, Any] = field(default_factory=dict)
    as_of: datetime = AS_OF
    loads: int = 0

    @property
    def settings(self) -> Settings:
        config = self.home / "config"
        config.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump({"sources": self.sources}, sort_keys=False)
        (config / "sources.yml").write_text(text, encoding="utf-8")
        return load_settings(home=self.home, config=config, as_of=self.as_of)

    def declare(self, name: str, kind: str, options: dict[str, Any], **streams: Any) -> None:
        """Declare a source; what the tests do not care about is filled in."""
        self.sources[name] = {
            "description": "A source of a test.",
            "kind": kind,
            "owner": "tests@example.org",
            "purpose": "analytics",
            "fresh_within": "1 day",
            "options": options,
            "streams": streams,
        }

    def declare_events(self, files: str = "**/*", **options: Any) -> None:
        """A landing folder of Segment-spec messages under the name `web`."""
        given = {"location": "{home}/landing/web", "settle": "0 seconds", **options}
        self.declare("web", "files", given, events={"files": files, "format": "segment"})

    def put(self, path: str, data: bytes, source: str = "web") -> Path:
        """Lay a file into the source's folder."""
        target = self.home / "landing" / source / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return target

    def append(self, path: str, data: bytes, source: str = "web") -> None:
        """Let a file grow."""
        with (self.home / "landing" / source / path).open("ab") as opened:
            opened.write(data)

    def land(
        self, source: str = "web", since: datetime | None = None, until: datetime | None = None
    ) -> LoadReport:
        """Land the source; every count of the load must add up."""
        with open_warehouse(self.settings) as warehouse:
            self.loads += 1
            run = begin_run(warehouse, f"run-{self.loads}", "test")
            report = land(source, warehouse, run, since, until)
            finish_run(warehouse, run, "finished")
        self.check()
        return report

    def replay(self, source: str = "web") -> LoadReport:
        """Try the quarantine again."""
        with open_warehouse(self.settings) as warehouse:
            self.loads += 1
            run = begin_run(warehouse, f"run-{self.loads}", "test")
            report = replay(source, warehouse, run)
            finish_run(warehouse, run, "finished")
        self.check()
        return report

    def has_news(self, source: str = "web") -> bool:
        with open_warehouse(self.settings) as warehouse:
            return has_news(source, warehouse)

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with open_warehouse(self.settings) as warehouse:
            return warehouse.rows(sql, parameters)

    def landed(self, source: str = "web") -> int:
        return int(self.rows(f'SELECT count(*) FROM raw."{source}"')[0][0])

    def payloads(self, source: str = "web") -> list[dict[str, Any]]:
        """What landed, in the order of landing."""
        rows = self.rows(f'SELECT payload FROM raw."{source}" ORDER BY landing_number')
        return [json.loads(row[0]) for row in rows]

    def reasons(self) -> dict[str, int]:
        """How many rows each reason has kept out."""
        return dict(Counter(row[0] for row in self.rows("SELECT reason FROM raw.quarantine")))

    def check(self) -> None:
        """Rows read are rows landed, known already or quarantined; numbers are dense."""
        assert (
            self.rows(
                "SELECT load_id FROM raw.loads "
                "WHERE rows_read <> rows_landed + rows_duplicate + rows_quarantined"
            )
            == []
        )
        for source in self.sources:
            if not self.rows(
                "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'raw' AND table_name = ?",
                [source],
            ):
                continue
            assert self.rows(
                f'SELECT (SELECT count(*) FROM raw."{source}") - '
                "(SELECT coalesce(sum(rows_landed), 0) FROM raw.loads WHERE source = ?)",
                [source],
            ) == [(0,)]
            assert (
                self.rows(
                    f'SELECT stream, row_key FROM raw."{source}" GROUP BY ALL HAVING count(*) > 1'
                )
                == []
            )
        assert self.rows(
            "SELECT (SELECT count(*) FROM raw.quarantine) - "
            "(SELECT coalesce(sum(rows_quarantined), 0) FROM raw.loads)"
        ) == [(0,)]


def event(number: int, **changes: Any) -> dict[str, Any]:
    """A track call of one device."""
    moment = (AS_OF - timedelta(days=1) + timedelta(seconds=number)).isoformat() + "Z"
    message = {
        "messageId": f"message-{number}",
        "type": "track",
        "event": "Product Viewed",
        "anonymousId": f"device-{number % 3}",
        "timestamp": moment,
        "properties": {"product_id": f"sku-{number}"},
    }
    return {key: value for key, value in {**message, **changes}.items() if value is not None}


def lines(*rows: Any) -> bytes:
    """Rows as NDJSON; bytes stay what they are."""
    texts = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    return b"".join(text + b"\n" for text in texts)


def events(first: int, last: int) -> bytes:
    """NDJSON of the events numbered from `first` to before `last`."""
    return lines(*(event(number) for number in range(first, last)))
