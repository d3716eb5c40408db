"""The same files from a bucket: S3 and Google Cloud Storage, emulated.

Belongs here: what differs where the landing folder is a bucket. Does not belong here: what files
may hold (`test_files`, `test_bad_input`).
"""

from __future__ import annotations

import gzip
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.failures import SourceFailed
from tests.ingestion.landing import Landing, event, events
from tests.services.object_stores import Bucket


@pytest.fixture(params=["s3", "gcs"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """An empty bucket of each store."""
    found: Bucket = request.getfixturevalue(request.param)
    return found


def declare(landing: Landing, bucket: Bucket, **changes: Any) -> None:
    options: dict[str, Any] = {"location": f"{bucket.url}/landing", "settle": "0 seconds"}
    if bucket.credentials is not None:
        options["credentials"] = bucket.credentials
    else:
        options["credentials"] = {"kwargs": bucket.fsspec}
    landing.declare(
        "web", "files", {**options, **changes}, events={"files": "**/*", "format": "segment"}
    )


def parquet(*messages: dict[str, Any]) -> bytes:
    """Messages as a Parquet file of one column a field."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(messages)), buffer)
    return buffer.getvalue()


def test_files_of_a_bucket_land_once(landing: Landing, bucket: Bucket) -> None:
    declare(landing, bucket)
    bucket.put("landing/2026/06/29/a.ndjson", events(0, 3))
    bucket.put("landing/2026/06/29/b.ndjson.gz", gzip.compress(events(3, 7)))
    bucket.put("landing/2026/06/30/c.parquet", parquet(event(7), event(8)))
    bucket.put("elsewhere/d.ndjson", events(20, 30))
    assert landing.has_news()
    assert landing.land().rows_landed == 9
    assert not landing.has_news()
    assert landing.land().rows_read == 0
    bucket.put("landing/2026/06/30/d.ndjson", events(9, 11))
    assert landing.land().rows_landed == 2


def test_an_object_that_was_rewritten_is_noticed(landing: Landing, bucket: Bucket) -> None:
    declare(landing, bucket)
    bucket.put("landing/a.ndjson", events(0, 3))
    landing.land()
    bucket.put("landing/a.ndjson", events(10, 14))
    report = landing.land()
    assert report.files == (("a.ndjson", "rewritten"),)
    assert report.rows_landed == 4


def test_an_object_that_grew_is_read_on(landing: Landing, bucket: Bucket) -> None:
    declare(landing, bucket)
    bucket.put("landing/a.ndjson", events(0, 3))
    landing.land()
    bucket.put("landing/a.ndjson", events(0, 5))
    report = landing.land()
    assert (report.rows_read, report.rows_landed) == (2, 2)


def test_a_broken_object_costs_no_other(landing: Landing, bucket: Bucket) -> None:
    declare(landing, bucket)
    bucket.put("landing/a.ndjson.gz", gzip.compress(events(0, 50))[:-20])
    bucket.put("landing/b.ndjson", events(50, 52))
    landing.land()
    assert {"message-50", "message-51"} <= {row["messageId"] for row in landing.payloads()}
    assert "truncated_file" in landing.reasons()


def test_an_empty_bucket_is_no_news(landing: Landing, bucket: Bucket) -> None:
    declare(landing, bucket)
    assert not landing.has_news()
    assert landing.land().rows_read == 0


def test_a_bucket_that_is_not_there_is_told_without_its_secret(
    landing: Landing, s3: Bucket
) -> None:
    declare(landing, s3, location="s3://no-such-bucket-7731/landing")
    assert s3.credentials is not None
    with pytest.raises(SourceFailed, match=r"source web.*no-such-bucket-7731") as caught:
        landing.land()
    assert s3.credentials["aws_secret_access_key"] not in str(caught.value)
