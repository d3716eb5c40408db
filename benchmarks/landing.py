"""Landing: the throughput of Segment events from files to raw, against a plain read into a table.

Belongs here: landing files, landing what is there already, and the same work as one statement of
the engine. Does not belong here: whether the right rows land (`tests/ingestion`).

Data: NDJSON files of 250,000 Segment track and page messages, some 726 bytes each.

- peer: DuckDB's `read_json` of the same files into a table with typed columns and the same
  lineage (file, moment of landing, load), as `PEER` has it;
- ours: `ingestion.landing.land`: read, judged row by row, loaded through dlt, told apart from what
  is there already, reconciled, in raw. Ratio (throughput): peer's time / ours; to reach: 0.7.

Landing again: new files whose messages, three tenths of the first, are all in raw already. The peer
is one statement that reads them and inserts what an anti-join with its table leaves, as `ANTI_JOIN`
has it. Ratio (time): ours / peer's; to reach: 2.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from benchmarks.figures import Figure
from benchmarks.machine import peak_memory_gb, seconds
from cdp.warehouse.runs import begin_run, finish_run
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import open_warehouse
from ingestion.landing import land
from ingestion.promotion import LoadReport

FIGURES = (
    Figure(
        "throughput_ratio",
        "landing events from files",
        "DuckDB's `read_json` into a table, throughput",
        0.7,
        "rows",
        more_is_better=True,
    ),
    Figure(
        "known_ratio",
        "landing again what is there",
        "one anti-join, time",
        2,
        "known_rows",
    ),
)

FILE_ROWS = 250_000

SOURCES = """
sources:
  web:
    description: Events of the benchmark.
    kind: files
    owner: bench@example.com
    purpose: analytics
    fresh_within: 1 day
    options: {location: "{home}/landing/web", settle: 0 seconds}
    streams:
      events: {files: "*.ndjson", format: segment}
"""

MESSAGES = """
COPY (
    SELECT
        md5(n::VARCHAR) || '-' || n AS "messageId",
        CASE n % 5 WHEN 0 THEN 'page' ELSE 'track' END AS type,
        CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN 'Product Added' ELSE 'Product Viewed' END AS event,
        CASE n % 3 WHEN 0 THEN 'user-' || (n * 7919) % 400000 END AS "userId",
        md5(((n * 7919) % 500000)::VARCHAR) AS "anonymousId",
        strftime(moment, '%Y-%m-%dT%H:%M:%S.%gZ') AS "originalTimestamp",
        strftime(moment + INTERVAL 2 SECOND, '%Y-%m-%dT%H:%M:%S.%gZ') AS "sentAt",
        strftime(moment + INTERVAL 3 SECOND, '%Y-%m-%dT%H:%M:%S.%gZ') AS "receivedAt",
        {
            'product_id': 'sku-' || n % 977, 'name': 'Product number ' || n % 977,
            'category': 'category ' || n % 31, 'price': (n % 9973) / 100, 'quantity': n % 3 + 1,
            'currency': 'EUR', 'position': n % 40, 'list': 'search results'
        } AS properties,
        {
            'ip': '203.0.113.' || n % 250,
            'locale': 'de-DE', 'timezone': 'Europe/Berlin',
            'userAgent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0',
            'library': {'name': 'analytics.js', 'version': '2.11.1'},
            'page': {
                'path': '/products/' || n % 977, 'referrer': 'https://search.example/',
                'url': 'https://shop.example/products/' || n % 977, 'title': 'Product'
            }
        } AS context
    FROM (SELECT n, TIMESTAMP '2026-03-01' + to_seconds(n % 7776000) AS moment
          FROM range($first, $last) AS numbers(n))
) TO '$path' (FORMAT json)
"""

COLUMNS = """{
    messageId: 'VARCHAR', type: 'VARCHAR', event: 'VARCHAR', userId: 'VARCHAR',
    anonymousId: 'VARCHAR', originalTimestamp: 'TIMESTAMP', sentAt: 'TIMESTAMP',
    receivedAt: 'TIMESTAMP', properties: 'JSON', context: 'JSON'
}"""

PEER = f"""
CREATE TABLE peer.events AS
SELECT *, now() AS landed_at, 'load' AS load_id
FROM read_json('$files', format = 'newline_delimited', filename = true, columns = {COLUMNS})
"""

ANTI_JOIN = f"""
INSERT INTO peer.events
SELECT *, now() AS landed_at, 'load' AS load_id
FROM read_json(
    '$files', format = 'newline_delimited', filename = true, columns = {COLUMNS}
) AS arrived
WHERE NOT EXISTS (SELECT 1 FROM peer.events AS known WHERE known.messageId = arrived.messageId)
"""


def write_messages(folder: Path, first: int, last: int) -> None:
    """Files of messages numbered from `first` up to before `last`."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as engine:
        for start in range(first, last, FILE_ROWS):
            statement = MESSAGES.replace("$first", str(start))
            statement = statement.replace("$last", str(min(start + FILE_ROWS, last)))
            engine.execute(statement.replace("$path", str(folder / f"{start:012}.ndjson")))


def landed(settings: Settings) -> LoadReport:
    """Land what is in the folder."""
    with open_warehouse(settings) as warehouse:
        run = begin_run(warehouse, "bench", "benchmark")
        report = land("web", warehouse, run)
        finish_run(warehouse, run, "finished")
    return report


def compare(rows: int) -> dict[str, Any]:
    """Both ways, on as many rows, in one process."""
    with TemporaryDirectory() as name:
        home = Path(name)
        (home / "config").mkdir()
        (home / "config" / "sources.yml").write_text(SOURCES, encoding="utf-8")
        settings = load_settings(home=home, config=home / "config")
        arriving, folder = home / "arriving", home / "landing" / "web"
        write_messages(arriving, 0, rows)
        size = sum(path.stat().st_size for path in arriving.iterdir())
        peer = duckdb.connect(
            config={"threads": settings.threads, "memory_limit": settings.memory_limit}
        )
        peer.execute(f"ATTACH '{home / 'peer.duckdb'}' AS peer")
        of_peer = seconds(
            lambda: (
                peer.execute(PEER.replace("$files", f"{arriving}/*.ndjson")),
                peer.execute("CHECKPOINT peer"),
            )
        )
        # Imports and the first plan of each statement are not what is measured.
        write_messages(folder, rows * 2, rows * 2 + 10)
        landed(settings)
        for path in arriving.iterdir():
            shutil.move(path, folder)
        reports: list[LoadReport] = []
        ours = seconds(lambda: reports.append(landed(settings)))
        assert reports[0].rows_landed == rows, reports
        known = rows * 3 // 10
        write_messages(arriving, rows - known, rows)
        anti_join = seconds(
            lambda: peer.execute(ANTI_JOIN.replace("$files", f"{arriving}/*.ndjson")).fetchall()
        )
        for path in arriving.iterdir():
            shutil.move(path, folder / f"again-{path.name}")
        again = seconds(lambda: reports.append(landed(settings)))
        assert reports[1].rows_duplicate == known, reports
        peer.close()
    return {
        "rows": rows,
        "bytes_per_row": round(size / rows),
        "peer_seconds": round(of_peer, 2),
        "seconds": round(ours, 2),
        "rows_per_second": round(rows / ours),
        "throughput_ratio": round(of_peer / ours, 2),
        "known_rows": known,
        "known_anti_join_seconds": round(anti_join, 2),
        "known_seconds": round(again, 2),
        "known_ratio": round(again / anti_join, 2),
        "peak_memory_gb": peak_memory_gb(),
    }


def run(sizes: Sequence[int] = (1_000_000, 5_000_000)) -> list[dict[str, Any]]:
    """Measure each size."""
    return [compare(rows) for rows in sizes]
