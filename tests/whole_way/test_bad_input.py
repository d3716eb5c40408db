"""Bad input on the whole way: it is landed or kept out, and costs nobody else their segment.

Belongs here: what a deployment makes of hostile rows and hostile declarations from landing to the
published set, and that the next run of the process stands on firm ground. Does not belong here:
which row is refused for which reason (`tests/ingestion`, whose cases these are).
"""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

import pytest
import yaml

from cdp.warehouse.readers import open_reader
from cdp.warehouse.store import open_warehouse
from orchestration.running import Outcome, run_job
from tests.ingestion.landing import Landing, event, lines
from tests.ingestion.test_bad_input import HOSTILE_TEXTS, LANDS, REFUSED

pytestmark = pytest.mark.integration

ATTACKS = {
    "sql": "'; DROP TABLE raw.web; --",
    "jinja": "{{ 1/0 }}{% raw %}{# {{ env_var('HOME') }}",
    "yaml": "!!python/object/apply:os.system ['true']",
    "quotes": "\"''\"\\",
}
"""Texts that mean something to one of the languages that a declaration is written into."""

NEIGHBOUR, CONTACT = "Neighbour Seen", "contact-{}"
NEIGHBOURS_OF_FILES = [
    event(40_000 + number, event=NEIGHBOUR, anonymousId=f"neighbour-of-file-{number}")
    for number in range(2)
]
ODD_FILES = {
    "begins with a mark.ndjson": b"\xef\xbb\xbf" + lines(NEIGHBOURS_OF_FILES[0]),
    "in UTF-16.ndjson": lines(NEIGHBOURS_OF_FILES[1]).decode().encode("utf-16"),
    "broken off.ndjson.gz": gzip.compress(lines(event(41_000)))[:-12],
}
FATES_OF_FILES = {
    "begins with a mark.ndjson": ["landed"],
    "in UTF-16.ndjson": ["landed"],
    "broken off.ndjson.gz": ["truncated_file"],
}
CASES = {**{case: row for case, (row, _) in REFUSED.items()}, **LANDS}


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def declare(deployment: Landing) -> None:
    """Two sources and a segment for each attack, with the attack wherever a text may stand."""
    # Templates of dbt and backslashes are refused where they are declared (`tests/config`).
    everything = f"{ATTACKS['sql']} {ATTACKS['yaml']} \"''\""
    deployment.declare_events()
    deployment.declare(
        "crm",
        "files",
        {"location": "{home}/landing/crm", "settle": "0 seconds", "timezone": "UTC"},
        contacts={
            "files": "*.csv",
            "format": "csv",
            "key": ["Id"],
            "maps": [
                {
                    "entity": "contacts",
                    "columns": {
                        "contact_id": "Id",
                        "email": "Email",
                        "first_name": "First Name",
                        "last_name": "Last Name",
                        "updated_at": "Changed",
                        "company": {"value": everything},
                    },
                }
            ],
        },
    )
    for source in deployment.sources.values():
        source["description"] = everything
    segments = deployment.settings.config / "segments"
    segments.mkdir()
    rules = {name: f"did {quoted(text)} within 30 days" for name, text in ATTACKS.items()}
    for name, rule in {**rules, "neighbours": f"did '{NEIGHBOUR}' within 30 days"}.items():
        declared = {
            "name": name,
            "description": everything,
            "owner": "tests@example.org",
            "purpose": "analytics",
            "rule": rule,
        }
        (segments / f"{name}.yml").write_text(yaml.safe_dump(declared), encoding="utf-8")


def lay(deployment: Landing) -> None:
    """Every case between good neighbours, each attack as an event, contacts of hostile names."""
    for number, row in enumerate(CASES.values()):
        around = [
            lines(event(10_000 + nth, event=NEIGHBOUR, anonymousId=f"neighbour-{nth}"))
            for nth in (2 * number, 2 * number + 1)
        ]
        deployment.put(f"{number:03}.ndjson", around[0] + row + b"\n" + around[1])
    for path, content in ODD_FILES.items():
        deployment.put(path, content)
    attackers = [
        event(20_000 + number, event=text, anonymousId=f"attacker-{name}")
        for number, (name, text) in enumerate(ATTACKS.items())
    ]
    deployment.put("attacks.ndjson", lines(*attackers))
    cells = io.StringIO()
    table = csv.writer(cells)
    table.writerow(["Id", "Email", "First Name", "Last Name", "Changed"])
    for number, text in enumerate(HOSTILE_TEXTS.values()):
        address = f"c{number}@example.org"
        table.writerow([CONTACT.format(number), address, text, text, "2026-06-01"])
    deployment.put("contacts.csv", cells.getvalue().encode(), "crm")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    """A deployment that all of it was delivered to."""
    made = Landing(tmp_path_factory.mktemp("bad") / "home")
    declare(made)
    lay(made)
    return made


@pytest.fixture(scope="module")
def first(deployment: Landing) -> Outcome:
    """The first run, from landing to the published set."""
    outcome = run_job(deployment.settings)
    assert outcome.success, outcome.errors
    return outcome


def published(deployment: Landing, sql: str) -> list[tuple[Any, ...]]:
    with open_reader(deployment.settings, "marketing") as reader:
        return list(reader.execute(sql).fetchall())


def profiles_of(deployment: Landing, prefix: str) -> dict[str, int]:
    """Profiles by identifiers that begin so."""
    found = published(
        deployment,
        "SELECT identifier_value, profile_id FROM identity.dim_identifiers "
        f"WHERE starts_with(identifier_value, '{prefix}')",
    )
    return dict(found)


@pytest.mark.usefixtures("first")
def test_each_row_is_landed_or_kept_out_for_its_reason_and_its_neighbours_land(
    deployment: Landing,
) -> None:
    with open_warehouse(deployment.settings) as warehouse:
        fates = dict(
            warehouse.rows(
                "SELECT position, 'landed' FROM raw.web UNION ALL "
                "SELECT position, reason FROM raw.quarantine"
            )
        )
    deployment.check()
    expected = {}
    for number, case in enumerate(CASES):
        expected[f"{number:03}.ndjson:2"] = REFUSED[case][1] if case in REFUSED else "landed"
        expected |= {f"{number:03}.ndjson:{line}": "landed" for line in (1, 3)}
    expected |= {f"attacks.ndjson:{line}": "landed" for line in range(1, len(ATTACKS) + 1)}
    of_files = {
        path: [fates.pop(each) for each in sorted(fates) if each.startswith(path)]
        for path in ODD_FILES
    }
    assert of_files == FATES_OF_FILES
    assert fates == expected


@pytest.mark.usefixtures("first")
def test_segments_hold_the_neighbours_of_bad_rows_and_who_sent_an_attack(
    deployment: Landing,
) -> None:
    neighbours = profiles_of(deployment, "neighbour-")
    assert len(set(neighbours.values())) == 2 * len(CASES) + len(NEIGHBOURS_OF_FILES)
    members = published(deployment, "SELECT profile_id FROM segments.neighbours")
    assert {each for (each,) in members} == set(neighbours.values())
    attackers = profiles_of(deployment, "attacker-")
    for name in ATTACKS:
        members = published(deployment, f"SELECT profile_id FROM segments.{name}")
        assert attackers[f"attacker-{name}"] in {each for (each,) in members}


@pytest.mark.usefixtures("first")
def test_a_hostile_text_is_published_as_the_text_that_it_is(deployment: Landing) -> None:
    found = published(
        deployment,
        "SELECT identifiers.identifier_value, profiles.first_name, profiles.last_name "
        "FROM identity.dim_identifiers AS identifiers "
        "INNER JOIN dim_profiles AS profiles USING (profile_id) "
        "WHERE starts_with(identifiers.identifier_value, 'contact-')",
    )
    texts = {CONTACT.format(number): text for number, text in enumerate(HOSTILE_TEXTS.values())}
    assert {row[0]: row[1:] for row in found} == {key: (text, text) for key, text in texts.items()}


def test_the_next_run_in_this_process_is_fine_and_lands_nothing(
    deployment: Landing, first: Outcome
) -> None:
    before = published(deployment, "FROM dim_profiles ORDER BY profile_id")
    outcome = run_job(deployment.settings)
    assert outcome.success, outcome.errors
    assert outcome.run_id != first.run_id
    landed = [news.detail for news in outcome.news if news.what == "landed"]
    assert len(landed) == len(deployment.sources)
    assert {(report.rows_read, report.rows_landed) for report in landed} == {(0, 0)}
    assert published(deployment, "FROM dim_profiles ORDER BY profile_id") == before


def test_a_run_after_it_lands_what_is_new(deployment: Landing, first: Outcome) -> None:
    assert first.success
    deployment.put("later.ndjson", lines(event(30_000, event=NEIGHBOUR, anonymousId="late")))
    outcome = run_job(deployment.settings)
    assert outcome.success, outcome.errors
    (profile,) = profiles_of(deployment, "late").values()
    members = published(deployment, "SELECT profile_id FROM segments.neighbours")
    assert (profile,) in members
