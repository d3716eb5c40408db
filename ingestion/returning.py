"""Rows of servers that hold again what they held before.

Belongs here: which rows that look like landed ones land all the same, because the server has said
something else of their key meanwhile. Does not belong here: files, whose rows are said once; any
other verdict (`promotion`).

What is read from a server is what holds there. A row that was gone and is read again is back, with
whatever version and content; a row without a version that goes back to what it said before says so
now. Both land once more, under a key that names the landing they follow, so that landing the same
again finds them as the newest and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdp.config.sources import load_sources
from cdp.warehouse.store import Session, Warehouse


def key_of(row_key: str) -> str:
    """SQL of the primary key in the key of a row, or of its tombstone: all before the version. It
    is empty where a row has no key but its place."""
    return rf"regexp_extract({row_key}, '(?s)^[kd]:(.*)\x1F', 1)"


_CANDIDATES = f"""
WITH fresh AS ({{fresh}}),
repeated AS (
    SELECT fresh.ordinal, fresh.stream, {key_of("fresh.row_key")} AS key,
           verdicts.verdict = 'key_conflict'
               OR ends_with(fresh.row_key, chr(31) || fresh.payload_hash) AS may_differ
    FROM fresh
    INNER JOIN landing_verdicts AS verdicts ON verdicts.ordinal = fresh.ordinal
    -- A row that is replayed was read before whatever has landed since.
    WHERE verdicts.verdict <> 'landed' AND NOT fresh.is_deleted AND fresh.replay_of IS NULL
        AND fresh.stream IN (SELECT unnest($streams))
),
gone AS (
    SELECT DISTINCT stream, {key_of("raw.row_key")} AS key FROM {{raw}} AS raw
    WHERE is_deleted AND stream IN (SELECT unnest($streams))
)
SELECT ordinal, stream, key FROM repeated
WHERE may_differ OR (stream, key) IN (SELECT (stream, key) FROM gone)
"""

_RETURNED = f"""
WITH fresh AS ({{fresh}}),
told AS (
    SELECT fresh.ordinal, fresh.stream, {key_of("fresh.row_key")} AS key, fresh.row_key,
           fresh.payload_hash, fresh.is_deleted, verdicts.verdict, verdicts.landing_number
    FROM fresh
    INNER JOIN landing_verdicts AS verdicts ON verdicts.ordinal = fresh.ordinal
    WHERE (fresh.stream, {key_of("fresh.row_key")}) IN (
        SELECT (stream, key) FROM landing_candidates
    )
),
-- What a load says last of a key is what holds.
last_told AS (
    SELECT * FROM told
    WHERE ordinal IN (SELECT ordinal FROM landing_candidates)
        AND ordinal IN (SELECT max(ordinal) FROM told GROUP BY stream, key)
),
known AS (
    SELECT stream, {key_of("raw.row_key")} AS key, landing_number, payload_hash, is_deleted
    FROM {{raw}} AS raw
    WHERE stream IN (SELECT unnest($streams)) AND (stream, {key_of("raw.row_key")}) IN (
        SELECT (stream, key) FROM last_told
    )
    UNION ALL
    SELECT stream, key, landing_number, payload_hash, is_deleted FROM told
    WHERE verdict = 'landed'
),
newest AS (
    SELECT stream, key, max(landing_number) AS landing_number,
           arg_max(payload_hash, landing_number) AS payload_hash,
           arg_max(is_deleted, landing_number) AS is_deleted
    FROM known GROUP BY stream, key
),
settled AS (
    SELECT last_told.ordinal, last_told.row_key || ':' || newest.landing_number AS row_key,
           CASE
               WHEN newest.is_deleted THEN 'landed'
               WHEN newest.payload_hash = last_told.payload_hash THEN 'duplicate'
               WHEN last_told.verdict = 'key_conflict' THEN 'key_conflict'
               WHEN ends_with(last_told.row_key, chr(31) || last_told.payload_hash) THEN 'landed'
               ELSE last_told.verdict
           END AS verdict
    FROM last_told
    INNER JOIN newest ON newest.stream = last_told.stream AND newest.key = last_told.key
),
landed AS (SELECT count(*) AS n FROM landing_verdicts WHERE verdict = 'landed')
SELECT verdicts.ordinal,
       coalesce(settled.verdict, verdicts.verdict) AS verdict,
       CASE WHEN settled.verdict = 'landed' THEN settled.row_key END AS row_key,
       CASE
           WHEN settled.verdict = 'landed' THEN $base + landed.n + row_number() OVER (
               PARTITION BY settled.verdict = 'landed' ORDER BY verdicts.ordinal
           )
           ELSE verdicts.landing_number
       END AS landing_number
FROM landing_verdicts AS verdicts
CROSS JOIN landed
LEFT JOIN settled ON settled.ordinal = verdicts.ordinal
"""


def streams_of_servers(source: str, warehouse: Warehouse) -> list[str]:
    """The streams of a source whose rows are read as they are now; none of a source of files."""
    declared = load_sources(warehouse.settings).sources.get(source)
    if declared is None or declared.kind == "files":
        return []
    return list(declared.streams)


def let_return(
    session: Session,
    *,
    raw: str,
    fresh: str,
    load_id: str,
    base: int,
    streams: Sequence[str],
) -> None:
    """Change the verdicts of rows that hold again.

    Args:
        session: within the transaction of the promotion, `landing_verdicts` made.
        raw: the source's table in raw.
        fresh: query of the load's rows, with the parameter `load_id`.
        base: the number that landed last before this load.
        streams: those that are read from a server.
    """
    if not streams or not session.scalar(
        "SELECT count(*) FROM landing_verdicts WHERE verdict <> 'landed'"
    ):
        return
    given = {"load_id": load_id, "streams": list(streams)}
    session.temporary("landing_candidates", _CANDIDATES.format(raw=raw, fresh=fresh), given)
    if session.scalar("SELECT count(*) FROM landing_candidates"):
        returned = _RETURNED.format(raw=raw, fresh=fresh)
        session.temporary("landing_verdicts", returned, {**given, "base": base})
