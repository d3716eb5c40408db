"""Telling people that something went wrong, by webhook or e-mail, as the settings say.

Belongs here: what an alert says, and getting it out with patience but without end. Does not belong
here: deciding that something is worth an alert, or that it has been told already.

An alert holds names of stages, tables, checks and sources, and numbers; never a value of a row, and
no text of an exception, which may quote one. Where neither a webhook nor an address is set, or none
of them takes the alert, it stands in the log.

The addresses that an alert goes to are those that the settings name, private ones included; a
redirect to anywhere else is not followed. What is logged of them is the host alone, because the
path of a webhook is often its password.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import formatdate

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from cdp.warehouse.settings import Settings

LOG = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
ATTEMPTS = 4
MOST_SHOWN = 20
LONGEST_WAIT_SECONDS = 30.0
"""Also for a server that asks for more: a run does not wait minutes to say that it has failed."""

Fact = str | int | float


_OF_QUARANTINE = uuid.UUID("6d7d3d52-0b0e-5c8e-9a5e-0f6c1b6f4e1d")
"""Namespace of the ids of alerts about quarantine, one for each run."""


@dataclass(frozen=True)
class Alert:
    """One thing to be told.

    Attributes:
        title: one line that says what happened.
        facts: what it is about, by name: run, stage, as_of and the like.
        findings: one line each, such as a check that failed with its numbers.
        next_step: what to do about it.
        alert_id: the same at every attempt, so that a receiver can tell a repetition.
    """

    title: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    next_step: str = ""
    alert_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def text(self) -> str:
        """The alert as plain text."""
        lines = [self.title, ""]
        lines += [f"{name}: {value}" for name, value in self.facts.items()]
        lines += ["", *(f"- {finding}" for finding in self.findings)] if self.findings else []
        lines += ["", self.next_step] if self.next_step else []
        return "\n".join(lines)


@dataclass(frozen=True)
class Delivery:
    """What became of an alert on one way.

    Attributes:
        channel: webhook, e-mail or log.
        to: the host that took it, or did not.
        delivered: whether it did.
        problem: why not, in words that hold no address and no answer's text.
    """

    channel: str
    to: str
    delivered: bool
    problem: str = ""


def gate_closed(
    stage: str,
    run_id: str,
    as_of: datetime,
    failed: Iterable[tuple[str, str, Mapping[str, Fact]]],
) -> Alert:
    """The alert of a gate that did not let a stage pass.

    Args:
        stage: the stage.
        run_id: the run that built it.
        as_of: the run's moment, UTC.
        failed: of each check that failed the table, the name and what it observed.
    """
    findings = tuple(finding(table, name, observed) for table, name, observed in failed)
    return Alert(
        title=f"Tributary: the gate of stage {stage} is closed, {len(findings)} "
        f"check{'' if len(findings) == 1 else 's'} failed",
        facts={"stage": stage, "run": run_id, "as_of": f"{as_of.isoformat()}Z"},
        findings=findings,
        next_step="Nothing is published until it opens; readers keep the set that they have. "
        "Mend what the checks found, then run again.",
    )


def clusters_quarantined(
    run_id: str, as_of: datetime, clusters: Sequence[tuple[int, str, str, int]]
) -> Alert:
    """The alert of groups of identifiers that are implausible as one person.

    Args:
        clusters: of each its id, kind, sign, and how much of the sign it shows; the worst first.
    """
    shown = [
        f"{kind} {cluster_id}: {seen} {'given names' if sign == 'names' else sign}"
        for cluster_id, kind, sign, seen in clusters[:MOST_SHOWN]
    ]
    more = len(clusters) - len(shown)
    return Alert(
        title=f"Tributary: {len(clusters)} group{'' if len(clusters) == 1 else 's'} of identifiers "
        "implausible as one person",
        facts={"run": run_id, "as_of": f"{as_of.isoformat()}Z", "groups": len(clusters)},
        findings=(*shown, *([f"and {more} more"] if more else [])),
        next_step="What hangs together in them was joined by the stronger evidence alone. "
        "identity.quarantined_clusters lists them and identity.fct_rejected_edges what was left "
        "out; block the value, or say who is who with a label.",
        # A run that is killed while it tells is told of again.
        alert_id=uuid.uuid5(_OF_QUARANTINE, run_id).hex,
    )


def finding(table: str, name: str, observed: Mapping[str, Fact]) -> str:
    """A check that failed as people are told of it, with what it observed."""
    return f"{table} {name}" + (f" ({_told(observed)})" if observed else "")


def run_failed(run_id: str, steps: Iterable[str], as_of: datetime | None = None) -> Alert:
    """The alert of a run that failed, by the steps that did not finish."""
    facts: dict[str, Fact] = {"run": run_id}
    if as_of is not None:
        facts["as_of"] = f"{as_of.isoformat()}Z"
    return Alert(
        title="Tributary: a run has failed",
        facts=facts,
        findings=tuple(f"step {step}" for step in steps),
        next_step="Readers keep the set that they have. The run's page in the UI says why; the "
        "next run takes up where this one stopped.",
    )


def send_alert(settings: Settings, alert: Alert) -> tuple[Delivery, ...]:
    """Send an alert on every way that the settings name. Never raises: whoever calls has a failure
    of its own to report."""
    deliveries = []
    if settings.alert_webhook_url:
        deliveries.append(_by_webhook(settings.alert_webhook_url, alert))
    if settings.alert_email_to and settings.smtp_host:
        deliveries.append(_by_mail(settings, alert))
    if not any(delivery.delivered for delivery in deliveries):
        LOG.error("%s", alert.text)
        deliveries.append(Delivery("log", "", True))
    for delivery in deliveries:
        if not delivery.delivered:
            LOG.warning(
                "an alert did not get through by %s to %s: %s",
                delivery.channel,
                delivery.to,
                delivery.problem,
            )
    return tuple(deliveries)


def _told(observed: Mapping[str, Fact]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in observed.items())


# --- webhook --------------------------------------------------------------------------------------


class _Refused(Exception):
    """The receiver answered, and not with yes."""

    def __init__(self, status: int, retry_after: float | None) -> None:
        super().__init__(f"it answered {status}")
        self.status, self.retry_after = status, retry_after

    @property
    def passes(self) -> bool:
        return self.status in (408, 425, 429) or self.status >= 500


def _by_webhook(url: str, alert: Alert) -> Delivery:
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL:
        return Delivery("webhook", "?", False, "alert_webhook_url is no address")
    body = {
        # Slack, Mattermost and Teams show `text`; the rest is for receivers that read JSON.
        "text": alert.text,
        "title": alert.title,
        "facts": dict(alert.facts),
        "findings": list(alert.findings),
        "alert_id": alert.alert_id,
    }

    def post() -> None:
        answer = httpx.post(
            url,
            json=body,
            headers={"Idempotency-Key": alert.alert_id},
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
        )
        if not answer.is_success:
            raise _Refused(answer.status_code, _retry_after(answer))

    return _delivery("webhook", host, post)


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the receiver asks to wait; a date, which it may also send, is left aside."""
    try:
        return max(0.0, float(answer.headers.get("Retry-After", "")))
    except ValueError:
        return None


# --- e-mail ---------------------------------------------------------------------------------------


def _by_mail(settings: Settings, alert: Alert) -> Delivery:
    host = settings.smtp_host or ""
    message = EmailMessage()
    message["Subject"] = " ".join(alert.title.split())
    message["From"] = settings.alert_email_from
    message["To"] = ", ".join(settings.alert_email_to)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{alert.alert_id}@tributary>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(alert.text)

    def mail() -> None:
        with _mail_server(settings, host) as server:
            server.ehlo()
            if settings.smtp_tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            elif settings.smtp_tls == "if_offered" and server.has_extn("starttls"):
                server.starttls()
            if settings.smtp_user and settings.smtp_password:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            server.send_message(message)

    return _delivery("e-mail", host, mail)


def _mail_server(settings: Settings, host: str) -> smtplib.SMTP:
    if settings.smtp_tls == "tls":
        return smtplib.SMTP_SSL(
            host,
            settings.smtp_port,
            timeout=TIMEOUT_SECONDS,
            context=ssl.create_default_context(),
        )
    return smtplib.SMTP(host, settings.smtp_port, timeout=TIMEOUT_SECONDS)


# --- patience -------------------------------------------------------------------------------------


def _delivery(channel: str, host: str, send: Callable[[], None]) -> Delivery:
    try:
        Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception(_passes),
            reraise=True,
        )(send)
    except (_Refused, httpx.HTTPError, smtplib.SMTPException, OSError) as error:
        told = str(error) if isinstance(error, _Refused) else type(error).__name__
        return Delivery(channel, host, False, told)
    return Delivery(channel, host, True)


def _passes(error: BaseException) -> bool:
    """Whether trying again may help."""
    if isinstance(error, _Refused):
        return error.passes
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(400 <= code < 500 for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= error.smtp_code < 500
    if isinstance(error, ssl.SSLCertVerificationError):
        return False
    if isinstance(error, smtplib.SMTPException):
        return isinstance(error, smtplib.SMTPServerDisconnected)
    return isinstance(error, httpx.TransportError | OSError)


_growing = wait_random_exponential(multiplier=0.5, max=8)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, _Refused) else None
    return min(_growing(state) if asked is None else asked, LONGEST_WAIT_SECONDS)
