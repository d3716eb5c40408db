"""Contacts of a paginated API: all pages, under rate limits and failures, each version once.

Belongs here: the `rest_api` kind against a server on loopback. Does not belong here: how contacts
are staged.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from ingestion import rest
from ingestion.addresses import ForbiddenAddress, check_address
from ingestion.failures import SourceFailed
from tests.ingestion.landing import AS_OF, Landing
from tests.services.contacts_api import PAGE, TOKEN, ContactsApi, Fault

BY_PARAMETER = {
    "params": {
        "since": {
            "type": "incremental",
            "cursor_path": "updated_at",
            "initial_value": "2026-01-01",
        }
    }
}
BY_ITSELF = {
    "incremental": {
        "start_param": "since",
        "cursor_path": "updated_at",
        "initial_value": "2026-01-01",
    }
}


def contact(number: int, **changes: Any) -> dict[str, Any]:
    """A contact as a CRM's API tells it."""
    row = {
        "id": str(number),
        "updated_at": f"2026-06-{1 + number % 28:02d}T10:00:00Z",
        "properties": {"email": f"c{number}@example.org", "firstname": "Zoë"},
    }
    return {**row, **changes}


@pytest.fixture
def crm(tmp_path: Path, contacts_api: ContactsApi, monkeypatch: pytest.MonkeyPatch) -> Landing:
    """A home whose source `crm` is the API, its token in the environment."""
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    landing = Landing(tmp_path / "home")
    declare(landing, contacts_api.url)
    return landing


def declare(
    landing: Landing, url: str, endpoint: dict[str, Any] | None = None, **options: Any
) -> None:
    given = {
        "base_url": url,
        "auth": {"type": "bearer", "token": {"env": "CRM_TOKEN"}},
        "allow_private": True,
        **options,
    }
    stream = {
        "endpoint": {
            "path": "contacts",
            "data_selector": "results",
            "paginator": {"type": "json_link", "next_url_path": "paging.next"},
            **(endpoint or {}),
        },
        "key": ["id"],
        "version": "updated_at",
        "maps": [
            {
                "entity": "contacts",
                "columns": {
                    "contact_id": "id",
                    "email": "properties.email",
                    "first_name": "properties.firstname",
                    "updated_at": "updated_at",
                },
            }
        ],
    }
    landing.declare("crm", "rest_api", given, contacts=stream)


def test_every_page_lands_and_each_version_of_a_contact_once(
    crm: Landing, contacts_api: ContactsApi
) -> None:
    contacts_api.contacts = [contact(number) for number in range(2 * PAGE + 7)]
    assert crm.land("crm").rows_landed == 2 * PAGE + 7
    assert crm.payloads("crm") == contacts_api.contacts
    again = crm.land("crm")
    assert (again.rows_landed, again.rows_duplicate) == (0, 2 * PAGE + 7)
    contacts_api.contacts[3] = contact(3, updated_at="2026-06-29T00:00:00Z")
    assert crm.land("crm").rows_landed == 1


def test_an_api_without_any_row_lands_nothing(crm: Landing) -> None:
    assert crm.land("crm").rows_read == 0


def test_a_server_that_asks_for_patience_gets_it(crm: Landing, contacts_api: ContactsApi) -> None:
    contacts_api.contacts = [contact(number) for number in range(PAGE + 1)]
    contacts_api.fail(Fault(429, {"Retry-After": "2"}), page=2)
    assert crm.land("crm").rows_landed == PAGE + 1
    refused, served = contacts_api.asked[-2:]
    assert (refused[3], served[3]) == (429, 200)
    assert served[0] - refused[0] >= 2


def test_a_date_is_a_retry_after_too(crm: Landing, contacts_api: ContactsApi) -> None:
    contacts_api.contacts = [contact(1)]
    later = datetime.now(UTC) + timedelta(seconds=3)
    contacts_api.fail(Fault(503, {"Retry-After": format_datetime(later, usegmt=True)}))
    assert crm.land("crm").rows_landed == 1
    refused, served = contacts_api.asked
    assert served[0] - refused[0] >= 1.5


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failure_that_passes_is_waited_out(
    crm: Landing, contacts_api: ContactsApi, status: int
) -> None:
    contacts_api.contacts = [contact(1)]
    contacts_api.fail(Fault(status), Fault(status))
    assert crm.land("crm").rows_landed == 1
    assert [asked[3] for asked in contacts_api.asked] == [status, status, 200]


def test_a_failure_that_stays_ends_the_landing_and_the_next_one_takes_all(
    crm: Landing, contacts_api: ContactsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "ATTEMPTS", 3)
    contacts_api.contacts = [contact(number) for number in range(PAGE + 5)]
    contacts_api.fail(*[Fault(500)] * 3, page=2)
    with pytest.raises(SourceFailed, match=r"source crm.*answered 500"):
        crm.land("crm")
    assert [asked[3] for asked in contacts_api.asked] == [200, 500, 500, 500]
    assert crm.landed("crm") == 0
    assert crm.land("crm").rows_landed == PAGE + 5


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_no_retry_can_mend_is_not_tried_again(
    crm: Landing, contacts_api: ContactsApi, status: int
) -> None:
    contacts_api.contacts = [contact(1)]
    contacts_api.fail(Fault(status))
    with pytest.raises(SourceFailed, match=f"answered {status}"):
        crm.land("crm")
    assert len(contacts_api.asked) == 1


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(
    crm: Landing, contacts_api: ContactsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(rest, "ATTEMPTS", 2)
    contacts_api.contacts = [contact(1)]
    contacts_api.fail(Fault(after_seconds=3), Fault(after_seconds=3))
    with pytest.raises(SourceFailed, match=r"source crm.*did not answer in time"):
        crm.land("crm")


def test_a_page_that_is_not_json_says_so(crm: Landing, contacts_api: ContactsApi) -> None:
    contacts_api.fail(Fault(200, {"Content-Type": "text/html"}, b"<h1>Please log in</h1>"))
    with pytest.raises(SourceFailed, match=r"source crm.*no JSON") as caught:
        crm.land("crm")
    assert "log in" not in str(caught.value)


def test_an_answer_without_the_rows_that_were_declared_says_so(
    crm: Landing, contacts_api: ContactsApi
) -> None:
    contacts_api.fail(Fault(200, body=b'{"data": [{"id": "1"}]}'))
    with pytest.raises(SourceFailed, match=r"source crm.*results"):
        crm.land("crm")


def test_rows_that_break_their_contract_cost_no_other(
    crm: Landing, contacts_api: ContactsApi
) -> None:
    contacts_api.contacts = [
        contact(1),
        contact(2, updated_at="soon"),
        contact(3, id=None),
        contact(4, properties={"email": "a\x00b"}),
        [1, 2],
        contact(5, properties={"email": "\ud800"}),
        contact(6),
    ]
    report = crm.land("crm")
    assert report.rows_landed == 2
    assert crm.reasons() == {
        "type_mismatch": 1,
        "missing_key": 1,
        "nul_byte": 1,
        "not_an_object": 1,
        "invalid_utf8": 1,
    }


def test_only_news_are_asked_for_where_the_api_can_tell_them(
    tmp_path: Path, contacts_api: ContactsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    landing = Landing(tmp_path / "home")
    declare(landing, contacts_api.url, BY_ITSELF)
    contacts_api.contacts = [contact(number) for number in range(20)]
    assert landing.land("crm").rows_landed == 20
    contacts_api.contacts.append(contact(99, updated_at="2026-06-29T10:00:00Z"))
    # Another row of the very moment up to which news are known.
    contacts_api.contacts.append(contact(98, updated_at="2026-06-20T10:00:00Z"))
    assert landing.land("crm").rows_landed == 2
    assert contacts_api.asked[-1][2]["since"] == "2026-06-20T10:00:00Z"


NEWS = pytest.mark.parametrize("news", [BY_PARAMETER, BY_ITSELF], ids=["parameter", "incremental"])


@NEWS
@pytest.mark.parametrize(
    "odd",
    [
        {"updated_at": None},
        {},
        {"updated_at": 7},
        {"updated_at": "9999-12-31"},
        {"updated_at": "z"},
    ],
    ids=["null", "missing", "number", "far", "no time"],
)
def test_a_row_with_an_odd_time_costs_no_other_and_hides_no_news(
    crm: Landing, contacts_api: ContactsApi, news: dict[str, Any], odd: dict[str, Any]
) -> None:
    declare(crm, contacts_api.url, news)
    # The odd one is first of its page, so that nothing else has been seen.
    row = {key: value for key, value in contact(1).items() if key != "updated_at"} | odd
    contacts_api.contacts = [row, *(contact(number) for number in range(2, 20))]
    is_refused = odd in ({"updated_at": 7}, {"updated_at": "z"})
    report = crm.land("crm")
    assert (report.rows_read, report.rows_quarantined) == (19, int(is_refused))
    contacts_api.contacts.append(contact(99, updated_at="2026-06-29T10:00:00Z"))
    assert crm.land("crm").rows_landed == 1
    assert contacts_api.asked[-1][2]["since"] == "2026-06-20T10:00:00Z"
    if not is_refused:
        assert row in crm.payloads("crm")


def test_a_first_value_of_another_type_than_all_cursors_is_told(
    crm: Landing, contacts_api: ContactsApi
) -> None:
    """Else everything would be read at every run, as duplicates and without a word."""
    declare(crm, contacts_api.url, BY_ITSELF)
    contacts_api.contacts = [contact(n, updated_at=3_000_000_000 + n) for n in range(30)]
    with pytest.raises(SourceFailed, match="`initial_value` is '2026-01-01'"):
        crm.land("crm")


def test_a_cursor_in_an_object_that_lies_ahead_hides_no_news(
    crm: Landing, contacts_api: ContactsApi
) -> None:
    news = {**BY_ITSELF["incremental"], "cursor_path": "properties.changed"}
    declare(crm, contacts_api.url, {"incremental": news})
    odd = contact(1, properties={"changed": "9999-12-31T00:00:00Z"})
    usual = contact(2, properties={"changed": "2026-06-03T00:00:00Z"})
    contacts_api.contacts = [odd, usual]
    assert crm.land("crm").rows_landed == 2
    assert crm.payloads("crm") == [odd, usual]
    crm.land("crm")
    assert contacts_api.asked[-1][2]["since"] == "2026-06-03T00:00:00Z"


@NEWS
def test_a_range_of_days_is_read_again(
    tmp_path: Path,
    contacts_api: ContactsApi,
    monkeypatch: pytest.MonkeyPatch,
    news: dict[str, Any],
) -> None:
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    landing = Landing(tmp_path / "home")
    declare(landing, contacts_api.url, news)
    contacts_api.contacts = [contact(number) for number in range(20)]
    landing.land("crm")
    # A row that came into being behind the place up to which news are known.
    contacts_api.contacts.append(contact(77, updated_at="2026-06-05T11:00:00Z"))
    assert landing.land("crm").rows_landed == 0
    report = landing.land("crm", since=datetime(2026, 6, 5), until=datetime(2026, 6, 6))
    assert report.rows_landed == 1
    # A day is told as the declaration tells the first one.
    assert contacts_api.asked[-1][2]["since"] == "2026-06-05"
    landing.land("crm")
    assert contacts_api.asked[-1][2]["since"] == "2026-06-20T10:00:00Z"
    contacts_api.contacts.append(contact(78, updated_at="2026-06-04T11:00:00Z"))
    contacts_api.contacts.append(contact(79, updated_at="2026-06-29T11:00:00Z"))
    report = landing.land("crm", until=datetime(2026, 6, 5, 12))
    # The five first days of all contacts, and what was put into them behind the API's back.
    assert (report.rows_read, report.rows_landed) == (5 + 2, 1)


@pytest.mark.parametrize(
    ("like", "told"),
    [
        (None, "2026-06-05T00:00:00"),
        ("2026-01-01", "2026-06-05"),
        ("2026-01-01T00:00:00Z", "2026-06-05T00:00:00Z"),
        ("2026-01-01T00:00:00+00:00", "2026-06-05T00:00:00+00:00"),
        (0, 1780617600),
        (1_700_000_000_000, 1780617600000),
    ],
)
def test_a_range_begins_in_the_form_of_the_declaration(like: Any, told: Any) -> None:
    news = {"cursor_path": "changed", "start_param": "since", "initial_value": like}
    bounded = rest._endpoint(
        {"path": "contacts", "incremental": news}, AS_OF, datetime(2026, 6, 5), None
    )
    assert bounded["incremental"]["initial_value"] == told


def test_the_token_is_nowhere_but_in_the_request(
    crm: Landing,
    contacts_api: ContactsApi,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(rest, "ATTEMPTS", 2)
    contacts_api.contacts = [contact(number) for number in range(3)]
    crm.land("crm")
    contacts_api.fail(Fault(500, body=TOKEN.encode()), Fault(500, body=TOKEN.encode()))
    with pytest.raises(SourceFailed) as caught:
        crm.land("crm")
    contacts_api.fail(Fault(403, body=TOKEN.encode()))
    with pytest.raises(SourceFailed) as refused:
        crm.land("crm")
    assert TOKEN not in f"{caught.value!r} {refused.value!r} {caplog.text}"
    assert caught.value.__cause__ is None
    holding = [
        path
        for path in crm.home.rglob("*")
        if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert holding == []


def test_a_key_in_the_address_is_not_told_in_an_error(
    crm: Landing, contacts_api: ContactsApi
) -> None:
    auth = {"type": "api_key", "name": "key", "location": "query", "api_key": {"env": "CRM_TOKEN"}}
    declare(crm, contacts_api.url, auth=auth)
    contacts_api.fail(Fault(403))
    with pytest.raises(SourceFailed, match="answered 403") as caught:
        crm.land("crm")
    assert contacts_api.asked[0][2]["key"] == TOKEN
    assert TOKEN not in str(caught.value)


# --- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8080/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://user@127.0.0.1/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "http:///nowhere",
        "",
    ],
)
def test_an_address_inside_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddress):
        check_address(url, allow_private=False)


def test_a_public_address_is_allowed() -> None:
    check_address("https://93.184.215.14/contacts", allow_private=False)


def test_a_source_must_say_that_it_means_an_address_inside(
    tmp_path: Path, contacts_api: ContactsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    landing = Landing(tmp_path / "home")
    declare(landing, contacts_api.url, allow_private=False)
    with pytest.raises(ForbiddenAddress, match="allow_private"):
        landing.land("crm")
    assert contacts_api.asked == []


@pytest.mark.parametrize("leads_to", ["redirect", "next page"])
def test_an_api_cannot_lead_the_way_inside(
    tmp_path: Path,
    contacts_api: ContactsApi,
    monkeypatch: pytest.MonkeyPatch,
    leads_to: str,
) -> None:
    """The API itself counts as public here; what it points to does not."""
    monkeypatch.setenv("CRM_TOKEN", TOKEN)

    def guard(url: str, *, allow_private: bool) -> None:
        if not url.startswith(contacts_api.url):
            check_address(url, allow_private=allow_private)

    monkeypatch.setattr(rest, "check_address", guard)
    inside = "http://127.0.0.1:9/latest/meta-data"
    landing = Landing(tmp_path / "home")
    declare(landing, contacts_api.url, allow_private=False)
    contacts_api.fail(
        Fault(302, {"Location": inside})
        if leads_to == "redirect"
        else Fault(body=b'{"results": [], "paging": {"next": "%s"}}' % inside.encode())
    )
    with pytest.raises(SourceFailed, match="not public"):
        landing.land("crm")
    assert len(contacts_api.asked) == 1
