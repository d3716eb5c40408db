"""The store on BigQuery, as a stand-in runs what it says (`duck_bigquery`).

Belongs here: what every engine can be asked, and landing a shop as the embedded engine lands it.
Does not belong here: models, published sets.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp.warehouse.settings import Settings, load_settings
from cdp.warehouse.store import SCHEMAS, open_warehouse

if TYPE_CHECKING:
    from cdp.warehouse.engines.bigquery_store import BigQuery
    from tests.engines.duck_bigquery import DuckBigQuery

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not find_spec("google.cloud.bigquery"), reason="needs what `make engines` installs"
    ),
]

NOON = datetime(2026, 7, 1, 12, 0, 0, 5)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        home=tmp_path, target="bigquery", bigquery_project="acme-cdp", bigquery_location="EU"
    )


@pytest.fixture
def cloud() -> DuckBigQuery:
    from tests.engines.duck_bigquery import DuckBigQuery

    return DuckBigQuery()


@pytest.fixture
def house(settings: Settings, cloud: DuckBigQuery) -> BigQuery:
    from cdp.warehouse.engines.bigquery_store import BigQuery

    made = BigQuery(settings, cloud.client())  # type: ignore[arg-type]
    made.prepare()
    return made


@pytest.fixture
def notes(house: BigQuery) -> BigQuery:
    house.execute(
        "CREATE TABLE IF NOT EXISTS raw.notes (id BIGINT, told VARCHAR, at TIMESTAMP, sum HUGEINT, "
        "bytes BLOB, good BOOLEAN)"
    )
    return house


ROWS = [(1, "it's", NOON, 2**70, None, True), (2, None, None, None, None, None)]


def test_each_stage_is_a_dataset_in_the_location_and_a_second_opening_finds_them(
    house: BigQuery, cloud: DuckBigQuery
) -> None:
    assert set(cloud.datasets) == set(SCHEMAS)
    assert {each.location for each in cloud.datasets.values()} == {"EU"}
    house.prepare()
    assert set(cloud.datasets) == set(SCHEMAS)


def test_a_dataset_elsewhere_is_refused_in_one_sentence(
    house: BigQuery, cloud: DuckBigQuery
) -> None:
    from cdp.warehouse.engines.checking import BadTarget

    cloud.datasets["raw"].location = "US"
    with pytest.raises(BadTarget, match=r"raw of the project acme-cdp lies in US.*says EU"):
        house.prepare()


@pytest.mark.parametrize("times", [1, 300])
def test_rows_come_back_as_they_went_in(notes: BigQuery, times: int) -> None:
    notes.insert("raw.notes", ROWS * times)
    found = notes.rows("SELECT id, told, at, bytes, good FROM raw.notes ORDER BY id")
    assert found == sorted([row[:3] + row[4:] for row in ROWS * times])
    assert notes.scalar("SELECT max(sum) FROM raw.notes") == Decimal(2**70)


def test_bytes_are_loaded(notes: BigQuery) -> None:
    rows = [(number, "x", NOON, number, b"\x00\xff", False) for number in range(501)]
    notes.insert("raw.notes", rows)
    assert notes.rows("SELECT DISTINCT bytes, octet_length(bytes) FROM raw.notes") == [
        (b"\x00\xff", 2)
    ]


def test_a_statement_that_cannot_be_run_is_a_failure_of_the_engine(house: BigQuery) -> None:
    with pytest.raises(house.failures):
        house.rows("SELECT nothing FROM raw.nothing")


def test_a_value_of_a_row_stands_in_no_error(notes: BigQuery) -> None:
    notes.insert("raw.notes", [(1, "secret words", NOON, 1, None, True)])
    with pytest.raises(notes.failures, match="told nowhere") as failed:
        notes.rows("SELECT CAST(told AS BIGINT) FROM raw.notes")
    assert "secret" not in str(failed.value)
    assert failed.value.__cause__ is None


def test_what_is_temporary_is_of_its_session_and_goes_with_it(
    notes: BigQuery, cloud: DuckBigQuery
) -> None:
    notes.insert("raw.notes", ROWS)
    with notes.session() as session, notes.session() as other:
        session.temporary("kept", "SELECT id FROM raw.notes WHERE id = $id", {"id": 1})
        session.lay("laid", pa.table({"id": [1, 3], "at": pa.array([NOON, None])}))
        other.temporary("kept", "SELECT 7 AS id")
        assert session.rows("SELECT id, at FROM kept JOIN laid USING (id)") == [(1, NOON)]
        session.temporary("kept", "SELECT id + 1 AS id FROM kept")
        assert session.rows("SELECT id FROM kept") == [(2,)]
        assert other.rows("SELECT id FROM kept") == [(7,)]
        assert len(cloud.datasets) == len(SCHEMAS) + 2
    assert set(cloud.datasets) == set(SCHEMAS)
    with notes.session() as session, pytest.raises(notes.failures):
        session.rows("SELECT id FROM kept")


def test_what_a_killed_session_has_left_expires_and_goes_with_the_next_opening(
    house: BigQuery, cloud: DuckBigQuery
) -> None:
    name = house.make_scratch().rpartition(".")[2]
    assert cloud.datasets[name].default_table_expiration_ms == 24 * 3_600_000
    house.prepare()
    assert name not in cloud.datasets


def test_files_are_read_as_one(house: BigQuery, tmp_path: Path) -> None:
    for number in range(2):
        pq.write_table(pa.table({"n": [number]}), tmp_path / f"{number}.parquet")
    with house.session() as session:
        session.files("both", [str(tmp_path / "0.parquet"), str(tmp_path / "1.parquet")])
        assert session.rows("SELECT n FROM both ORDER BY n") == [(0,), (1,)]


def test_what_a_killed_try_has_left_is_taken_away_first(notes: BigQuery) -> None:
    notes.insert("raw.notes", ROWS)
    with notes.transaction(undo=[("raw.notes", "id = ?", [1])]) as session:
        assert session.rows("SELECT id FROM raw.notes") == [(2,)]
        session.insert("raw.notes", [(3, "c", NOON, 0, None, True)])
    assert notes.rows("SELECT id FROM raw.notes ORDER BY id") == [(2,), (3,)]


def test_tables_and_views_are_told_by_duckdbs_types(notes: BigQuery) -> None:
    notes.execute("CREATE VIEW staging.seen AS SELECT id, at FROM raw.notes")
    assert notes.has_table("raw", "notes")
    assert notes.has_table("staging", "seen")
    assert not notes.has_table("raw", "seen")
    assert notes.relations() == {
        ("raw", "notes"): {
            "id": "BIGINT",
            "told": "VARCHAR",
            "at": "TIMESTAMP",
            "sum": "HUGEINT",
            "bytes": "BLOB",
            "good": "BOOLEAN",
        },
        ("staging", "seen"): {"id": "BIGINT", "at": "TIMESTAMP"},
    }
    assert notes.views() == {("staging", "seen")}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("NUMERIC(18, 4)", "DECIMAL(18,4)"),
        ("NUMERIC", "DECIMAL(38,9)"),
        ("ARRAY<INT64>", "BIGINT[]"),
        ("DATE", "DATE"),
        ("STRING(10)", "VARCHAR"),
    ],
)
def test_a_type_has_duckdbs_name(theirs: str, ours: str) -> None:
    from cdp.warehouse.engines.bigquery_rows import type_name

    assert type_name(theirs) == ours


def test_a_table_is_made_once(notes: BigQuery, cloud: DuckBigQuery) -> None:
    def made() -> int:
        return sum("CREATE TABLE IF NOT EXISTS raw.notes" in each for each in cloud.said)

    notes.execute(
        "CREATE TABLE IF NOT EXISTS raw.notes (id BIGINT, told VARCHAR, at TIMESTAMP, "
        "sum HUGEINT, bytes BLOB, good BOOLEAN)"
    )
    assert made() == 1


def test_the_desk_is_the_embedded_engine_in_utc(house: BigQuery) -> None:
    with house.desk() as desk:
        row: Any = desk.execute("SELECT current_setting('TimeZone')").fetchone()
    assert row == ("UTC",)


def test_jobs_say_whose_they_are(
    settings: Settings, cloud: DuckBigQuery, gcs_account: Path
) -> None:
    known = settings.model_copy(update={"bigquery_keyfile": gcs_account})
    with cloud.instead_of_google(), open_warehouse(known):
        for kind in ("default_query_job_config", "default_load_job_config"):
            assert cloud.asked_for[kind].labels == {"made_by": "tributary"}
