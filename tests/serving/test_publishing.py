"""What may be published, what a set holds, and how little is written when little has changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import pytest

from cdp.warehouse import set_files
from cdp.warehouse.manifest import DamagedSet, file_hash, read_manifest, verify_set
from cdp.warehouse.publishing import PublishRefused
from cdp.warehouse.readers import open_reader
from cdp.warehouse.runs import STAGES, mark_stage, record_gate
from cdp.warehouse.serving_sets import current_set, published_sets, sets_dir
from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from cdp.warehouse.store import open_warehouse
from tests.serving.tiny_shop import TinyShop


def version_seen(shop: TinyShop, role: str = "analyst") -> int:
    with open_reader(shop.settings, role) as reader:
        rows = reader.execute("SELECT DISTINCT event_count FROM dim_profiles").fetchall()
    assert len(rows) == 1
    return int(rows[0][0])


# --- what may be published ---------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_a_failed_gate_of_any_stage_stops_publishing_and_readers_keep_what_they_have(
    shop: TinyShop, stage: str
) -> None:
    shop.run("first")
    shop.version = 2
    run = shop.begin("second")
    shop.build(run, failed_gate=stage)
    with pytest.raises(PublishRefused, match=f"stage {stage}: its gate has not passed") as refused:
        shop.publish(run)
    assert refused.value.stage == stage
    assert version_seen(shop) == 1


def test_a_later_run_cannot_publish_over_a_failed_gate_by_not_building_that_stage(
    shop: TinyShop,
) -> None:
    shop.run("first")
    failed = shop.begin("second")
    shop.build(failed, failed_gate="identity")
    later = shop.begin("third")
    for stage in ("profiles", "segments"):
        mark_stage(shop.warehouse, later, stage, "built")
        record_gate(shop.warehouse, later, stage, [("rows", True, "{}")])
    with pytest.raises(PublishRefused, match="stage raw: it was last built by run second"):
        shop.publish(later)


def test_passing_the_gate_of_an_old_build_does_not_let_a_new_build_out(shop: TinyShop) -> None:
    run = shop.begin("first")
    shop.build(run)
    mark_stage(shop.warehouse, run, "profiles", "built")
    with pytest.raises(PublishRefused, match="stage profiles: its gate has not passed"):
        shop.publish(run)


def test_a_stage_built_in_part_cannot_be_published(shop: TinyShop) -> None:
    run = shop.begin("first")
    shop.build(run)
    mark_stage(shop.warehouse, run, "segments", "building")
    record_gate(shop.warehouse, run, "segments", [("rows", True, "{}")])
    with pytest.raises(PublishRefused, match="stage segments: only a part"):
        shop.publish(run)


def test_models_that_were_built_for_an_earlier_run_are_not_published_under_a_later_one(
    shop: TinyShop,
) -> None:
    run = shop.begin("first")
    shop.build(run)
    shop.warehouse.execute("UPDATE governance.int_current_run SET run_number = 0")
    with pytest.raises(PublishRefused, match="run number 0, not for this run, number 1"):
        shop.publish(run)


def test_a_candidate_that_its_gate_refuses_is_removed_and_the_old_set_stays(
    shop: TinyShop,
) -> None:
    shop.run("first")
    shop.version, shop.gate = 2, False
    run = shop.begin("second")
    shop.build(run)
    with pytest.raises(PublishRefused, match="stage serving"):
        shop.publish(run)
    assert [path.name for path in sets_dir(shop.settings).iterdir()] == ["00000001-first"]
    assert version_seen(shop) == 1
    assert shop.warehouse.rows("SELECT status FROM governance.runs ORDER BY run_number") == [
        ("published",),
        ("running",),
    ]


def test_a_gate_that_breaks_leaves_nothing_behind_and_the_next_run_publishes(
    shop: TinyShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> str:
        raise OSError(28, "No space left on device")

    run = shop.begin("first")
    shop.build(run)
    with monkeypatch.context() as patch:
        patch.setattr(set_files, "file_hash", broken)
        with pytest.raises(OSError, match="No space left"):
            shop.publish(run)
    assert list(sets_dir(shop.settings).iterdir()) == []
    assert shop.run("second").set_name == "00000002-second"


def test_an_undeclared_column_is_named_and_nothing_is_published(shop: TinyShop) -> None:
    run = shop.begin("first")
    shop.build(run)
    shop.warehouse.execute("ALTER TABLE profiles.dim_profiles ADD COLUMN shoe_colour VARCHAR")
    with pytest.raises(
        PublishRefused, match=r"profiles\.dim_profiles\.shoe_colour \(VARCHAR\); give each a class"
    ):
        shop.publish(run)


# --- what a set holds --------------------------------------------------------------------------


def test_a_published_run_is_recorded_with_its_set_its_roles_and_how_far_it_has_read(
    shop: TinyShop,
) -> None:
    shop.version = 3
    publication = shop.run("first")
    assert shop.warehouse.rows(
        "SELECT status, published_set, landing_high_water FROM governance.runs"
    ) == [("published", publication.set_name, 300)]
    assert shop.warehouse.rows(
        "SELECT run_id, set_name, role, tables, rows FROM serving.publications ORDER BY role"
    ) == [
        ("first", publication.set_name, role, 9, sum(publication.rows[role].values()))
        for role in ("analyst", "marketing")
    ]


def test_the_manifest_names_every_file_with_the_hash_of_its_bytes(shop: TinyShop) -> None:
    publication = shop.run("first")
    manifest = read_manifest(publication.set_path)
    found = {
        str(path.relative_to(publication.set_path)): file_hash(path)
        for path in publication.set_path.rglob("*.duckdb")
    }
    assert found == {
        f"{role}/{name}": file.sha256
        for role, files in manifest.roles.items()
        for name, file in files.items()
    }
    assert len(found) == 4
    verify_set(publication.set_path)


def test_a_file_that_was_changed_after_publishing_is_found(shop: TinyShop) -> None:
    publication = shop.run("first")
    path = publication.set_path / "analyst" / "core.duckdb"
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(20_000)
        byte = file.read(1)
        file.seek(20_000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(DamagedSet, match=r"analyst/core\.duckdb is not the file"):
        verify_set(publication.set_path)


def test_each_file_explains_itself(shop: TinyShop) -> None:
    publication = shop.run("first")
    for name in ("core", "facts"):
        path = publication.set_path / "analyst" / f"{name}.duckdb"
        with duckdb.connect(path, read_only=True) as file:
            comments = file.execute(
                "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name <> 'about' "
                "UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
            ).fetchall()
            assert all(comment for _, comment in comments), comments
            columns = file.execute(
                "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal "
                "AND schema_name <> 'about' AND comment IS NULL"
            ).fetchall()
            assert columns == []
            assert file.execute(
                "SELECT run_id, run_number, as_of IS NOT NULL, set_name FROM about.publication"
            ).fetchall() == [("first", 1, True, publication.set_name)]
            assert file.execute(
                "SELECT count(*) FROM about.columns WHERE description = ''"
            ).fetchall() == [(0,)]
            listed = dict(file.execute("SELECT table_name, row_count FROM about.tables").fetchall())
            assert {table for table, _ in comments} == set(listed)


def test_a_file_tells_how_fresh_each_source_is(shop: TinyShop) -> None:
    shop.warehouse.execute(
        "CREATE TABLE raw.web AS SELECT * FROM (VALUES "
        "(TIMESTAMP '2026-06-30 10:00', TIMESTAMP '2026-06-30 11:00')) "
        "AS v(occurred_at, landed_at);"
        "CREATE TABLE raw.loads AS SELECT 'shop' AS source, TIMESTAMP '2026-06-01' AS landed_at"
    )
    shop.run("first")
    with open_reader(shop.settings, "analyst") as reader:
        rows = reader.execute(
            "SELECT source, strftime(complete_until, '%m-%d %H'), is_stale "
            "FROM core.about.freshness WHERE source IN ('web', 'shop', 'crm') ORDER BY source"
        ).fetchall()
    assert rows == [("crm", None, True), ("shop", "06-01 00", True), ("web", "06-30 10", False)]


def test_a_segment_is_a_view_under_its_plain_name(shop: TinyShop) -> None:
    shop.run("first")
    with open_reader(shop.settings, "marketing") as reader:
        assert reader.execute("SELECT count(*) FROM loyal_customers").fetchall() == [(25,)]
        assert reader.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall() == [("loyal_customers",)]


def test_a_view_over_tables_that_the_role_does_not_have_is_copied(
    shop: TinyShop, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    shutil.copytree(shop.settings.config, config)
    (config / "roles.yml").write_text(
        "roles:\n  viewer:\n    description: Sees one segment.\n    shows: []\n"
        "    core: [segments.loyal_customers]\n"
    )
    shop.warehouse.settings = shop.settings.model_copy(update={"config": config})
    shop.run("first")
    with open_reader(shop.settings, "viewer") as reader:
        assert reader.execute("SELECT count(*), count(email) FROM loyal_customers").fetchall() == [
            (25, 0)
        ]


def test_a_segment_that_the_project_no_longer_has_is_not_published(shop: TinyShop) -> None:
    run = shop.begin("first")
    shop.build(run)
    shop.warehouse.execute("CREATE VIEW segments.taken_back AS SELECT 1 AS profile_id")
    assert "segments.taken_back" not in shop.publish(run).rows["marketing"]


# --- no more than what has changed ---------------------------------------------------------------


def same_as_warehouse(shop: TinyShop) -> None:
    """Every table of marketing, who sees everything, is row for row what the warehouse holds."""
    with open_reader(shop.settings, "marketing") as reader:
        tables = reader.execute(
            "SELECT database_name, schema_name, table_name FROM duckdb_tables() "
            "WHERE schema_name <> 'about'"
        ).fetchall()
        for database, schema, table in tables:
            published = reader.execute(
                f"SELECT * FROM {database}.{schema}.{table} ORDER BY ALL"
            ).fetchall()
            built = shop.warehouse.rows(f"SELECT * FROM {schema}.{table} ORDER BY ALL")
            assert published == built, f"{schema}.{table}"


def test_a_run_with_nothing_new_links_the_facts_and_tells_the_new_run_in_the_core(
    shop: TinyShop,
) -> None:
    first = shop.run("first")
    second = shop.run("second")
    assert second.files["analyst/facts.duckdb"] == "linked"
    assert os.path.samefile(
        first.set_path / "analyst" / "facts.duckdb", second.set_path / "analyst" / "facts.duckdb"
    )
    verify_set(second.set_path)
    with open_reader(shop.settings, "analyst") as reader:
        assert reader.execute(
            "SELECT core.run_id, facts.run_id FROM core.about.publication AS core, "
            "facts.about.publication AS facts"
        ).fetchall() == [("second", "first")]


def test_a_published_file_is_never_written_to_again(shop: TinyShop) -> None:
    first = shop.run("first")
    before = {path: file_hash(path) for path in first.set_path.rglob("*.duckdb")}
    shop.version = 2
    shop.run("second")
    assert {path: file_hash(path) for path in before} == before


CHANGES = {
    "new rows": "INSERT INTO {t} SELECT * REPLACE ({key} + 1000000 AS {key}) FROM {t} LIMIT 3",
    "removed rows": "DELETE FROM {t} WHERE {key} IN (5, 1900)",
    "a changed person": "UPDATE {t} SET profile_id = 7 WHERE {key} = 1501",
    "all rows": "UPDATE {t} SET profile_id = profile_id + 1",
    "no rows left": "DELETE FROM {t}",
    "a key twice": "INSERT INTO {t} SELECT * FROM {t} WHERE {key} = 11",
    "a key forgotten": "UPDATE {t} SET {key} = NULL WHERE {key} = 12",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("table", "key"),
    [("profiles.fct_events", "landing_number"), ("identity.dim_identifiers", "birth")],
)
def test_whatever_changes_in_a_table_the_next_set_is_what_the_warehouse_holds(
    shop: TinyShop, change: str, table: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_files, "_BUCKET", 500)
    monkeypatch.setattr(set_files, "_PARTS", 900)
    shop.people = 2_000
    run = shop.begin("first")
    shop.build(run)
    shop.publish(run)
    shop.fill = lambda: None  # type: ignore[method-assign]
    shop.warehouse.execute(CHANGES[change].format(t=table, key=key))
    publication = shop.run("second")
    file = "facts" if "fct" in table else "core"
    assert publication.files[f"marketing/{file}.duckdb"] == "patched"
    same_as_warehouse(shop)


def test_a_role_that_is_shown_less_since_gets_no_file_that_showed_it_more(
    home: Path, project: Path
) -> None:
    """Also where the run has begun before: what readers see goes by the moment of publishing."""
    config = home.parent / "config"
    shutil.copytree(PROJECT_ROOT / "config", config)
    settings = load_settings(home=home, config=config, threads=2)
    with open_warehouse(settings) as warehouse:
        shop = TinyShop(warehouse, project)
        shop.run("first")
        run = shop.begin("second")
        shop.build(run)
        roles = (config / "roles.yml").read_text(encoding="utf-8")
        assert "shows: all" in roles
        (config / "roles.yml").write_text(roles.replace("shows: all", "shows: []"))
        files = shop.publish(run).files
        assert set(files.values()) == {"written"}
        with open_reader(settings, "marketing") as reader:
            shown = reader.execute(
                "SELECT count(*) FROM core.about.columns "
                "WHERE is_shown AND personal_data IS NOT NULL"
            ).fetchone()
        assert shown == (0,)


def test_only_the_set_of_the_last_published_run_is_believed_to_have_what_nobody_touched(
    shop: TinyShop,
) -> None:
    """What is believed is seen by what it misses: a table that was changed all the same."""
    touched = ["profiles.fct_events"]
    shop.run("first")
    run = shop.begin("second")
    shop.build(run)
    shop.fill = lambda: None  # type: ignore[method-assign]
    shop.warehouse.execute("DELETE FROM profiles.fct_events WHERE landing_number = 3")
    assert shop.publish(run, untouched=touched).files["analyst/facts.duckdb"] == "linked"
    # A run of which this warehouse does not know, as after it was restored from a copy.
    shop.warehouse.execute("UPDATE governance.runs SET status = 'failed' WHERE run_id = 'second'")
    run = shop.begin("third")
    shop.warehouse.execute("UPDATE governance.runs SET status = 'failed' WHERE run_id = 'second'")
    shop.build(run)
    assert shop.publish(run, untouched=touched).files["analyst/facts.duckdb"] == "patched"
    same_as_warehouse(shop)


def test_a_change_of_logic_or_a_wish_to_rewrite_writes_every_file_from_nothing(
    shop: TinyShop,
) -> None:
    shop.run("first")
    shop.logic = "as changed"
    assert set(shop.run("second").files.values()) == {"written"}
    run = shop.begin("third")
    shop.build(run)
    assert set(shop.publish(run, rewrite=True).files.values()) == {"written"}


def test_a_file_that_has_grown_by_much_is_written_from_nothing(
    shop: TinyShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_files, "_SLACK", 0)
    ways = []
    for number in range(6):
        shop.version = number
        ways.append(shop.run(f"run{number}").files["marketing/facts.duckdb"])
    assert ways[0] == "written"
    assert "patched" in ways
    assert "written" in ways[1:]


def test_a_damaged_manifest_means_that_all_is_written_anew(shop: TinyShop) -> None:
    first = shop.run("first")
    run = shop.begin("second")
    shop.build(run)
    (first.set_path / "manifest.json").write_text("{")
    assert set(shop.publish(run).files.values()) == {"written"}


def test_old_sets_go_and_as_many_stay_as_the_settings_say(shop: TinyShop) -> None:
    for number in range(6):
        shop.run(f"run{number}")
    assert [path.name for path in published_sets(shop.settings)] == [
        "00000004-run3",
        "00000005-run4",
        "00000006-run5",
    ]
    current = current_set(shop.settings)
    assert current is not None
    assert current.name == "00000006-run5"


def test_a_run_that_publishes_twice_gets_a_path_of_its_own_each_time(shop: TinyShop) -> None:
    run = shop.begin("first")
    shop.build(run)
    assert shop.publish(run).set_name == "00000001-first"
    assert shop.publish(run).set_name == "00000001-first-2"
    assert version_seen(shop) == 1


def test_nothing_of_a_run_id_but_plain_letters_gets_into_a_path(shop: TinyShop) -> None:
    assert shop.run("../../etc/x y").set_name == "00000001-etcxy"
