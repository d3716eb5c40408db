"""Segment-spec messages to envelopes.

Belongs here: what makes a message an event that may land, its key and its time. The formula of the
corrected time and the message's fields are those of the Segment spec; RudderStack's SDKs send the
same. Does not belong here: the event's other fields, which staging reads from the payload.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cdp.config.segment_paths import SEGMENT_PATHS
from ingestion.envelope import MAX_ID_CHARACTERS
from ingestion.judging import Verdicts
from ingestion.object_keys import keys_of, parents
from ingestion.values import finite, json_id

_PATHS = {
    "type": "$.type",
    "message_id": "$.messageId",
    "message_id2": "$.message_id",
    "user_id": "$.userId",
    "user_id2": "$.user_id",
    "anonymous_id": "$.anonymousId",
    "anonymous_id2": "$.anonymous_id",
    "email": "$.traits.email",
    "email2": "$.context.traits.email",
    "time": "$.timestamp",
    "original": "$.originalTimestamp",
    "sent": "$.sentAt",
    "received": "$.receivedAt",
}

_OBJECTS = parents(path for paths in SEGMENT_PATHS.values() for path in paths)
"""The objects of a message from which staging reads."""

FUTURE = timedelta(days=2)
"""How far ahead of the clock an event may lie: devices are a day off, not a month."""

EARLIEST = datetime(1970, 1, 2)

_RARE_FORMS = "['%Y-%m-%dT%H:%MZ', '%Y%m%dT%H%M%SZ', '%Y%m%dT%H%M%S.%fZ']"
_RARE_FORMS_WITH_ZONE = "['%Y-%m-%dT%H:%M%z', '%Y%m%dT%H%M%S%z', '%Y%m%dT%H%M%S.%f%z']"
"""Forms of ISO 8601 that a cast does not take: without seconds, and without separators."""


def _id(*names: str) -> str:
    """SQL of an id: the first of the values that is one."""
    return f"coalesce({', '.join(json_id(name, _PATHS[name]) for name in names)})"


def _moment(name: str) -> str:
    """SQL of a time: ISO 8601 with a zone (UTC without one), its digits alone, or an epoch in s or
    ms, which has 13 digits since 2001."""
    # ISO 8601 parts fractions off by a comma too.
    pointed = f"replace({name}, ',', '.')"
    told = (
        f"CAST(coalesce(try_cast({name} AS TIMESTAMPTZ), "
        # RFC 3339 lets `t` and `z` be written small.
        f"try_cast(upper({pointed}) AS TIMESTAMPTZ), "
        f"try_strptime({pointed}, {_RARE_FORMS_WITH_ZONE})) AS TIMESTAMP)"
    )
    return (
        f"CASE WHEN {name} IS NULL THEN NULL "
        # By far the most common form, and one that needs no time zone database.
        f"WHEN suffix({name}, 'Z') THEN coalesce("
        f"try_cast({name} AS TIMESTAMP), try_strptime({pointed}, {_RARE_FORMS}), "
        f"try_cast({pointed} AS TIMESTAMP)) "
        f"WHEN regexp_full_match({name}, '\\d{{13}}(\\.0+)?') "
        f"THEN make_timestamp(try_cast(split_part({name}, '.', 1) AS BIGINT) * 1000) "
        # As milliseconds these would lie before 2001 and after 2286.
        f"WHEN regexp_full_match({name}, '\\d{{12}}') THEN try_strptime({name}, '%Y%m%d%H%M') "
        f"WHEN regexp_full_match({name}, '\\d{{14}}') THEN try_strptime({name}, '%Y%m%d%H%M%S') "
        f"WHEN regexp_full_match({name}, '\\d{{9,10}}(\\.\\d+)?') "
        f"THEN make_timestamp(CAST(try_cast({name} AS DOUBLE) * 1000000 AS BIGINT)) "
        f"ELSE {finite(told)} END"
    )


def _query() -> str:
    listed = ", ".join(f"'{path}'" for path in _PATHS.values())
    fields = ",\n".join(f"f[{index}] AS {name}" for index, name in enumerate(_PATHS, 1))
    return f"""
    WITH parsed AS (
        SELECT ordinal, position, text,
               TRY(json_extract_string(text, [{listed}])) AS f,
               {keys_of(_OBJECTS)} AS keys
        FROM good
    ),
    fields AS (
        SELECT ordinal, position, text, f, keys, {fields} FROM parsed
    ),
    timed AS (
        SELECT *,
               {_id("user_id", "user_id2")} AS user_key,
               {_id("anonymous_id", "anonymous_id2")} AS device_key,
               {_id("email", "email2")} AS email_key,
               {_id("message_id", "message_id2")} AS message,
               coalesce(message_id, message_id2) AS message_told,
               coalesce(time, original, sent, received) AS told,
               {_moment("time")} AS time_at,
               {_moment("original")} AS original_at,
               {_moment("sent")} AS sent_at,
               {_moment("received")} AS received_at
        FROM fields
    ),
    placed AS (
        SELECT *,
               CASE
                   WHEN time IS NOT NULL THEN time_at
                   WHEN original IS NOT NULL AND original_at IS NULL THEN NULL
                   WHEN received_at IS NOT NULL AND sent_at IS NOT NULL AND original_at IS NOT NULL
                       THEN TRY(received_at - (sent_at - original_at))
                   ELSE coalesce(original_at, sent_at, received_at)
               END AS happened_at
        FROM timed
    ),
    judged AS (
        SELECT *,
               CASE
                   WHEN f IS NULL THEN 'malformed_json'
                   WHEN NOT starts_with(text, '{{') AND ltrim(text, ' \t')[1] <> '{{'
                       THEN 'not_an_object'
                   WHEN lower(coalesce(type, ''))
                       NOT IN ('identify', 'track', 'page', 'screen', 'group', 'alias')
                       THEN 'unknown_type'
                   WHEN length(message) > {MAX_ID_CHARACTERS}
                       OR (message IS NULL AND trim(message_told) <> '') THEN 'bad_message_id'
                   WHEN user_key IS NULL AND device_key IS NULL AND email_key IS NULL
                       THEN 'missing_identity'
                   WHEN told IS NOT NULL AND happened_at IS NULL THEN 'unreadable_time'
                   WHEN happened_at < $earliest OR happened_at > $latest
                       THEN 'time_out_of_range'
               END AS reason
        FROM placed
    )
    SELECT ordinal, text, reason, keys,
           -- Blanks around it are a part of the key, as they were of all keys before.
           CASE WHEN message = trim(message_told) THEN 'm:' || message_told
                WHEN message IS NOT NULL THEN 'm:' || message
                ELSE 'p:' || position || ':' || md5(text) END AS row_key,
           coalesce(happened_at, $now) AS occurred_at,
           received_at,
           CAST(NULL AS VARCHAR) AS detail
    FROM judged
    """


def event_verdicts(now: datetime, as_of: datetime) -> Verdicts:
    """What becomes of messages.

    Args:
        now: the moment of landing (UTC); the time of a message that tells none.
        as_of: the moment the run computes for; the later of the two bounds the future.
    """
    latest = max(now, as_of) + FUTURE
    return Verdicts(_query(), _OBJECTS, {"now": now, "earliest": EARLIEST, "latest": latest})
