"""From the inbox to raw, in one transaction.

Belongs here: which row lands, which is a duplicate, which is quarantined, the order of landing, and
the account of it. Does not belong here: reading any source.

The first landing of a key wins. A row of the same key and content is a duplicate; of the same key
and other content, a conflict. A row that is refused again and stands in quarantine already is a
duplicate too. A server's row that holds again what it said before lands once more (`returning`), so
that the newest landing is what the server says.
A load is promoted once: where a kill left it in the inbox after it was committed, it is only taken
away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cdp.warehouse.fault_points import reached
from cdp.warehouse.runs import Run, utc_now
from cdp.warehouse.store import Left, Session, Warehouse
from ingestion.inbox import Waiting, waiting
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


_Read = tuple[Any, ...]
"""A row of `envelope.READS`, in the order in which `_reads` selects it."""


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


def take_back(sources: Iterable[str], warehouse: Warehouse) -> None:
    """Take away rows that a killed promotion has left in raw where an engine commits each statement
    by itself: numbers of landing have no gaps, so whatever lies above those on account is such."""
    warehouse.execute(_ACCOUNTS)
    landed = warehouse.scalar("SELECT coalesce(sum(rows_landed), 0) FROM raw.loads")
    left: list[Left] = [
        (f'raw."{each}"', "landing_number > ?", [int(landed)])
        for each in sources
        if warehouse.has_table("raw", each)
    ]
    with warehouse.transaction(undo=left):
        """Whatever was left is gone; there is nothing to add."""


def promote(source: str, warehouse: Warehouse, run: Run) -> LoadReport:
    """Move everything that stands in a source's inbox to raw and empty the inbox.

    Raises:
        DoesNotReconcile: the reader's count and what became of the rows differ.
    """
    ensure_tables(source, warehouse)
    inbox = waiting(source, warehouse)
    report = LoadReport(source, None)
    if not (inbox.rows or inbox.reads):
        return report
    reached("landing.before_promote")
    with warehouse.session() as session:
        inbox.show(session)
        loads = _loads(inbox, session)
    with warehouse.transaction(undo=_left_of(source, loads)) as session:
        inbox.show(session)
        for load_id in loads:
            report = report.plus(_promote_load(source, load_id, inbox, warehouse, run, session))
        reached("landing.in_promote")
    reached("landing.after_promote")
    inbox.remove()
    if report.rows_read:
        warehouse.checkpoint()
    return report


def _loads(inbox: Waiting, session: Session) -> list[str]:
    """The loads in the inbox that are not in raw, oldest first: ids begin with their time."""
    parts = [f"SELECT load_id FROM {each}" for each in (inbox.rows, inbox.reads) if each]
    rows = session.rows(
        f"SELECT DISTINCT load_id FROM ({' UNION ALL '.join(parts)}) AS waiting "
        "WHERE load_id NOT IN (SELECT load_id FROM raw.loads) ORDER BY 1"
    )
    return [row[0] for row in rows]


def _left_of(source: str, loads: Sequence[str]) -> list[Left]:
    """What a killed promotion of these loads can have left, none of which is in `raw.loads`."""
    return [
        (table, "load_id = ?", [load_id])
        for load_id in loads
        for table in (f'raw."{source}"', "raw.quarantine", "raw.files")
    ]


def _promote_load(
    source: str,
    load_id: str,
    inbox: Waiting,
    warehouse: Warehouse,
    run: Run,
    session: Session,
) -> LoadReport:
    now = utc_now()
    reads = _reads(load_id, inbox, session)
    counts = (0, 0, 0)
    if inbox.rows:
        servers = streams_of_servers(source, warehouse)
        again = _read_again(source, reads, session)
        counts = _promote_rows(source, load_id, inbox.rows, now, session, servers, again)
    landed, duplicate, quarantined = counts
    read = sum(row[2] for row in reads)
    if read != landed + duplicate + quarantined:
        raise DoesNotReconcile(
            f"load {load_id} of {source} read {read} rows, of which {landed} landed, {duplicate} "
            f"were duplicates and {quarantined} were quarantined; nothing of it was promoted"
        )
    session.insert(
        "raw.files",
        [
            (source, stream, path, size, modified, fingerprint, rows, whole, state, load_id, now)
            for stream, path, rows, size, modified, fingerprint, whole, state in reads
            if path is not None
        ],
    )
    # Last, for it is what says that the load is in raw.
    session.insert(
        "raw.loads",
        [(load_id, run.run_id, source, run.started_at, now, read, landed, duplicate, quarantined)],
    )
    states = tuple((row[1], row[7]) for row in reads if row[1] is not None)
    return LoadReport(source, load_id, read, landed, duplicate, quarantined, states)


def _reads(load_id: str, inbox: Waiting, session: Session) -> list[_Read]:
    if not inbox.reads:
        return []
    return session.rows(
        "SELECT stream, path, rows_read, size, modified_at, fingerprint, whole_rows, "
        f"state FROM {inbox.reads} WHERE load_id = ? ORDER BY 1, 2, 3, 4, 5, 6, 7, 8",
        [load_id],
    )


def _read_again(
    source: str,
    reads: list[_Read],
    session: Session,
) -> list[tuple[str, str]]:
    """Path and fingerprint of the files of a load; none where all of them are read for the first
    time."""
    files = [(row[1], row[5]) for row in reads if row[1] is not None]
    (known,) = _one(
        session,
        "SELECT count(*) FROM raw.files WHERE source = $source AND path IN "
        "(SELECT unnest(CAST($paths AS VARCHAR[])))",
        {"source": source, "paths": [path for path, _ in files]},
    )
    return files if known else []


_KEPT_OUT_BEFORE = """
kept.source = '{source}' AND kept.stream = fresh.stream
    AND kept.reason = coalesce(fresh.reason, 'key_conflict')
    AND kept.raw_bytes = coalesce(fresh.raw_bytes, encode(fresh.payload))
"""
"""Condition on a refused row and an entry of the quarantine: the same bytes, the same reason."""

_OF_THE_FILE = """
AND kept.position = fresh.position AND (
    octet_length(kept.raw_bytes) > 0 OR EXISTS (
        SELECT 1 FROM raw.files AS file
        WHERE file.source = kept.source AND file.stream = kept.stream
            AND file.load_id = kept.load_id
            AND starts_with(kept.position || ':', file.path || ':')
            AND file.path || chr(31) || file.fingerprint IN (SELECT unnest($files))
    )
)
"""
"""And of a row of a file: it stood in the same place. What could not be read has no bytes of its
own, so that the whole file has to be the same."""

_STILL_WAITS = " AND kept.replayed_load_id IS NULL"
"""And of a row of a server, whose place is but its number in a reading: it has not landed since."""


def _promote_rows(
    source: str,
    load_id: str,
    arrived: str,
    now: object,
    session: Session,
    servers: Sequence[str],
    files: Sequence[tuple[str, str]],
) -> tuple[int, int, int]:
    """How many rows of a load landed, were duplicates, and were quarantined.

    Args:
        arrived: what to select envelopes from.
        files: path and fingerprint of the load's files, if something of one was read before.
    """
    raw = f'raw."{source}"'
    fresh = f"SELECT * FROM {arrived} WHERE load_id = $load_id"
    load = {"load_id": load_id}
    # What is decided by, without what is widest: the rows themselves are read once, to be written.
    session.temporary(
        "landing_keys",
        f"SELECT ordinal, stream, row_key, payload_hash, reason, replay_of FROM ({fresh}) AS fresh",
        load,
    )
    total, last, keyed, keys, refused, replayed = _one(
        session,
        "SELECT count(*), max(ordinal), count(*) FILTER (WHERE reason IS NULL), "
        "count(DISTINCT row_key) FILTER (WHERE reason IS NULL), count(reason), count(replay_of) "
        "FROM landing_keys",
    )
    (base,) = _one(session, "SELECT coalesce(sum(rows_landed), 0) FROM raw.loads")
    (known,) = _one(
        session,
        f"SELECT count(*) FROM {raw} "
        "WHERE row_key IN (SELECT row_key FROM landing_keys WHERE reason IS NULL)",
    )
    if known == 0 and total == keyed == keys and last == total - 1:
        # All of it lands, so that the place in the load is the place in the order of landing.
        session.execute(
            f"""
            INSERT INTO {raw}
            SELECT stream, row_key, position, occurred_at, received_at, $now, payload,
                   payload_hash, is_deleted, load_id, $base + 1 + ordinal
            FROM ({fresh}) AS fresh
            """,
            {**load, "now": now, "base": base},
        )
        verdicts = {"landed": total}
    else:
        simple = known == 0 and keyed == keys
        verdicts = _tell_apart(raw, fresh, load_id, base, simple, session, servers)
        session.execute(
            f"""
            INSERT INTO {raw}
            SELECT fresh.stream, coalesce(verdicts.row_key, fresh.row_key), fresh.position,
                   fresh.occurred_at, fresh.received_at, $now, fresh.payload, fresh.payload_hash,
                   fresh.is_deleted, fresh.load_id, verdicts.landing_number
            FROM ({fresh}) AS fresh
            JOIN landing_verdicts AS verdicts ON verdicts.ordinal = fresh.ordinal
            WHERE verdicts.verdict = 'landed'
            """,
            {**load, "now": now},
        )
    duplicate = verdicts.get("duplicate", 0)
    quarantined = refused + verdicts.get("key_conflict", 0)
    if quarantined:
        new = _quarantine(source, fresh, load_id, now, session, bool(servers), files)
        duplicate += quarantined - new
        quarantined = new
    if replayed:
        session.execute(
            "MERGE INTO raw.quarantine AS kept USING "
            "(SELECT DISTINCT replay_of FROM landing_keys WHERE replay_of IS NOT NULL) AS answered "
            "ON kept.quarantine_id = answered.replay_of "
            "WHEN MATCHED THEN UPDATE SET replayed_load_id = $load_id",
            load,
        )
    return verdicts.get("landed", 0), duplicate, quarantined


def _quarantine(
    source: str,
    fresh: str,
    load_id: str,
    now: object,
    session: Session,
    of_server: bool,
    files: Sequence[tuple[str, str]],
) -> int:
    """Keep out what is refused, and in conflict; how many rows of it were not kept out before."""
    refused = f"""
        FROM ({fresh}) AS fresh
        WHERE (
            reason IS NOT NULL OR ordinal IN (
                SELECT ordinal FROM landing_verdicts WHERE verdict = 'key_conflict'
            )
        )
    """
    given: dict[str, object] = {"load_id": load_id, "now": now}
    before = _KEPT_OUT_BEFORE.format(source=source)
    known = ""
    if of_server:
        before += _STILL_WAITS
        # What the server says again holds from now: what landed meanwhile is older (see `replay`).
        session.execute(
            f"""
            MERGE INTO raw.quarantine AS kept USING (
                SELECT DISTINCT stream, reason, coalesce(raw_bytes, encode(payload)) AS raw_bytes,
                       CAST(NULL AS VARCHAR) AS payload
                {refused}
            ) AS fresh
            ON {before}
            WHEN MATCHED THEN UPDATE SET landed_at = $now
            """,
            given,
        )
    elif files:
        before += _OF_THE_FILE
        given["files"] = [f"{path}{chr(31)}{digest}" for path, digest in files]
    if of_server or files:
        known = f"AND NOT EXISTS (SELECT 1 FROM raw.quarantine AS kept WHERE {before})"
    session.execute(
        f"""
        INSERT INTO raw.quarantine
        SELECT load_id, '{source}', stream, position, row_key,
               coalesce(reason, 'key_conflict'), detail,
               coalesce(raw_bytes, encode(payload)), payload_hash, $now,
               load_id || '/' || ordinal, NULL
        {refused} {known}
        """,
        given,
    )
    (new,) = _one(
        session,
        "SELECT count(*) FROM raw.quarantine WHERE load_id = $load_id",
        {"load_id": load_id},
    )
    return new


def _one(
    session: Session, sql: str, parameters: dict[str, object] | None = None
) -> tuple[int, ...]:
    (row,) = session.rows(sql, parameters)
    return tuple(int(each or 0) for each in row)


def _tell_apart(
    raw: str,
    fresh: str,
    load_id: str,
    base: int,
    simple: bool,
    session: Session,
    servers: Sequence[str],
) -> dict[str, int]:
    """Fill `landing_verdicts` for the rows that may land; how many got each verdict.

    Args:
        simple: no row is in raw and none repeats another, so that none need be compared.
    """
    nth = "row_number() OVER (PARTITION BY stream, row_key ORDER BY ordinal)"
    first = "first_value(payload_hash) OVER (PARTITION BY stream, row_key ORDER BY ordinal)"
    session.temporary(
        "landing_verdicts",
        f"""
        WITH ranked AS (
            SELECT ordinal, stream, row_key, payload_hash,
                   {"1" if simple else nth} AS nth,
                   {"payload_hash" if simple else first} AS first_hash
            FROM landing_keys WHERE reason IS NULL
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
        {"base": base},
    )
    let_return(session, raw=raw, fresh=fresh, load_id=load_id, base=base, streams=servers)
    return dict(session.rows("SELECT verdict, count(*) FROM landing_verdicts GROUP BY verdict"))
