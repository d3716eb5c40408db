"""What would be one giant, were people joined by whatever they have in common, is still people."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings
from cdp.warehouse.store import open_warehouse
from orchestration.running import run_job

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PEOPLE = 100_000
COOKIES = 2_000
EVERYBODYS = "info@everybody.example"


def messages(second_address: Callable[[int], str]) -> Iterator[dict[str, Any]]:
    """One of each person, with a device, an address and a second one; and somebody's cookies."""
    for n in range(PEOPLE):
        yield {
            "messageId": f"m{n}",
            "userId": f"u{n}",
            "anonymousId": f"a{n}",
            "context": {"traits": {"email": f"{n}@own.example"}}
            | {"externalIds": [{"type": "email", "id": second_address(n)}]},
        }
    for n in range(COOKIES):
        yield {"messageId": f"c{n}", "userId": "hoarder", "anonymousId": f"cookie-{n}"}


@dataclass(frozen=True)
class Told:
    """A home that was told so, and what the run took.

    Attributes:
        seconds: of the processor, which other programs do not lengthen as they do the clock's.
    """

    settings: Settings
    seconds: float

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.settings) as warehouse:
            return warehouse.rows(sql)


def told(home: Path, second_address: Callable[[int], str]) -> Told:
    """Run the main job over what was told, by the configuration of a worked example."""
    settings = load_settings(home=home, config=PROJECT_ROOT / "examples" / "segment_messages")
    folder = home / "landing" / "messages"
    folder.mkdir(parents=True)
    always = {"type": "identify", "timestamp": "2026-06-29T10:00:00Z"}
    with (folder / "crowd.ndjson").open("w") as lines:
        lines.writelines(json.dumps(always | each) + "\n" for each in messages(second_address))
    began = time.process_time()
    outcome = run_job(settings)
    assert outcome.success, outcome.errors
    return Told(settings, time.process_time() - began)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Everybody with addresses of their own."""
    return told(tmp_path_factory.mktemp("apart"), lambda n: f"{n}@second.example")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Everybody with one address in common."""
    return told(tmp_path_factory.mktemp("crowd"), lambda n: EVERYBODYS)


def test_an_address_of_everybody_merges_nobody(crowd: Told) -> None:
    """Each is still who they are by their own address; the common one is nobody's."""
    sizes = crowd.rows(
        "SELECT identifiers, count(*) FROM (SELECT count(*) AS identifiers "
        "FROM identity.dim_identifiers GROUP BY profile_id) AS profiles "
        "GROUP BY identifiers ORDER BY identifiers"
    )
    assert sizes == [(1, 1), (3, PEOPLE), (COOKIES + 1, 1)]


def test_it_is_one_entry_in_quarantine(crowd: Told) -> None:
    quarantined = crowd.rows(
        "SELECT clusters.kind, identifiers.identifier_value "
        "FROM identity.quarantined_clusters AS clusters "
        "INNER JOIN identity.dim_identifiers AS identifiers "
        "ON clusters.cluster_id = identifiers.birth"
    )
    assert quarantined == [("value", EVERYBODYS)]


def test_each_of_its_edges_is_told(crowd: Told) -> None:
    rules = crowd.rows("SELECT rule, count(*) FROM identity.fct_rejected_edges GROUP BY rule")
    assert rules == [("bad_value", 3 * PEOPLE)]


def test_one_person_with_thousands_of_cookies_is_one_person(apart: Told, crowd: Told) -> None:
    for each in (apart, crowd):
        of_whom = each.rows(
            "SELECT count(DISTINCT profile_id), count(*) FROM identity.dim_identifiers "
            "WHERE identifier_value LIKE 'cookie-%' OR identifier_value = 'hoarder'"
        )
        assert of_whom == [(1, COOKIES + 1)]


def test_a_run_over_it_takes_no_more_than_twice_as_long(apart: Told, crowd: Told) -> None:
    print(f"{apart.seconds:.1f} seconds apart, {crowd.seconds:.1f} as a crowd")
    assert crowd.seconds < 2 * apart.seconds
