"""Paginated REST APIs, through dlt's own `rest_api`.

Belongs here: turning a declaration into dlt's configuration, the session that guards addresses and
honours Retry-After. Does not belong here: keys and types of rows (`ingestion.rows`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa

from cdp.config.sources import Stream, resolve
from cdp.warehouse.store import Warehouse
from ingestion.addresses import check_address
from ingestion.envelope import Read
from ingestion.judging import RawRows
from ingestion.reading import Reading

TIMEOUT_SECONDS = 30
ATTEMPTS = 6
LONGEST_WAIT_SECONDS = 120


def rest_rows(
    reading: Reading,
    warehouse: Warehouse,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Any]:
    """One dlt resource for each stream.

    A range of days is given to the API as the incremental parameter's start; APIs that take no
    start are read whole, and what is known already is a duplicate.
    """
    from dlt.sources.rest_api import rest_api_resources

    source = reading.source
    options = resolve(source.options, warehouse.settings)
    check_address(str(options["base_url"]), allow_private=bool(options.get("allow_private")))
    client: dict[str, Any] = {
        "base_url": options["base_url"],
        "session": _session(bool(options.get("allow_private"))),
    }
    for name in ("auth", "headers", "paginator"):
        if name in options:
            client[name] = options[name]
    for name, stream in source.streams.items():
        endpoint = _endpoint(dict(resolve(stream.endpoint or {}, warehouse.settings)), since)
        # dlt checks it while it runs; its typed form cannot be put together key by key.
        declared: Any = {
            "client": client,
            "resources": [{"name": f"{source.name}_{name}", "endpoint": endpoint}],
        }
        (resource,) = rest_api_resources(declared)
        yield _enveloped(resource, name, stream, reading)


def _endpoint(endpoint: dict[str, Any], since: datetime | None) -> dict[str, Any]:
    if since is not None and "incremental" in endpoint:
        endpoint["incremental"] = {
            **endpoint["incremental"],
            "initial_value": since.isoformat(),
        }
    return endpoint


def _enveloped(resource: Any, name: str, stream: Stream, reading: Reading) -> Any:
    import dlt

    place = str((stream.endpoint or {}).get("path", name))

    @dlt.transformer(data_from=resource, name=f"{reading.source.name}_{name}_rows")
    def envelopes(items: Any) -> Iterator[pa.Table]:
        rows = items if isinstance(items, list) else [items]
        before = reading.ordinal
        texts = [
            json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
            for row in rows
        ]
        positions = [f"{place}:{before + index}" for index in range(len(rows))]
        yield from reading.add(
            RawRows(pa.array(texts, pa.binary()), pa.array(positions, pa.string())), name
        )
        yield from reading.flush()
        reading.reads.append(Read(reading.load_id, name, None, reading.ordinal - before))

    return resource | envelopes


def _session(allow_private: bool) -> Any:
    """dlt's own retrying session, with the guard before each request and the server's own pause.

    dlt retries 429 and 5xx with exponential waits; a Retry-After beyond those is waited for here,
    so that the next try is not one more refusal.
    """
    import time

    import requests
    from dlt.sources.helpers.requests.retry import Client

    class Guarded(requests.Session):
        def send(self, request: Any, **arguments: Any) -> Any:
            check_address(str(request.url), allow_private=allow_private)
            response = super().send(request, **arguments)
            if response.status_code in (429, 503):
                wait = response.headers.get("Retry-After", "")
                if wait.isdigit():
                    time.sleep(min(int(wait), LONGEST_WAIT_SECONDS))
            return response

    client = Client(
        request_timeout=TIMEOUT_SECONDS,
        max_connections=4,
        raise_for_status=False,
        request_max_attempts=ATTEMPTS,
        request_backoff_factor=0.5,
        session_attrs={},
    )
    session = client.session
    session.__class__ = type("GuardedSession", (Guarded, session.__class__), {})
    return session
