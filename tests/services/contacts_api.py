"""A paginated HTTP API of the tests' own, on loopback.

Belongs here: contacts in pages, a token that must be shown, and faults on demand. Does not belong
here: any assertion.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

TOKEN = "canary-token-8842"
PAGE = 40


@dataclass(frozen=True)
class Fault:
    """What is answered instead of a page."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    after_seconds: float = 0.0


@dataclass
class ContactsApi:
    """The server: what it holds, how it fails, and what it was asked.

    Attributes:
        contacts: what `/contacts` pages through, in order; rows are sent as they are.
        faults: answers given first, one a request, to the page numbers they name.
        asked: time, path and query of each request with its status.
    """

    url: str = ""
    contacts: list[Any] = field(default_factory=list)
    faults: list[tuple[int, Fault]] = field(default_factory=list)
    asked: list[tuple[float, str, dict[str, str], int]] = field(default_factory=list)

    def fail(self, *faults: Fault, page: int = 1) -> None:
        """Answer the next requests of a page so."""
        self.faults += [(page, fault) for fault in faults]

    def fault_of(self, page: int) -> Fault | None:
        """The next fault of a page, which is used up by it."""
        for index, (number, fault) in enumerate(self.faults):
            if number == page:
                del self.faults[index]
                return fault
        return None

    def page(self, number: int, since: str | None) -> dict[str, Any]:
        """One page, and the address of the next."""
        # What tells no time is told every time.
        found = [
            row
            for row in self.contacts
            if not since or str(row.get("updated_at") or "never") >= since
        ]
        rows = found[(number - 1) * PAGE : number * PAGE]
        more = number * PAGE < len(found)
        later = f"&since={since}" if since else ""
        following = f"{self.url}/contacts?page={number + 1}{later}" if more else None
        return {"results": rows, "paging": {"next": following}}


def _handler(api: ContactsApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            number = int(query.get("page", 1))
            fault = api.fault_of(number)
            if fault is not None:
                time.sleep(fault.after_seconds)
                self.answer(fault.status, fault.body, fault.headers, query)
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.answer(401, b'{"error": "who are you"}', {}, query)
            else:
                body = json.dumps(api.page(number, query.get("since"))).encode()
                self.answer(200, body, {}, query)

        def answer(
            self, status: int, body: bytes, headers: dict[str, str], query: dict[str, str]
        ) -> None:
            api.asked.append((time.monotonic(), urlsplit(self.path).path, query, status))
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def contacts_api() -> Iterator[ContactsApi]:
    """A running API that holds nothing yet."""
    api = ContactsApi()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield api
    server.shutdown()
    server.server_close()
