"""A landing killed at any point ends, once repeated, where one that was never killed does.

Belongs here: each kind of source at each point of landing. Does not belong here: the main job
(`tests/whole_way`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from dlt.pipeline.exceptions import PipelineStepFailed

from cdp.warehouse.fault_points import POINTS
from ingestion.failures import SourceFailed
from tests.ingestion.killed_landing import land_and_kill
from tests.ingestion.landing import Landing, event, events, lines
from tests.ingestion.test_rest_api import contact, declare
from tests.services.contacts_api import PAGE, TOKEN, ContactsApi, Fault

LANDING_POINTS = [point for point in POINTS if point.startswith("landing.")]
KINDS = ("files", "database", "rest_api")

Deliver = Callable[[Landing, int], None]
"""Brings the rows of a delivery, counted from 0, to where the source of a home takes them."""


def deliver_files(landing: Landing, delivery: int) -> None:
    """A file that grows, one that arrives, a row sent twice and one that is broken."""
    first = delivery * 10
    landing.put("growing.ndjson", events(0, first + 10))
    landing.put(f"{delivery}.ndjson", lines(event(first + 5), event(first + 1000), b"{", b"[]"))


def deliver_database(landing: Landing, delivery: int) -> None:
    """Rows that are new, one that has changed, one that is gone."""
    engine = sa.create_engine(f"sqlite:///{landing.home / 'shop.sqlite'}")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE IF NOT EXISTS customers (no INT PRIMARY KEY, email TEXT, changed TEXT)"
        )
        first, moment = delivery * 10, f"2026-06-{10 + delivery} 10:00:00"
        for number in range(first, first + 10):
            connection.exec_driver_sql(
                "INSERT INTO customers VALUES (?, ?, ?)", (number, f"c{number}@x.example", moment)
            )
        connection.exec_driver_sql(
            "UPDATE customers SET email = ?, changed = ? WHERE no = 1",
            (f"new{delivery}@x.example", moment),
        )
        connection.exec_driver_sql("DELETE FROM customers WHERE no = ?", (first + 7,))
    engine.dispose()


def declare_database(landing: Landing) -> None:
    landing.declare(
        "source",
        "database",
        {"url": f"sqlite:///{landing.home / 'shop.sqlite'}"},
        customers={
            "table": "customers",
            "key": ["no"],
            "version": "changed",
            "cursor": "changed",
            "deletes": {"compare_every": "0 seconds"},
            "maps": [
                {
                    "entity": "customers",
                    "columns": {"contact_id": "no", "email": "email", "updated_at": "changed"},
                }
            ],
        },
    )


@pytest.fixture
def made(
    tmp_path: Path, contacts_api: ContactsApi, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], tuple[Landing, str, Deliver]]:
    """A home with one source of a kind, the source's name, and what delivers to it."""
    monkeypatch.setenv("CRM_TOKEN", TOKEN)

    def deliver_api(landing: Landing, delivery: int) -> None:
        moment = f"2026-06-{10 + delivery}T10:00:00Z"
        known = [contact(number) for number in range(45 * (delivery + 1))]
        contacts_api.contacts = [contact(0, updated_at=moment), *known[1:]]

    def make(kind: str, name: str) -> tuple[Landing, str, Deliver]:
        landing = Landing(tmp_path / name)
        landing.home.mkdir()
        if kind == "files":
            landing.declare_events()
            return landing, "web", deliver_files
        if kind == "database":
            declare_database(landing)
            return landing, "source", deliver_database
        declare(landing, contacts_api.url)
        return landing, "crm", deliver_api

    return make


def told(landing: Landing, source: str) -> list[list[tuple[object, ...]]]:
    """What landed and what was kept out, without the moments and the loads."""
    return [
        landing.rows(
            f'SELECT stream, row_key, payload, position FROM raw."{source}" ORDER BY landing_number'
        ),
        landing.rows("SELECT stream, reason, position, raw_bytes FROM raw.quarantine ORDER BY ALL"),
        landing.rows(
            f'SELECT min(landing_number), max(landing_number), count(*) FROM raw."{source}"'
        ),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_landing_killed_at_each_point_lands_the_same_as_one_that_was_not(
    kind: str, made: Callable[[str, str], tuple[Landing, str, Deliver]]
) -> None:
    killed, source, deliver = made(kind, "killed")
    twin, _, _ = made(kind, "twin")
    for delivery, point in enumerate(LANDING_POINTS):
        deliver(killed, delivery)
        land_and_kill(killed, source, point)
        if kind != "rest_api":
            deliver(twin, delivery)
        twin.land(source)
        killed.land(source)
        assert told(killed, source) == told(twin, source), point
    assert killed.land(source).rows_landed == 0


def left_behind(landing: Landing, source: str) -> list[str]:
    """What lies where dlt extracts to and is no part of a whole package."""
    folder = landing.settings.dlt_dir / f"tributary_{source}"
    kept = {folder / "normalize" / name for name in ("extracted", ".version")}
    found = [each for each in (folder / "normalize").iterdir() if each not in kept]
    return [str(each) for each in (*found, *folder.glob("trace.pickle"))]


def test_a_reading_that_failed_leaves_no_row_behind(
    tmp_path: Path, contacts_api: ContactsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    landing = Landing(tmp_path / "home")
    declare(landing, contacts_api.url)
    contacts_api.contacts = [contact(number) for number in range(PAGE + 1)]
    contacts_api.fail(Fault(404), page=2)
    with pytest.raises(SourceFailed):
        landing.land("crm")
    assert left_behind(landing, "crm") == []


def test_what_a_killed_reading_left_is_taken_away_by_the_next(landing: Landing) -> None:
    """Also where that has nothing to read."""
    landing.put("one.ndjson", events(0, 2))
    landing.land()
    package = landing.settings.dlt_dir / "tributary_web" / "normalize" / "3fb1" / "17" / "new_jobs"
    package.mkdir(parents=True)
    (package / "rows.parquet").write_bytes(b"someone@example.org")
    assert landing.land().load_id is None
    assert left_behind(landing, "web") == []


def test_a_loading_that_failed_leaves_no_text_of_its_error(landing: Landing) -> None:
    landing.put("one.ndjson", events(0, 2))
    inbox = landing.settings.inbox_dir / "web"
    inbox.parent.mkdir(parents=True)
    inbox.write_bytes(b"no folder")
    # Twice, since the second time goes by the package that the first has left.
    for _ in range(2):
        with pytest.raises(PipelineStepFailed):
            landing.land()
        assert left_behind(landing, "web") == []
    inbox.unlink()
    assert landing.land().rows_landed == 2
