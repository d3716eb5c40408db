"""Answers of an API that are odd: a row costs no other, and a server is left alone when it asks.

Belongs here: rows and headers that a well-behaved API does not send. Does not belong here: paging,
addresses and secrets (`test_rest_api`).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from ingestion.failures import SourceFailed
from tests.ingestion.landing import Landing
from tests.ingestion.test_rest_api import contact, declare
from tests.services.contacts_api import TOKEN, ContactsApi, Fault
from tests.services.sleeping import waits_without_waiting


@pytest.fixture
def crm(tmp_path: Path, contacts_api: ContactsApi, monkeypatch: pytest.MonkeyPatch) -> Landing:
    """A home whose source `crm` is the API."""
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    landing = Landing(tmp_path / "home")
    declare(landing, contacts_api.url)
    return landing


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited for anything, without any waiting."""
    return waits_without_waiting(monkeypatch)


def told(number: int, more: bytes) -> bytes:
    """A contact as the API writes it, with a member written by hand at its end."""
    return json.dumps(contact(number)).encode()[:-1] + b", " + more + b"}"


ODD = {
    "objects 5,000 deep": (b'"x": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "too_deep"),
    "lists 5,000 deep": (b'"x": ' + b"[" * 5_000 + b"]" * 5_000, "too_deep"),
    "a key that stands twice": (b'"id": "0"', "duplicate_key_in_object"),
    "bytes that are no text": (b'"x": "\xff"', "invalid_utf8"),
    "a number that is none": (b'"x": NaN', "malformed_json"),
}


def test_an_odd_row_costs_no_other_of_its_page(crm: Landing, contacts_api: ContactsApi) -> None:
    rows = [told(number, more) for number, (more, _) in enumerate(ODD.values())]
    good = [contact(100), contact(101)]
    page = [json.dumps(good[0]).encode(), *rows, json.dumps(good[1]).encode()]
    contacts_api.fail(Fault(body=b'{"results": [' + b", ".join(page) + b"]}"))
    report = crm.land("crm")
    assert (report.rows_read, report.rows_landed) == (len(page), 2)
    assert crm.payloads("crm") == good
    kept_out = crm.rows("SELECT raw_bytes, reason FROM raw.quarantine ORDER BY position")
    assert kept_out == [(row, ODD[case][1]) for row, case in zip(rows, ODD, strict=True)]
    contacts_api.contacts = [contact(102)]
    assert crm.land("crm").rows_landed == 1


def test_numbers_stay_numbers_with_all_their_digits(
    crm: Landing, contacts_api: ContactsApi
) -> None:
    digits = b'"score": 0.10, "points": 12345678901234567890123, "tiny": 1.50E-400, "long": ' + (
        b"7" * 5_000
    )
    contacts_api.fail(Fault(body=b'{"results": [' + told(1, digits) + b"]}"))
    crm.land("crm")
    ((payload,),) = crm.rows("SELECT payload FROM raw.crm")
    assert payload == told(1, digits).decode()


@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (503, "date")])
def test_a_server_that_asks_for_more_patience_than_a_run_has_is_left_alone(
    crm: Landing, contacts_api: ContactsApi, waited: list[float], status: int, form: str
) -> None:
    contacts_api.contacts = [contact(1)]
    until = datetime.now(UTC) + timedelta(hours=1)
    asked = "3600" if form == "seconds" else format_datetime(until, usegmt=True)
    contacts_api.fail(Fault(status, {"Retry-After": asked}))
    with pytest.raises(SourceFailed, match=r"source crm.*left alone until .* UTC") as caught:
        crm.land("crm")
    assert len(contacts_api.asked) == 1
    assert not any(waited)
    said = re.findall(r"until ([-\d]+ [:\d]+) UTC", str(caught.value))
    assert abs(datetime.fromisoformat(said[0]).replace(tzinfo=UTC) - until) < timedelta(minutes=1)


@pytest.mark.parametrize("asked", ["9" * 400, "²"])
def test_a_retry_after_that_means_nothing_breaks_nothing(
    crm: Landing, contacts_api: ContactsApi, waited: list[float], asked: str
) -> None:
    contacts_api.contacts = [contact(1)]
    contacts_api.fail(Fault(429, {"Retry-After": asked}))
    if asked.isascii() and asked.isdigit():
        with pytest.raises(SourceFailed, match="left alone"):
            crm.land("crm")
    else:
        assert crm.land("crm").rows_landed == 1
    assert all(seconds <= 120 for seconds in waited)
