"""Messages as a router's tests and two specs hold them: every one is accounted for.

Belongs here: the real message collections, landed. Does not belong here: what staging and identity
make of them (`tests/examples`).
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.ingestion.landing import AS_OF, Landing, lines
from tests.ingestion.oracle import fate
from tests.services.real_data import DataSets

LATEST = AS_OF + timedelta(days=2)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a gzip file of NDJSON."""
    with gzip.open(path, "rt", encoding="utf-8") as opened:
        return [json.loads(line) for line in opened]


def account(rows: list[bytes]) -> tuple[int, int, dict[str, int], int]:
    """What must become of rows that are laid down in this order: landed, known, kept out by reason,
    and the rows of the same message id with other content (they are among those kept out)."""
    first: dict[str, bytes] = {}
    landed = known = 0
    reasons: Counter[str] = Counter()
    for row in rows:
        reason = fate(row, LATEST)
        if reason:
            reasons[reason] += 1
            continue
        message = json.loads(row)
        identifier = message.get("messageId") or message.get("message_id")
        if not identifier:
            landed += 1
        elif identifier not in first:
            first[identifier] = row
            landed += 1
        elif first[identifier] == row:
            known += 1
        else:
            reasons["key_conflict"] += 1
    return landed, known, dict(reasons), reasons["key_conflict"]


def test_each_message_of_the_harvest_lands_or_says_why_not(
    landing: Landing, real_data: DataSets
) -> None:
    messages = [row["message"] for row in read(real_data / "segment_events/harvest.ndjson.gz")]
    rows = [json.dumps(message).encode() for message in messages]
    landing.put("harvest.ndjson", lines(*rows))
    report = landing.land()
    landed, known, reasons, _ = account(rows)
    assert report.rows_read == len(messages)
    assert (report.rows_landed, report.rows_duplicate) == (landed, known)
    assert landing.reasons() == reasons
    texts = {row.decode() for row in rows}
    assert {row[0] for row in landing.rows("SELECT payload FROM raw.web")} <= texts


def test_messages_without_an_id_of_their_own_all_land(
    landing: Landing, real_data: DataSets
) -> None:
    """The harvest uses some ids for many messages; its messages themselves are nearly all good."""
    messages = [row["message"] for row in read(real_data / "segment_events/harvest.ndjson.gz")]
    bare = [
        {key: value for key, value in message.items() if key not in ("messageId", "message_id")}
        for message in messages
    ]
    landing.put("bare.ndjson.gz", gzip.compress(lines(*bare)))
    report = landing.land()
    refused = Counter(fate(json.dumps(message).encode(), LATEST) for message in bare)
    assert report.rows_landed == refused.pop(None)
    assert landing.reasons() == dict(refused)
    assert report.rows_landed > 0.9 * report.rows_read


def test_a_harvest_that_arrives_again_in_other_files_lands_nothing_again(
    landing: Landing, real_data: DataSets
) -> None:
    messages = [row["message"] for row in read(real_data / "segment_events/harvest.ndjson.gz")]
    with_id = [message for message in messages if message.get("messageId")]
    landing.put("first.ndjson", lines(*with_id))
    before = landing.land()
    landing.put("again.ndjson", lines(*with_id))
    after = landing.land()
    assert after.rows_landed == 0
    assert after.rows_read == before.rows_read
    assert after.rows_duplicate >= before.rows_landed


@pytest.mark.parametrize("spec", ["segment", "rudderstack"])
def test_each_example_of_a_spec_that_is_a_whole_message_lands(
    landing: Landing, real_data: DataSets, spec: str
) -> None:
    found = read(real_data / f"segment_events/{spec}_spec_examples.ndjson.gz")
    blocks = [row["json"] for row in found if row["kind"] == "event"]
    rows = [json.dumps(block).encode() for block in blocks]
    landing.put("examples.ndjson", lines(*rows))
    report = landing.land()
    landed, known, reasons, _ = account(rows)
    assert report.rows_read == len(rows)
    assert (report.rows_landed, report.rows_duplicate) == (landed, known)
    assert landing.reasons() == reasons
