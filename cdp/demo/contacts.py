"""What the customer relations team keeps: contacts, some of them twice, and consents.

Belongs here: rows of the CRM's exports and of the consent log, with who they are about. Does not
belong here: the shop's own accounts (`commerce`).
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np

from cdp.demo.behaviour import Events
from cdp.demo.commerce import Commerce
from cdp.demo.messages import iso, text
from cdp.demo.people import DAY, Kind, Person, Population, Window

COLUMNS = [
    "Id",
    "FirstName",
    "LastName",
    "Email",
    "MobilePhone",
    "MailingStreet",
    "MailingCity",
    "MailingPostalCode",
    "MailingState",
    "MailingCountryCode",
    "Birthdate",
    "PreferredLanguage",
    "AccountName",
    "CreatedDate",
    "LastModifiedDate",
    "IsDeleted",
    "DeletedDate",
    "MasterRecordId",
]
PURPOSES = ("analytics", "email_marketing", "ads")


@dataclass(frozen=True)
class Row:
    """One line of a file, with what is known about it."""

    key: str
    line: str
    person_id: str
    determined: bool = True
    outcome: str = "landed"
    reason: str | None = None


def csv_line(values: list[str]) -> str:
    """One CSV line."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()


def _typo(rng: np.random.Generator, word: str) -> str:
    """Two neighbouring letters swapped, or one lost."""
    if len(word) < 3:
        return word + word[-1:]
    at = int(rng.integers(0, len(word) - 1))
    if rng.random() < 0.5 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :]


def _mail_typo(rng: np.random.Generator, email: str) -> str:
    """A typo in the name; the number in it stays, so that it is nobody else's address."""
    name, _, rest = email.partition(".")
    return f"{_typo(rng, name)}.{rest}".lower()


def _wrong_phone(person: Person) -> str:
    """A number with one wrong digit, which by its check digit is nobody's."""
    last = (int(person.phone[-1]) + 3) % 10
    return person.country.dial + person.phone[:-1] + str(last)


def _contact(person: Person, row_id: str, created: int, modified: int, **changed: str) -> list[str]:
    city, region, postal_code = person.city
    values = {
        "Id": row_id,
        "FirstName": person.given_name,
        "LastName": person.family_name,
        "Email": person.email,
        "MobilePhone": person.national_phone,
        "MailingStreet": person.street,
        "MailingCity": city,
        "MailingPostalCode": postal_code,
        "MailingState": region,
        "MailingCountryCode": person.country.code,
        "Birthdate": person.born_on,
        "PreferredLanguage": person.country.language,
        "AccountName": person.company or "",
        "CreatedDate": iso(created),
        "LastModifiedDate": iso(modified),
        "IsDeleted": "false",
        **changed,
    }
    return [values.get(column, "") for column in COLUMNS]


@dataclass(frozen=True)
class Crm:
    """The CRM's exports of one chunk: the whole list, and what changed since."""

    first_export: list[Row]
    second_export: list[Row]


def keep_contacts(
    rng: np.random.Generator, population: Population, commerce: Commerce, window: Window, chunk: int
) -> Crm:
    """Draw the CRM's contacts: some twice, with typos, merged or not."""
    has_email_elsewhere = {order.person_id for order in commerce.orders if order.email}
    first: list[Row] = []
    second: list[Row] = []
    number = 0

    def next_id() -> str:
        nonlocal number
        number += 1
        return f"003{chunk:05d}{number:07d}"

    for person in population.people:
        draw = rng.random(4)
        if person.kind is Kind.REGISTERED:
            listed = draw[0] < 0.45
        elif person.kind is Kind.GUEST:
            listed = draw[0] < 0.3 and person.person_id in has_email_elsewhere
        elif person.kind is Kind.STORE:
            listed = draw[0] < 0.6
        else:
            listed = False
        if not listed:
            continue
        created = window.start - int(draw[1] * 400 * DAY)
        changed_at = window.start + int(draw[2] * 0.6 * (window.end - window.start))
        row_id = next_id()
        loud = {"Email": person.email.upper()} if draw[3] < 0.15 else {}
        values = _contact(person, row_id, created, changed_at, **loud)
        first.append(Row(row_id, csv_line(values), person.person_id))
        fate = rng.random()
        if fate < 0.05:
            # The second export repeats what did not change, and brings the changes.
            second.append(Row(row_id, csv_line(values), person.person_id, outcome="duplicate"))
        elif fate < 0.1:
            later = _contact(person, row_id, created, window.end - 2 * DAY, MailingCity="Moved")
            second.append(Row(row_id, csv_line(later), person.person_id))
        elif fate < 0.115:
            gone = iso(window.end - 3 * DAY)
            deleted = _contact(
                person, row_id, created, window.end - 3 * DAY, IsDeleted="true", DeletedDate=gone
            )
            second.append(Row(row_id, csv_line(deleted), person.person_id))
        if rng.random() < 0.12:
            first.append(_double(rng, person, row_id, next_id(), created, changed_at))
    if first:
        second += _broken_contacts(first)
    return Crm(first, second)


def _double(
    rng: np.random.Generator, person: Person, row_id: str, other_id: str, created: int, changed: int
) -> Row:
    """The same person once more, as somebody typed it in again."""
    names = {
        "FirstName": _typo(rng, person.given_name),
        "LastName": person.family_name,
        "Birthdate": "",
    }
    way = rng.random()
    determined = True
    if way < 0.35:
        # The phone still tells.
        names["Email"] = _mail_typo(rng, person.email)
        names["MobilePhone"] = person.e164
    elif way < 0.7:
        # The address still tells.
        names["Email"] = person.email.capitalize()
        names["MobilePhone"] = ""
    elif way < 0.9:
        # Only the CRM's own merge tells.
        names["Email"] = _mail_typo(rng, person.email)
        names["MobilePhone"] = _wrong_phone(person)
        names["MasterRecordId"] = row_id
    else:
        # Nothing tells but likeness.
        names["Email"] = _mail_typo(rng, person.email)
        names["MobilePhone"] = _wrong_phone(person)
        determined = False
    values = _contact(person, other_id, created, changed, **names)
    return Row(other_id, csv_line(values), person.person_id, determined)


def _broken_contacts(rows: list[Row]) -> list[Row]:
    """Contacts that no export should hold: one without an id, one version that says two things."""
    values = next(csv.reader([rows[0].line]))
    without_id = ["", *values[1:]]
    contradiction = list(values)
    contradiction[COLUMNS.index("MailingStreet")] = "Somewhere else 1"
    nobody = rows[0].person_id
    return [
        Row("", csv_line(without_id), nobody, False, "quarantined", "missing_key"),
        Row(rows[0].key, csv_line(contradiction), nobody, False, "quarantined", "key_conflict"),
    ]


def keep_consents(
    rng: np.random.Generator, population: Population, events: Events, window: Window, chunk: int
) -> list[Row]:
    """Draw consents given, refused and withdrawn, one purpose at a time."""
    seen = np.full(len(population.people), window.end)
    np.minimum.at(seen, events.person, events.at)
    rows: list[Row] = []

    def record(person: Person, purpose: str, state: str, at: int) -> None:
        by_user = person.user_id is not None and rng.random() < 0.5
        email = person.email.upper() if rng.random() < 0.1 else person.email
        key = f"cr-{chunk:04d}-{len(rows):07d}"
        entry = {
            "record": key,
            "subject": {
                "type": "user_id" if by_user else "email",
                "value": person.user_id if by_user else email,
            },
            "purpose": purpose,
            "decision": state,
            "at": iso(at),
            "law": "CCPA" if person.country.code == "US" else "GDPR",
            "notice": "2026-01" if at % 2 else "2025-06",
            "how": "web_form" if by_user else "email_link",
        }
        rows.append(Row(key, text(entry) + "\n", person.person_id))

    for row, person in enumerate(population.people):
        if person.kind not in (Kind.REGISTERED, Kind.GUEST, Kind.STORE):
            continue
        if rng.random() > 0.7:
            continue
        start = max(window.start, min(int(seen[row]), window.end - 1_000))
        for purpose in PURPOSES:
            way = rng.random()
            if way < 0.15:
                continue
            at = start + int(rng.random() * 0.5 * (window.end - start))
            record(person, purpose, "granted" if way < 0.8 else "denied", at)
            if way < 0.25:
                withdrawn = at + int(rng.random() * (window.end - at))
                record(person, purpose, "withdrawn", withdrawn)
                if way < 0.18:
                    again = withdrawn + int(rng.random() * (window.end - withdrawn))
                    record(person, purpose, "granted", again)
    for line, reason in (
        ('{"record":"cr-broken-1","purpose":', "malformed_json"),
        ('["ads"]', "not_an_object"),
        (text({"purpose": "ads", "decision": "granted"}), "missing_key"),
    ):
        rows.append(Row("", line + "\n", "", False, "quarantined", reason))
    return rows
