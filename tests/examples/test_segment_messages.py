"""Messages of many senders: whatever lands is staged, and each message is accounted for."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.examples.conftest import Example
from tests.ingestion.landing import lines
from tests.services.real_data import DataSets


@pytest.fixture(scope="module")
def messages(real_data: DataSets) -> list[dict[str, Any]]:
    """The harvest, each message with an id of its own where its sender gave many the same."""
    with gzip.open(real_data / "segment_events/harvest.ndjson.gz", "rt") as opened:
        found = [json.loads(line)["message"] for line in opened]
    seen: Counter[str] = Counter()
    for message in found:
        if message.get("messageId"):
            seen[message["messageId"]] += 1
            message["messageId"] += f"-{seen[message['messageId']]}"
    return found


@pytest.fixture(scope="module")
def collector(
    example: Callable[[str], Example], messages: list[dict[str, Any]], tmp_path_factory: Any
) -> Example:
    made = example("segment_messages")
    path = tmp_path_factory.mktemp("harvest") / "harvest.ndjson"
    path.write_bytes(lines(*messages))
    made.lay(path, "landing/messages")
    made.run()
    return made


def test_each_message_is_staged_or_in_quarantine(
    collector: Example, messages: list[dict[str, Any]]
) -> None:
    ((staged,),) = collector.warehouse_rows("SELECT count(*) FROM staging.int_events")
    ((kept_out,),) = collector.warehouse_rows("SELECT count(*) FROM raw.quarantine")
    assert staged + kept_out == len(messages)
    assert staged > 0.9 * len(messages)


def test_ids_and_names_are_those_of_the_messages(
    collector: Example, messages: list[dict[str, Any]]
) -> None:
    """By position: the line in the file is the message's own."""
    rows = collector.warehouse_rows(
        "SELECT landed.position, events.user_id, events.anonymous_id, events.event_type, "
        "events.event_name FROM staging.int_events AS events "
        "INNER JOIN raw.messages AS landed USING (row_key)"
    )
    for position, user, device, kind, name in rows:
        message = messages[int(position.rpartition(":")[2]) - 1]
        assert kind == message["type"].lower()
        for told, keys in ((user, ("userId", "user_id")), (device, ("anonymousId",))):
            first = next((message[key] for key in keys if message.get(key) is not None), None)
            assert told in (None, first) or told == str(first), position
        if kind == "track" and isinstance(message.get("event"), str):
            assert name == (message["event"].strip() or None), position


def test_a_segment_counts_every_spelling_of_an_event(
    collector: Example, messages: list[dict[str, Any]]
) -> None:
    landed = {
        int(position.rsplit(":", 1)[1])
        for (position,) in collector.warehouse_rows("SELECT position FROM raw.messages")
    }
    views = [
        message
        for line, message in enumerate(messages, 1)
        if line in landed
        and message.get("type") == "track"
        and str(message.get("event")).replace("_", " ").strip().lower() == "product viewed"
    ]
    assert len({message["event"] for message in views}) > 2
    profiles = {
        kind: collector.profile_of(kind) for kind in ("user_id", "email", "phone", "anonymous_id")
    }
    expected = set()
    for message in views:
        times = (message.get(key) for key in ("timestamp", "originalTimestamp"))
        if not any(times):
            # It happened when it landed, which is after the moment that the example computes for.
            continue
        traits = (message.get("context") or {}).get("traits") or {}
        carried = {
            "user_id": message.get("userId"),
            "email": traits.get("email"),
            "phone": traits.get("phone"),
            "anonymous_id": message.get("anonymousId"),
        }
        owners = [
            profiles[kind][value]
            for kind, value in carried.items()
            if value is not None and value in profiles[kind].index
        ]
        expected |= set(owners[:1])
    assert len(expected) > 5
    assert collector.members("viewers") == expected
