"""From the inbox to raw, in one transaction.

Belongs here: which row lands, which is a duplicate, which is quarantined, the order of landing, and
the account of it. Does not belong here: reading any source.

The first landing of a key wins. A row of the same key and content is a duplicate; of the same key
and other content, a conflict. A server's row that holds again what it said before lands once more
(`returning`), so that the newest landing is what the server says.
Rows that the loader wrote twice after a kill are told by (load_id, ordinal) and count once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from cdp.warehouse.fault_points import reached
from cdp.warehouse.runs import Run, utc_now
from cdp.warehouse.store import Warehouse
from ingestion.inbox import inbox_table, reads_table
from ingestion.returning import let_return, streams_of_servers

_ACCOUNTS = """
CREATE TABLE IF NOT EXISTS raw.loads (
    load_id VARCHAR, run_id VARCHAR, source VARCHAR, started_at TIMESTAMP, landed_at TIMESTAMP,
    rows_read BIGINT, rows_landed BIGINT, rows_duplicate BIGINT, rows_quarantined BIGINT
);
CREATE TABLE IF NOT EXISTS raw.quarantine (
    load_id VARCHAR, source VARCHAR, stream VARCHAR, position VARCHAR, row_key VARCHAR,
    reason VARCHAR, detail VARCHAR, raw_bytes BLOB, payload_hash VARCHAR, landed_at TIMESTAMP,
    quarantine_id VARCHAR, replayed_load_id VARCHAR
);
CREATE TABLE IF NOT EXISTS raw.files (
    source VARCHAR, stream VARCHAR, path VARCHAR, size BIGINT, modified_at TIMESTAMP,
    fingerprint VARCHAR, rows BIGINT, whole_rows BIGINT, state VARCHAR, load_id VARCHAR,
    noticed_at TIMESTAMP
);
"""

_ENVELOPE = """
CREATE TABLE IF NOT EXISTS raw."{source}" (
    stream VARCHAR, row_key VARCHAR USING COMPRESSION uncompressed, position VARCHAR,
    occurred_at TIMESTAMP, received_at TIMESTAMP, landed_at TIMESTAMP,
    payload VARCHAR USING COMPRESSION fsst, payload_hash VARCHAR USING COMPRESSION uncompressed,
    is_deleted BOOLEAN, load_id VARCHAR, landing_number BIGINT
)
"""
# Trying every compression on the widest columns, and any on keys and hashes, which none makes
# smaller, took longer than all the rest of writing a row.


class DoesNotReconcile(RuntimeError):
    """Rows read are not rows landed plus duplicate plus quarantined; nothing was promoted."""


@dataclass(frozen=True)
class LoadReport:
    """What became of the rows of one landing. `files` are (path, state) of what was looked at."""

    source: str
    load_id: str | None
    rows_read: int = 0
    rows_landed: int = 0
    rows_duplicate: int = 0
    rows_quarantined: int = 0
    files: tuple[tuple[str, str], ...] = ()

    def plus(self, other: LoadReport) -> LoadReport:
        """Both landings as one."""
        return LoadReport(
            self.source,
            other.load_id or self.load_id,
            self.rows_read + other.rows_read,
            self.rows_landed + other.rows_landed,
            self.rows_duplicate + other.rows_duplicate,
            self.rows_quarantined + other.rows_quarantined,
            self.files + other.files,
        )


def ensure_tables(source: str, warehouse: Warehouse) -> None:
    """Create the tables of raw where they are missing."""
    warehouse.execute(_ACCOUNTS)
    warehouse.execute(_ENVELOPE.format(source=source))


def promote(source: str, warehouse: Warehouse, run: Run) -> LoadReport:
    """Move everything that stands in a source's inbox to raw and empty the inbox.

    Raises:
        DoesNotReconcile: the reader's count and what became of the rows differ.
    """
    ensure_tables(source, warehouse)
    if not warehouse.has_table("landing", inbox_table(source)) and not warehouse.has_table(
        "landing", reads_table(source)
    ):
        return LoadReport(source, None)
    report = LoadReport(source, None)
    reached("landing.before_promote")
    with warehouse.transaction() as cursor:
        for load_id in _loads(source, warehouse, cursor):
            report = report.plus(_promote_load(source, load_id, warehouse, run, cursor))
        for table in (inbox_table(source), reads_table(source)):
            if _exists(cursor, table):
                cursor.execute(f'DELETE FROM landing."{table}"')
        reached("landing.in_promote")
    reached("landing.after_promote")
    if report.rows_read:
        warehouse.checkpoint()
    return report


def _exists(cursor: duckdb.DuckDBPyConnection, table: str) -> bool:
    found = cursor.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'warehouse' "
        "AND schema_name = 'landing' AND table_name = ?",
        [table],
    ).fetchone()
    return bool(found and found[0])


def _loads(source: str, warehouse: Warehouse, cursor: duckdb.DuckDBPyConnection) -> list[str]:
    """The loads in the inbox, oldest first: ids begin with the time of their start."""
    parts = [
        f'SELECT load_id FROM landing."{table}"'
        for table in (inbox_table(source), reads_table(source))
        if _exists(cursor, table)
    ]
    rows = cursor.execute(f"SELECT DISTINCT load_id FROM ({' UNION ALL '.join(parts)}) ORDER BY 1")
    return [row[0] for row in rows.fetchall()]


def _promote_load(
    source: str,
    load_id: str,
    warehouse: Warehouse,
    run: Run,
    cursor: duckdb.DuckDBPyConnection,
) -> LoadReport:
    now = utc_now()
    reads = _reads(source, load_id, cursor)
    counts = (0, 0, 0)
    if _exists(cursor, inbox_table(source)):
        counts = _promote_rows(source, load_id, now, cursor, streams_of_servers(source, warehouse))
    landed, duplicate, quarantined = counts
    read = sum(row[2] for row in reads)
    if read != landed + duplicate + quarantined:
        raise DoesNotReconcile(
            f"load {load_id} of {source} read {read} rows, of which {landed} landed, {duplicate} "
            f"were duplicates and {quarantined} were quarantined; nothing of it was promoted"
        )
    cursor.executemany(
        "INSERT INTO raw.files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (source, stream, path, size, modified, fingerprint, rows, whole, state, load_id, now)
            for stream, path, rows, size, modified, fingerprint, whole, state in reads
            if path is not None
        ],
    ) if any(row[1] is not None for row in reads) else None
    cursor.execute(
        "INSERT INTO raw.loads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [load_id, run.run_id, source, run.started_at, now, read, landed, duplicate, quarantined],
    )
    files = tuple((row[1], row[7]) for row in reads if row[1] is not None)
    return LoadReport(source, load_id, read, landed, duplicate, quarantined, files)


def _reads(source: str, load_id: str, cursor: duckdb.DuckDBPyConnection) -> list[tuple]:  # type: ignore[type-arg]
    if not _exists(cursor, reads_table(source)):
        return []
    # dlt may have written a row of the package twice; a file is read once in a load.
    return cursor.execute(
        f"SELECT DISTINCT stream, path, rows_read, size, modified_at, fingerprint, whole_rows, "
        f'state FROM landing."{reads_table(source)}" WHERE load_id = ? ORDER BY ALL',
        [load_id],
    ).fetchall()


def _promote_rows(
    source: str,
    load_id: str,
    now: object,
    cursor: duckdb.DuckDBPyConnection,
    servers: Sequence[str],
) -> tuple[int, int, int]:
    inbox, raw = f'landing."{inbox_table(source)}"', f'raw."{source}"'
    total, distinct, keyed, keys = cursor.execute(
        f"SELECT count(*), count(DISTINCT ordinal), count(*) FILTER (reason IS NULL), "
        f"count(DISTINCT row_key) FILTER (reason IS NULL) FROM {inbox} WHERE load_id = ?",
        [load_id],
    ).fetchone() or (0, 0, 0, 0)
    # Both repairs cost a sort of the load, so they are made only where something is doubled.
    fresh = f"SELECT * FROM {inbox} WHERE load_id = $load_id"
    if total != distinct:
        fresh = f"SELECT DISTINCT ON (ordinal) * FROM {inbox} WHERE load_id = $load_id"
    simple = total == distinct and keyed == keys
    nth = "1" if simple else "row_number() OVER (PARTITION BY stream, row_key ORDER BY ordinal)"
    first = (
        "payload_hash"
        if simple
        else "first_value(payload_hash) OVER (PARTITION BY stream, row_key ORDER BY ordinal)"
    )
    base = cursor.execute("SELECT coalesce(sum(rows_landed), 0) FROM raw.loads").fetchone()
    assert base is not None
    cursor.execute(
        f"""
        CREATE OR REPLACE TEMPORARY TABLE landing_verdicts AS
        WITH fresh AS ({fresh}),
        ranked AS (
            SELECT ordinal, stream, row_key, payload_hash, {nth} AS nth, {first} AS first_hash
            FROM fresh WHERE reason IS NULL
        ),
        known AS (
            SELECT stream, row_key, payload_hash FROM {raw}
            WHERE row_key IN (SELECT row_key FROM ranked)
        ),
        judged AS (
            SELECT ranked.ordinal,
                   CASE
                       WHEN known.row_key IS NULL AND ranked.nth = 1 THEN 'landed'
                       WHEN coalesce(known.payload_hash, ranked.first_hash) = ranked.payload_hash
                           THEN 'duplicate'
                       ELSE 'key_conflict'
                   END AS verdict
            FROM ranked
            LEFT JOIN known ON known.row_key = ranked.row_key AND known.stream = ranked.stream
        )
        SELECT ordinal, verdict, CAST(NULL AS VARCHAR) AS row_key,
               $base + row_number() OVER (PARTITION BY verdict ORDER BY ordinal) AS landing_number
        FROM judged
        """,
        {"load_id": load_id, "base": base[0]},
    )
    let_return(cursor, raw=raw, fresh=fresh, load_id=load_id, base=base[0], streams=servers)
    cursor.execute(
        f"""
        INSERT INTO {raw}
        SELECT fresh.stream, coalesce(verdicts.row_key, fresh.row_key), fresh.position,
               fresh.occurred_at, fresh.received_at, $now, fresh.payload, fresh.payload_hash,
               fresh.is_deleted, fresh.load_id, verdicts.landing_number
        FROM ({fresh}) AS fresh
        JOIN landing_verdicts AS verdicts ON verdicts.ordinal = fresh.ordinal
        WHERE verdicts.verdict = 'landed'
        """,
        {"load_id": load_id, "now": now},
    )
    cursor.execute(
        f"""
        INSERT INTO raw.quarantine
        SELECT load_id, '{source}', stream, position, row_key,
               coalesce(reason, 'key_conflict'), detail,
               coalesce(raw_bytes, encode(payload)), payload_hash, $now,
               load_id || '/' || ordinal, NULL
        FROM ({fresh})
        WHERE reason IS NOT NULL
            OR ordinal IN (SELECT ordinal FROM landing_verdicts WHERE verdict = 'key_conflict')
        """,
        {"load_id": load_id, "now": now},
    )
    cursor.execute(
        f"""
        UPDATE raw.quarantine SET replayed_load_id = $load_id
        WHERE quarantine_id IN (
            SELECT replay_of FROM {inbox} WHERE load_id = $load_id AND replay_of IS NOT NULL
        )
        """,
        {"load_id": load_id},
    )
    verdicts = dict(
        cursor.execute("SELECT verdict, count(*) FROM landing_verdicts GROUP BY 1").fetchall()
    )
    refused = cursor.execute(
        f"SELECT count(*) FROM ({fresh}) WHERE reason IS NOT NULL", {"load_id": load_id}
    ).fetchone()
    assert refused is not None
    return (
        int(verdicts.get("landed", 0)),
        int(verdicts.get("duplicate", 0)),
        int(refused[0]) + int(verdicts.get("key_conflict", 0)),
    )
