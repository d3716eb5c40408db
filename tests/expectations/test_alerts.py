"""Alerts get out by webhook and mail, wait when they are asked to, and never raise."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cdp.warehouse import alerts
from cdp.warehouse.alerts import Alert, gate_closed, run_failed, send_alert
from cdp.warehouse.settings import Settings, load_settings
from tests.expectations.mail_server import MailServer, serving
from tests.services.sleeping import waits_without_waiting

SECRET_PATH = "/hooks/T0KEN-that-nobody-may-read"

ALERT = gate_closed(
    "identity",
    "run-7",
    datetime(2026, 6, 30, 12),
    [("identity.dim_identifiers", "has no profile above the limits", {"profiles": 3})],
)


class Receiver(ThreadingHTTPServer):
    """A webhook that gives the answers that it was told, then 204, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.received: list[tuple[str, dict[str, Any], str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{SECRET_PATH}"


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, body, self.headers["Idempotency-Key"]))
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with serving(MailServer()) as server:
        yield server


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for, none of which is made."""
    return waits_without_waiting(monkeypatch)


def settings(home: Path, **values: Any) -> Settings:
    return load_settings(home=home, **values)


def test_a_webhook_gets_the_alert_as_text_and_as_fields(tmp_path: Path, receiver: Receiver) -> None:
    (delivery,) = send_alert(settings(tmp_path, alert_webhook_url=receiver.url), ALERT)
    assert (delivery.channel, delivery.delivered) == ("webhook", True)
    ((path, body, key),) = receiver.received
    assert path == SECRET_PATH
    assert body["title"] == "Tributary: the gate of stage identity is closed, 1 check failed"
    assert body["facts"] == {"stage": "identity", "run": "run-7", "as_of": "2026-06-30T12:00:00Z"}
    assert body["findings"] == [
        "identity.dim_identifiers has no profile above the limits (profiles: 3)"
    ]
    assert body["findings"][0] in body["text"]
    assert key == body["alert_id"] == ALERT.alert_id


def test_an_overloaded_webhook_is_tried_again_as_the_same_alert(
    tmp_path: Path, receiver: Receiver, waits: list[float]
) -> None:
    receiver.answers = [(503, {}), (429, {"Retry-After": "7"}), (500, {})]
    (delivery,) = send_alert(settings(tmp_path, alert_webhook_url=receiver.url), ALERT)
    assert delivery.delivered
    assert len({key for _, _, key in receiver.received}) == 1
    assert len(receiver.received) == 4
    assert waits[1] == 7
    assert all(wait <= 8 for wait in waits)


def test_a_webhook_that_asks_for_an_hour_is_given_half_a_minute(
    tmp_path: Path, receiver: Receiver, waits: list[float]
) -> None:
    receiver.answers = [(429, {"Retry-After": "3600"})]
    (delivery,) = send_alert(settings(tmp_path, alert_webhook_url=receiver.url), ALERT)
    assert delivery.delivered
    assert waits == [30]


@pytest.mark.parametrize("status", [301, 400, 403, 404])
def test_a_webhook_that_will_never_take_it_is_asked_once_and_the_log_has_it(
    tmp_path: Path, receiver: Receiver, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [(status, {"Location": receiver.url})] * 9
    failed, logged = send_alert(settings(tmp_path, alert_webhook_url=receiver.url), ALERT)
    assert (failed.delivered, failed.problem) == (False, f"it answered {status}")
    assert (logged.channel, logged.delivered) == ("log", True)
    assert len(receiver.received) == 1
    assert "has no profile above the limits" in caplog.text
    assert "T0KEN" not in caplog.text


def test_a_webhook_that_is_down_is_given_up_after_a_few_tries(
    tmp_path: Path, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://127.0.0.1:1{SECRET_PATH}"
    failed, logged = send_alert(settings(tmp_path, alert_webhook_url=url), ALERT)
    assert (failed.delivered, failed.problem, failed.to) == (False, "ConnectError", "127.0.0.1")
    assert logged.channel == "log"
    assert len(waits) == alerts.ATTEMPTS - 1
    assert "T0KEN" not in caplog.text


def test_a_webhook_that_is_no_address_does_not_hide_the_alert(tmp_path: Path) -> None:
    failed, logged = send_alert(settings(tmp_path, alert_webhook_url="http://[oops"), ALERT)
    assert not failed.delivered
    assert logged.channel == "log"


def test_a_mail_goes_to_every_address_with_the_findings_in_it(
    tmp_path: Path, mail: MailServer
) -> None:
    (delivery,) = send_alert(
        settings(
            tmp_path,
            alert_email_to=("ann@example.com", "bob@example.com"),
            alert_email_from="cdp@example.com",
            smtp_host="127.0.0.1",
            smtp_port=mail.port,
        ),
        ALERT,
    )
    assert (delivery.channel, delivery.delivered) == ("e-mail", True)
    (text,) = mail.mails
    assert "To: ann@example.com, bob@example.com" in text
    assert "Subject: Tributary: the gate of stage identity is closed" in text
    assert "profiles: 3" in text


def test_a_mail_server_that_is_busy_is_tried_again_and_one_that_refuses_is_not(
    tmp_path: Path, mail: MailServer, waits: list[float]
) -> None:
    told = settings(
        tmp_path,
        alert_email_to=("ann@example.com",),
        smtp_host="127.0.0.1",
        smtp_port=mail.port,
    )
    mail.codes = [451]
    assert send_alert(told, ALERT)[0].delivered
    assert len(waits) == 1
    mail.codes = [550] * 9
    failed, logged = send_alert(told, ALERT)
    assert (failed.delivered, logged.channel) == (False, "log")
    assert len(waits) == 1


def test_where_nothing_is_set_the_log_has_the_alert(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        (delivery,) = send_alert(settings(tmp_path), run_failed("run-9", ["build_identity"]))
    assert delivery.channel == "log"
    assert "step build_identity" in caplog.text
    assert "run-9" in caplog.text


def test_a_subject_cannot_be_made_to_carry_headers(tmp_path: Path, mail: MailServer) -> None:
    told = settings(
        tmp_path,
        alert_email_to=("ann@example.com",),
        smtp_host="127.0.0.1",
        smtp_port=mail.port,
    )
    assert send_alert(told, Alert("two\r\nBcc: eve@example.com"))[0].delivered
    headers, _, _ = mail.mails[0].partition("\r\n\r\n")
    assert "\nBcc:" not in headers
    assert "Subject: two Bcc: eve@example.com" in headers
