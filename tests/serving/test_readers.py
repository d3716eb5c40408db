"""Reading published sets: notebooks, pooled engines, other processes, while runs publish."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import sqlalchemy
from sqlalchemy.pool import NullPool

from cdp.warehouse.readers import NothingPublished, open_reader, reading_engine, set_path
from cdp.warehouse.settings import PROJECT_ROOT
from tests.serving.tiny_shop import TinyShop
from tests.serving.whole_set import Seen, look


def test_before_the_first_set_a_reader_is_told_so(shop: TinyShop) -> None:
    with pytest.raises(NothingPublished, match="nothing has been published"):
        open_reader(shop.settings, "analyst")


def test_a_reader_of_an_unknown_role_is_told_which_there_are(shop: TinyShop) -> None:
    shop.run("first")
    with pytest.raises(NothingPublished, match="no role 'boss'; it has: analyst, marketing"):
        open_reader(shop.settings, "boss")


def test_an_open_connection_stays_on_its_set_and_a_new_one_finds_the_newest(
    shop: TinyShop,
) -> None:
    shop.run("first")
    with open_reader(shop.settings, "analyst") as old:
        seen = Seen()
        # As many as are kept and more, so that the files of the first set are gone from the disk.
        for version in range(2, 7):
            shop.version = version
            shop.run(f"run{version}")
            assert look(old, seen) == 1
            with open_reader(shop.settings, "analyst") as new:
                assert look(new, seen) == version
        assert seen.mixed == []
        assert seen.reads == 10


def test_two_roles_can_be_read_side_by_side_in_one_process(shop: TinyShop) -> None:
    shop.run("first")
    with (
        open_reader(shop.settings, "analyst") as analyst,
        open_reader(shop.settings, "marketing") as marketing,
        open_reader(shop.settings, "marketing") as another,
    ):
        seen = Seen()
        assert {look(reader, seen) for reader in (analyst, marketing, another)} == {1}


def test_pandas_reads_a_set(shop: TinyShop) -> None:
    shop.run("first")
    with open_reader(shop.settings, "marketing") as reader:
        members = reader.execute("SELECT * FROM loyal_customers").df()
    assert len(members) == 25
    assert members["email"].notna().all()
    engine = reading_engine(shop.settings, "analyst")
    frame = pd.read_sql("SELECT profile_id, email FROM dim_profiles", engine)
    assert len(frame) == 50
    assert frame["email"].isna().all()
    engine.dispose()


@pytest.mark.parametrize("pool", [None, NullPool])
def test_an_sqlalchemy_engine_reads_the_newest_set_at_every_checkout(
    shop: TinyShop, pool: type[NullPool] | None
) -> None:
    shop.run("first")
    options: dict[str, Any] = {"poolclass": pool} if pool else {"pool_size": 3}
    engine = reading_engine(shop.settings, "analyst", **options)
    query = sqlalchemy.text("SELECT DISTINCT event_count FROM dim_profiles")
    for version in range(1, 6):
        shop.version = version
        with engine.connect() as held:
            before = held.execute(query).scalar_one()
            shop.run(f"run{version}")
            assert held.execute(query).scalar_one() == before
        for _ in range(3):
            with engine.connect() as connection:
                assert connection.execute(query).scalar_one() == version
    engine.dispose()


def test_a_pooled_engine_in_several_threads_sees_whole_sets_while_runs_publish(
    shop: TinyShop,
) -> None:
    shop.run("first")
    engine = reading_engine(shop.settings, "analyst", pool_size=2, max_overflow=2)
    done, problems, reads = threading.Event(), [], []

    def read() -> None:
        while not done.is_set():
            try:
                with engine.connect() as connection:
                    rows = connection.execute(
                        sqlalchemy.text(
                            "SELECT event_count FROM dim_profiles UNION "
                            "SELECT anchor_birth FROM fct_events UNION "
                            "SELECT component_id FROM dim_identifiers"
                        )
                    ).all()
                reads.append(rows[0][0])
                if len(rows) != 1:
                    problems.append(f"mixed: {rows}")
            except (
                sqlalchemy.exc.SQLAlchemyError,
                duckdb.Error,
                OSError,
                NothingPublished,
            ) as error:
                problems.append(repr(error))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for version in range(2, 8):
        shop.version = version
        shop.run(f"run{version}")
    done.set()
    for thread in threads:
        thread.join(timeout=30)
    engine.dispose()
    assert problems == []
    assert len(set(reads)) > 2


def test_an_engine_reflects_tables_with_their_columns(shop: TinyShop) -> None:
    shop.run("first")
    engine = reading_engine(shop.settings, "analyst")
    inspector = sqlalchemy.inspect(engine)
    assert "core.profiles" in inspector.get_schema_names()
    assert "dim_profiles" in inspector.get_table_names("core.profiles")
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE core.main.mine AS SELECT 1",
        "DELETE FROM core.profiles.dim_profiles",
        "DROP VIEW core.segments.loyal_customers",
        "COPY dim_profiles TO 'stolen.csv'",
        "ATTACH '{warehouse}' AS w",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '{other}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SET TimeZone = 'Asia/Tokyo'",
        "EXPORT DATABASE 'stolen'",
        "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    ],
)
def test_a_reader_can_neither_change_anything_nor_reach_beyond_its_set(
    shop: TinyShop, statement: str, tmp_path: Path
) -> None:
    shop.run("first")
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")
    with open_reader(shop.settings, "analyst") as reader, pytest.raises(duckdb.Error):
        reader.execute(
            statement.format(warehouse=shop.settings.warehouse_file, other=other)
        ).fetchall()


def test_a_tool_that_opens_a_file_through_the_pointer_reads_it(shop: TinyShop) -> None:
    shop.run("first")
    path = shop.settings.serving_dir / "current" / "analyst" / "core.duckdb"
    with duckdb.connect(path, read_only=True) as file:
        assert file.execute("SELECT count(*) FROM segments.loyal_customers").fetchall() == [(25,)]
    assert set_path(shop.settings, "analyst").name == "analyst"
    assert "current" not in set_path(shop.settings, "analyst").parts


def test_readers_in_other_processes_are_always_answered_while_runs_publish(
    shop: TinyShop, tmp_path: Path
) -> None:
    shop.people = 20
    shop.run("first")
    stop = tmp_path / "stop"
    readers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.serving.whole_set", shop.settings.home, role, stop],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role in ("analyst", "marketing")
    ]
    try:
        for version in range(2, 12):
            shop.version, shop.people = version, 20 + 2 * (version % 7)
            shop.run(f"run{version}")
    finally:
        stop.touch()
    for reader in readers:
        out, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
        seen = json.loads(out)
        assert seen["mixed"] == []
        assert seen["refused"] == []
        assert seen["reads"] > 0
        assert len(seen["sets"]) > 1
