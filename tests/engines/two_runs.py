"""A small shop that lands in two parts, so that the second brings late rows and rows told again;
before each run people have said who is who, and taken one of it back before the second.

Belongs here: what has landed and was said before each run, and the record of the runs. Does not
belong here: any engine but the embedded one, any expectation.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cdp.config.sources import load_sources
from cdp.demo import generate
from cdp.generation import generate as generate_project
from cdp.identity.identifiers import Identifier
from cdp.identity.label_record import Said, record, recorded
from cdp.identity.labels import Claim
from cdp.warehouse.modelling import Models
from cdp.warehouse.runs import STAGES, begin_run
from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import Warehouse, open_warehouse
from ingestion.landing import land

MOMENTS = (datetime(2026, 7, 1, 12), datetime(2026, 7, 2, 12))
"""The `as_of` of the two runs."""

LATER = 1_000_000
"""What is added to the number of a row that lands for the second run."""


def settings_of(home: Path, run: int, target: str = "duckdb") -> Settings:
    return load_settings(home=home, as_of=MOMENTS[run], target=target, memory_limit="2GB")


def land_the_shop(home: Path, people: int, seed: int = 11) -> None:
    """Land everything, and put aside what the second run is to find: a third of all rows, whatever
    their times, and once more some of the rows that the first run has."""
    generate(home, people=people, seed=seed)
    settings = settings_of(home, 0)
    with open_warehouse(settings) as warehouse:
        run = begin_run(warehouse, "landing", "test")
        for name in load_sources(settings).sources:
            land(name, warehouse, run)
        warehouse.execute("CREATE SCHEMA later")
        for name in load_sources(settings).sources:
            late = "hash(row_key) % 3 = 0"
            again = "hash(row_key) % 3 = 1 AND hash(row_key) % 5 = 0"
            moved = f"* REPLACE (landing_number + {LATER} AS landing_number)"
            events = " AND stream <> 'events'"
            warehouse.execute(
                f"CREATE TABLE later.{name} AS SELECT {moved} FROM raw.{name} "
                f"WHERE ({late}) OR ({again}{events}); "
                f"DELETE FROM raw.{name} WHERE {late}"
            )


def build(home: Path, run_number: int, *, full_refresh: bool = False) -> None:
    """Build one of the two runs, and record it as published once its tables have been copied."""
    settings = settings_of(home, run_number - 1)
    models = Models(settings, generate_project(settings))
    with open_warehouse(settings) as warehouse:
        if run_number == 2:
            for name in load_sources(settings).sources:
                warehouse.execute(
                    f"INSERT INTO raw.{name} SELECT * FROM later.{name} "
                    f"ANTI JOIN raw.{name} AS landed USING (landing_number)"
                )
        if not any(each.reason == f"run {run_number}" for each in recorded(warehouse)):
            record(warehouse, _said_before(warehouse, run_number))
        run = begin_run(warehouse, f"run-{run_number}", "test")
        if run_number == 1:
            models.seed()
        for stage in STAGES[1:]:
            models.build(warehouse, run, stage, full_refresh=full_refresh)


def _said_before(warehouse: Warehouse, run_number: int) -> list[Said]:
    """Labels of every kind: on what is yet to land, and then on what a run has found."""

    def said(claim: Claim, removes: int | None = None) -> Said:
        return Said(claim, "ada", f"run {run_number}", removes)

    if run_number == 1:
        devices = warehouse.rows(
            "SELECT DISTINCT payload ->> 'anonymousId' AS device FROM raw.web "
            "WHERE device IS NOT NULL ORDER BY device LIMIT 4"
        )
        one, other, third, fourth = (Identifier("anonymous_id", device) for (device,) in devices)
        return [said(Claim("join", one, other)), said(Claim("join", third, fourth))]
    distrusted: list[Identifier] = []
    first = recorded(warehouse)[0]
    ((email, user),) = warehouse.rows(
        "SELECT one.identifier_value, other.identifier_value FROM identity.dim_identifiers AS one "
        "INNER JOIN identity.dim_identifiers AS other USING (profile_id) "
        "WHERE one.identifier_type = 'email' AND other.identifier_type = 'user_id' "
        "ORDER BY ALL LIMIT 1"
    )
    # Those that most rows belong to, so that these pass on.
    for facts in ("events", "orders"):
        ((owner,),) = warehouse.rows(
            f"SELECT owner.identifier_value FROM profiles.fct_{facts} AS facts "
            "INNER JOIN identity.dim_identifiers AS owner ON facts.anchor_birth = owner.birth "
            f"WHERE owner.identifier_type = 'email' AND owner.identifier_value <> '{email}' "
            "GROUP BY owner.identifier_value ORDER BY count(*) DESC, owner.identifier_value LIMIT 1"
        )
        distrusted.append(Identifier("email", owner))
    return [
        said(first.claim, removes=first.number),
        said(Claim("split", Identifier("email", email), Identifier("user_id", user))),
        *(said(Claim("distrust", each)) for each in dict.fromkeys(distrusted)),
    ]


def publish(home: Path, run_number: int) -> None:
    """What publishing does to the record of runs, without writing any file."""
    with open_warehouse(settings_of(home, run_number - 1)) as warehouse:
        warehouse.execute(
            "UPDATE governance.runs SET status = 'published', landing_high_water = "
            "(SELECT landing_high_water FROM governance.int_current_run) WHERE run_id = ?",
            [f"run-{run_number}"],
        )
