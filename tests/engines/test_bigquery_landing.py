"""What lands on BigQuery is what lands with the embedded engine, as a stand-in runs the statements.

Belongs here: files and a server's rows through new, doubled, conflicting, refused, replayed, gone
and returned; and what a killed promotion leaves. Does not belong here: the session's calls one by
one (`test_bigquery_store`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from cdp.warehouse import fault_points
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import open_warehouse
from ingestion.promotion import take_back
from tests.engines.copying import difference
from tests.ingestion.landing import Landing, event, lines

if TYPE_CHECKING:
    from tests.engines.duck_bigquery import DuckBigQuery

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not find_spec("google.cloud.bigquery"), reason="needs what `make engines` installs"
    ),
]

OF_THE_MACHINE = ("load_id", "run_id", "started_at", "landed_at", "noticed_at", "modified_at")
"""Columns that tell when and by which load, and so the ids that are made of one."""
IDS = ("quarantine_id", "replayed_load_id", "path", "position")


@dataclass
class OnBigQuery(Landing):
    """A home whose warehouse is the stand-in."""

    keyfile: Path | None = None

    @property
    def settings(self) -> Settings:
        plain = super().settings
        return load_settings(
            home=plain.home,
            config=plain.config,
            as_of=plain.as_of,
            target="bigquery",
            bigquery_project="acme-cdp",
            bigquery_location="EU",
            bigquery_keyfile=self.keyfile,
        )

    def check(self) -> None:
        """What the embedded engine is compared with is checked there."""


@pytest.fixture
def cloud() -> Iterator[DuckBigQuery]:
    from tests.engines.duck_bigquery import DuckBigQuery

    made = DuckBigQuery()
    with made.instead_of_google():
        yield made


@pytest.fixture
def pair(tmp_path: Path, cloud: DuckBigQuery, gcs_account: Path) -> tuple[Landing, Landing]:
    """A home on the embedded engine, and one on the stand-in."""
    assert cloud.said == []
    return Landing(tmp_path / "embedded"), OnBigQuery(tmp_path / "bigquery", keyfile=gcs_account)


def tables(landing: Landing) -> dict[str, object]:
    with open_warehouse(landing.settings) as warehouse:
        names = sorted(name for schema, name in warehouse.relations() if schema == "raw")
        return {name: warehouse.arrow(f'SELECT * FROM raw."{name}"') for name in names}


def differences(one: Landing, other: Landing, *without: str) -> dict[str, str]:
    ours, theirs = tables(one), tables(other)
    assert set(ours) == set(theirs)
    found = {
        name: difference(ours[name], theirs[name], (*OF_THE_MACHINE, *IDS, *without))
        for name in ours
    }
    return {name: told for name, told in found.items() if told}


def test_files_land_as_they_do_in_the_embedded_engine(pair: tuple[Landing, Landing]) -> None:
    for home in pair:
        home.declare_events()
        home.put("a.ndjson", lines(*map(event, range(10))))
        assert home.land().rows_landed == 10
        assert home.land().rows_read == 0
        again = [event(number) for number in range(5, 15)]
        other = event(3, event="Another")
        home.put("b.ndjson", lines(*again, other, other, b"{broken", event(99, timestamp="when")))
        report = home.land()
        assert (report.rows_landed, report.rows_duplicate, report.rows_quarantined) == (5, 5, 4)
        # The same bytes refused in the same place are known; those of a file that grew are new.
        home.append("b.ndjson", lines(event(15), b"{broken"))
        home.land()
        home.replay()
        home.put("empty.ndjson", b"")
        home.land()
    assert differences(*pair) == {}


@contextmanager
def database(path: Path) -> Iterator[sa.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def say(path: Path, *statements: str) -> None:
    with database(path) as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


STEPS = (
    (
        "CREATE TABLE {table} (no INTEGER PRIMARY KEY, email TEXT, changed TEXT)",
        "INSERT INTO {table} VALUES (1, 'a@x.org', '2026-06-01 10:00:00')",
        "INSERT INTO {table} VALUES (2, 'b@x.org', '2026-06-01 11:00:00')",
        "INSERT INTO {table} VALUES (3, 'c@x.org', 'no day')",
    ),
    ("UPDATE {table} SET email = 'a2@x.org', changed = '2026-06-02 10:00:00' WHERE no = 1",),
    ("DELETE FROM {table} WHERE no = 2",),
    (
        "INSERT INTO {table} VALUES (2, 'b@x.org', '2026-06-01 11:00:00')",
        "UPDATE {table} SET email = 'a@x.org' WHERE no = 1",
    ),
)


def test_rows_of_a_server_that_go_and_come_back_land_as_in_the_embedded_engine(
    pair: tuple[Landing, Landing],
) -> None:
    def stream(table: str, **more: str) -> dict[str, Any]:
        columns = {"contact_id": "no", "email": "email"}
        return {
            "table": table,
            "key": ["no"],
            "deletes": {"compare_every": "0 seconds"},
            "maps": [{"entity": "customers", "columns": columns}],
            **more,
        }

    reports = []
    for home in pair:
        path = home.home / "shop.sqlite"
        home.declare(
            "shop",
            "database",
            {"url": f"sqlite:///{path}"},
            versioned=stream("versioned", version="changed"),
            plain=stream("plain"),
        )
        told = []
        for step in STEPS:
            say(
                path, *(each.format(table=name) for name in ("versioned", "plain") for each in step)
            )
            report = home.land("shop")
            told.append((report.rows_landed, report.rows_duplicate, report.rows_quarantined))
        reports.append(told)
    assert reports[0] == reports[1]
    # A tombstone has occurred when the row was missed.
    assert differences(pair[0], pair[1], "occurred_at") == {}


class Killed(BaseException):
    """The process has ended here."""


def cut_off() -> None:
    raise Killed


def test_a_promotion_that_was_killed_lands_everything_once_when_it_is_repeated(
    pair: tuple[Landing, Landing],
) -> None:
    embedded, there = pair
    for home in (embedded, there):
        home.declare_events()
        home.put("a.ndjson", lines(*map(event, range(10)), b"{broken"))
        home.land()
        home.put("b.ndjson", lines(*map(event, range(5, 20)), event(1, event="x")))
    embedded.land()
    # Raw has the rows, and so has the inbox.
    fault_points.arm("landing.after_promote", cut_off)
    with pytest.raises(Killed):
        there.land()
    fault_points.disarm()
    there.land()
    assert differences(embedded, there) == {}


def test_rows_that_a_killed_promotion_has_left_are_taken_back(
    pair: tuple[Landing, Landing], cloud: DuckBigQuery
) -> None:
    _, there = pair
    there.declare_events()
    there.put("a.ndjson", lines(*map(event, range(10))))
    there.land()
    there.put("b.ndjson", lines(*map(event, range(10, 20))))

    with pytest.MonkeyPatch.context() as patched:
        run = type(cloud).run

        def cut(self: DuckBigQuery, sql: str, *how: Any) -> object:
            if sql.startswith("INSERT INTO raw.loads"):
                raise Killed
            return run(self, sql, *how)

        patched.setattr(type(cloud), "run", cut)
        with pytest.raises(Killed):
            there.land()
    assert there.landed() == 20
    with open_warehouse(there.settings) as warehouse:
        take_back(["web"], warehouse)
    assert there.landed() == 10
    there.land()
    assert there.landed() == 20
