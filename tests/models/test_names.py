"""The names that rows tell are columns, from wherever senders put them.

Belongs here: what staging reads as a name, in events, contacts and the versions of contacts. Does
not belong here: whose name it is (`tests/identity`), or which name a profile shows (unit tests of
models).
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.models.deployment import Deployment

pytestmark = pytest.mark.integration

ANN = {"firstName": "Ann", "lastName": "Lee", "name": "Ann Lee"}
ALL_OF_ANN = ("Ann", "Lee", "Ann Lee")
NOBODY = (None, None, None)

MESSAGES: dict[str, tuple[dict[str, Any], tuple[str | None, str | None, str | None]]] = {
    "traits": ({"type": "identify", "traits": ANN}, ALL_OF_ANN),
    "traits of the context": ({"type": "identify", "context": {"traits": ANN}}, ALL_OF_ANN),
    "traits of the context of a track call": (
        {"type": "track", "context": {"traits": ANN}},
        ALL_OF_ANN,
    ),
    "words with underscores": (
        {"type": "identify", "traits": {"first_name": "Ann", "last_name": "Lee"}},
        ("Ann", "Lee", None),
    ),
    "words with underscores in the context": (
        {"type": "identify", "context": {"traits": {"first_name": "Ann", "last_name": "Lee"}}},
        ("Ann", "Lee", None),
    ),
    "both places": (
        {
            "type": "identify",
            "traits": {"firstName": "Ann", "lastName": ""},
            "context": {"traits": {"firstName": "Bea", "lastName": "Lee"}},
        },
        ("Ann", "Lee", None),
    ),
    "what is no name before what is one": (
        {
            "type": "identify",
            "traits": {"firstName": {"given": "Bea"}, "first_name": "Ann"},
            "context": {"traits": {"name": "Ann Lee"}},
        },
        ("Ann", None, "Ann Lee"),
    ),
    "a company's traits": ({"type": "group", "groupId": "g", "traits": {"name": "Acme"}}, NOBODY),
    "a company's traits, in capitals": ({"type": "Group", "traits": {"name": "Acme"}}, NOBODY),
    "a person in a company": (
        {"type": "group", "traits": {"name": "Acme"}, "context": {"traits": ANN}},
        ALL_OF_ANN,
    ),
    "no names": ({"type": "identify", "name": "Home", "properties": ANN}, NOBODY),
}

NO_NAMES: dict[str, Any] = {
    "an object": {"first": "Ann"},
    "an empty object": {},
    "a list": ["Ann"],
    "a number": 17,
    "a negative number": -1.5,
    "a large number": 1e300,
    "a boolean": True,
    "a blank": "  ",
    "an empty text": "",
    "nothing": None,
}
NAMES = (
    *("Ann", "  Ann ", "Ærøskøbing", "李", "{Ann}", "[Ann]", '{"a": 1}', "17", "-1", "true"),
    *("O'Neil", '"Ann"', "'t Hooft", "de la Cruz", "\\Ann", "|", "\N{OWL}"),
)

SOURCES = {
    "web": {"events": {"files": "*.ndjson", "format": "segment"}},
    "desk": {
        "people": {
            "files": "people.ndjson",
            "format": "ndjson",
            "key": ["no"],
            "version": "at",
            "maps": [
                {
                    "entity": "contacts",
                    "columns": {
                        "contact_id": "no",
                        "first_name": "given",
                        "last_name": "surname",
                        "full_name": "called",
                        "updated_at": "at",
                    },
                }
            ],
        },
        "letters": {
            "files": "letters.ndjson",
            "format": "ndjson",
            "key": ["no"],
            "maps": [
                {
                    "entity": "events",
                    "columns": {
                        "event_type": {"value": "track"},
                        "email": "from",
                        "full_name": "signed",
                        "first_name": {"sql": "split_part(signed, ' ', 1)"},
                        "occurred_at": "at",
                    },
                }
            ],
        },
    },
}

PEOPLE = (
    {"no": "1", "given": "Ann", "surname": " Lee ", "at": "2026-06-01 12:00:00"},
    {"no": "1", "given": "Ann", "surname": "Moss", "at": "2026-06-02 12:00:00"},
    {"no": "2", "called": "Bo Ek", "at": "2026-06-01 12:00:00"},
)
LETTER = {"no": "l", "from": "bo@example.com", "signed": "Bo Ek", "at": "2026-06-01 12:00:00"}


def message(case: str, **told: Any) -> dict[str, Any]:
    return {
        "messageId": case,
        "anonymousId": f"device of {case}",
        "timestamp": "2026-06-01T12:00:00Z",
        **told,
    }


def odd(case: str, value: Any) -> dict[str, Any]:
    return message(case, type="identify", traits=dict.fromkeys(ANN, value))


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    home: Path = tmp_path_factory.mktemp("names")
    files: dict[str, list[dict[str, Any]]] = {
        "web/events.ndjson": [
            *(message(case, **told) for case, (told, _) in MESSAGES.items()),
            *(odd(f"no name: {case}", value) for case, value in NO_NAMES.items()),
            *(odd(f"name: {name}", name) for name in NAMES),
        ],
        "desk/people.ndjson": list(PEOPLE),
        "desk/letters.ndjson": [LETTER],
    }
    for name, rows in files.items():
        path = home / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sources = {
        name: {
            "description": "A source of a test.",
            "kind": "files",
            "owner": "tests@example.org",
            "purpose": "contract",
            "fresh_within": "1 day",
            "options": {"location": f"{{home}}/landing/{name}", "settle": "0 seconds"},
            "streams": streams,
        }
        for name, streams in SOURCES.items()
    }
    config = home / "config"
    config.mkdir()
    (config / "sources.yml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    made = Deployment(home, config)
    made.run(datetime(2026, 6, 30), stages=["staging"])
    return made


def names_of(staged: Deployment, message_id: str) -> tuple[Any, ...]:
    [(device, *names)] = staged.rows(
        "SELECT anonymous_id, first_name, last_name, full_name FROM staging.int_events "
        f"WHERE message_id = '{message_id.replace(chr(39), chr(39) * 2)}'"
    )
    assert device == f"device of {message_id}"
    return tuple(names)


@pytest.mark.parametrize("case", MESSAGES)
def test_names_of_a_message_are_those_of_the_person_s_traits(staged: Deployment, case: str) -> None:
    assert names_of(staged, case) == MESSAGES[case][1]


@pytest.mark.parametrize("case", NO_NAMES)
def test_what_is_no_text_is_no_name(staged: Deployment, case: str) -> None:
    """Else everybody whose sender writes `{}` for no name would share one."""
    assert names_of(staged, f"no name: {case}") == NOBODY


@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_a_name_whatever_it_looks_like(staged: Deployment, name: str) -> None:
    assert names_of(staged, f"name: {name}".strip()) == (name.strip(),) * 3


def test_an_event_of_a_table_has_the_names_that_are_mapped(staged: Deployment) -> None:
    assert staged.rows(
        "SELECT email, first_name, last_name, full_name FROM staging.int_events "
        "WHERE source = 'desk'"
    ) == [("bo@example.com", "Bo", None, "Bo Ek")]


def test_a_contact_has_its_names_of_now_and_its_versions_those_of_then(staged: Deployment) -> None:
    names = "SELECT contact_id, first_name, last_name, full_name FROM staging"
    assert staged.rows(f"{names}.int_contacts ORDER BY 1") == [
        ("1", "Ann", "Moss", None),
        ("2", None, None, "Bo Ek"),
    ]
    assert staged.rows(f"{names}.int_contact_versions ORDER BY landing_number") == [
        ("1", "Ann", "Lee", None),
        ("1", "Ann", "Moss", None),
        ("2", None, None, "Bo Ek"),
    ]
