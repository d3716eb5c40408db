"""Mails of alerts: to a server that asks for a password, and encrypted as the settings say."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from cdp.warehouse.alerts import Alert, Delivery, send_alert
from cdp.warehouse.settings import Settings, load_settings
from tests.expectations.mail_server import ADDRESS, MailServer, certificate, serving

ACCOUNT = ("tributary", "a-password-that-nobody-may-read")
ALERT = Alert("something went wrong")


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate that this machine takes for good."""
    path = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


def context_of(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def settings(home: Path, **values: Any) -> Settings:
    return load_settings(
        home=home, **{"alert_email_to": ("ann@example.com",), "smtp_host": ADDRESS, **values}
    )


def sent(server: MailServer, home: Path, **values: Any) -> Delivery:
    return send_alert(settings(home, smtp_port=server.port, **values), ALERT)[0]


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_a_mail_goes_out_encrypted_and_with_the_password(
    tmp_path: Path, trusted: Path, way: Literal["starttls", "tls"]
) -> None:
    with serving(MailServer(way, context_of(trusted), ACCOUNT)) as server:
        told = sent(server, tmp_path, smtp_tls=way, smtp_user=ACCOUNT[0], smtp_password=ACCOUNT[1])
    assert told.delivered, told.problem
    assert server.encrypted == [True]
    assert "AUTH" in server.words


def test_a_password_goes_in_the_open_only_where_that_is_asked_for(tmp_path: Path) -> None:
    account = {"smtp_user": ACCOUNT[0], "smtp_password": ACCOUNT[1]}
    with serving(MailServer(account=ACCOUNT)) as server:
        assert sent(server, tmp_path, smtp_tls="none", **account).delivered
        with pytest.raises(ValidationError, match="a password is not sent for all to read"):
            sent(server, tmp_path, **account)
    assert server.encrypted == [False]


def test_a_wrong_password_is_told_without_it_and_not_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(MailServer(account=("tributary", "another"))) as server:
        told = sent(
            server, tmp_path, smtp_tls="none", smtp_user=ACCOUNT[0], smtp_password=ACCOUNT[1]
        )
    assert (told.delivered, told.problem) == (False, "SMTPAuthenticationError")
    assert server.words.count("QUIT") <= 1
    assert server.words.count("EHLO") == 1
    assert ALERT.title in caplog.text
    assert ACCOUNT[1] not in caplog.text


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_a_server_whose_certificate_does_not_hold_gets_no_mail_and_no_password(
    tmp_path: Path, way: Literal["starttls", "tls"]
) -> None:
    with serving(MailServer(way, context_of(certificate(tmp_path)), ACCOUNT)) as server:
        told = sent(server, tmp_path, smtp_tls=way, smtp_user=ACCOUNT[0], smtp_password=ACCOUNT[1])
    assert (told.delivered, told.problem) == (False, "SSLCertVerificationError")
    assert server.mails == []
    assert "AUTH" not in server.words


def test_a_server_that_does_not_offer_what_is_asked_for_gets_no_mail(tmp_path: Path) -> None:
    with serving(MailServer()) as server:
        told = sent(server, tmp_path, smtp_tls="starttls")
    assert (told.delivered, told.problem) == (False, "SMTPNotSupportedError")
    assert server.mails == []


@pytest.mark.parametrize(("offers", "encrypted"), [("starttls", True), ("none", False)])
def test_where_nothing_is_said_a_mail_is_encrypted_if_the_server_likes(
    tmp_path: Path, offers: Literal["starttls", "none"], encrypted: bool
) -> None:
    with serving(MailServer(offers, context_of(certificate(tmp_path)))) as server:
        assert sent(server, tmp_path).delivered
    assert server.encrypted == [encrypted]


def test_addresses_without_a_server_are_refused_rather_than_left_without_a_mail(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValidationError, match="alert_email_to names addresses") as refused:
        settings(tmp_path, smtp_host=None)
    assert [error["loc"] for error in refused.value.errors()] == [("smtp_host",)]


@pytest.mark.parametrize("one", [{"smtp_user": "tributary"}, {"smtp_password": ACCOUNT[1]}])
def test_a_name_and_a_password_are_set_together(tmp_path: Path, one: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="set together or not at all") as refused:
        settings(tmp_path, smtp_tls="tls", **one)
    assert ACCOUNT[1] not in str(refused.value.errors(include_input=False))


def test_the_password_stands_in_no_text_of_the_settings(tmp_path: Path) -> None:
    told = settings(tmp_path, smtp_tls="tls", smtp_user=ACCOUNT[0], smtp_password=ACCOUNT[1])
    assert ACCOUNT[1] not in repr(told) + str(told) + told.model_dump_json()
