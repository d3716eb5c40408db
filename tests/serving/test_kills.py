"""A run that is killed while it publishes: readers are answered, and the next run puts all right.

A kill at each named point here; many more, under the eyes of readers, in tests/kill/.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cdp.warehouse import fault_points
from cdp.warehouse.fault_points import POINTS
from cdp.warehouse.manifest import verify_set
from cdp.warehouse.publishing import recover_publication
from cdp.warehouse.readers import open_reader
from cdp.warehouse.serving_sets import current_set, published_sets, sets_dir
from tests.serving.killed_run import people_of, run_and_kill
from tests.serving.tiny_shop import TinyShop, open_shop, prepare_project, prepare_settings
from tests.serving.whole_set import Seen, look

PUBLISHING = [point for point in POINTS if point.startswith("publish.")]
SWAPPED = PUBLISHING[PUBLISHING.index("publish.after_swap") :]


def publish_version(shop: TinyShop, run_id: str, version: int) -> None:
    shop.version, shop.people = version, people_of(version)
    shop.run(run_id)


def version_read(home: Path) -> int | None:
    seen = Seen()
    with open_reader(prepare_settings(home), "analyst") as reader:
        version = look(reader, seen)
    assert seen.mixed == []
    return version


def all_is_right(shop: TinyShop, published: list[str]) -> None:
    """The record names exactly these runs, the pointer the last of them, and nothing lies about."""
    assert [
        row[0]
        for row in shop.warehouse.rows(
            "SELECT run_id FROM governance.runs WHERE status = 'published' ORDER BY run_number"
        )
    ] == published
    assert shop.warehouse.rows(
        "SELECT run_id, count(*) FROM serving.publications GROUP BY run_id ORDER BY run_id"
    ) == [(run_id, 2) for run_id in sorted(published)]
    current = current_set(shop.settings)
    assert current is not None
    assert (
        shop.warehouse.scalar(
            "SELECT published_set FROM governance.runs WHERE run_id = ?", [published[-1]]
        )
        == current.name
    )
    assert sorted(sets_dir(shop.settings).iterdir()) == published_sets(shop.settings)
    assert len(published_sets(shop.settings)) <= shop.settings.serving_sets_kept
    assert sorted(path.name for path in shop.settings.serving_dir.iterdir()) == ["current", "sets"]
    verify_set(current)


@pytest.fixture(scope="module")
def after_three_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data home with sets enough that the next run has an old one to remove."""
    folder = tmp_path_factory.mktemp("three-runs")
    project = prepare_project(folder / "project")
    with open_shop(folder / "home", project) as shop:
        for version in (1, 2, 3):
            publish_version(shop, f"run{version}", version)
    return folder / "home"


@pytest.mark.parametrize("point", PUBLISHING)
def test_after_a_kill_readers_have_a_whole_set_and_the_next_run_publishes(
    home: Path, project: Path, after_three_runs: Path, point: str
) -> None:
    shutil.copytree(after_three_runs, home, symlinks=True)
    run_and_kill(home, project, "killed", 4, point)

    was_swapped = point in SWAPPED
    assert version_read(home) == (4 if was_swapped else 3)
    with open_shop(home, project) as shop:
        unrecorded = was_swapped and SWAPPED.index(point) < SWAPPED.index("publish.after_record")
        assert recover_publication(shop.warehouse) == ("killed" if unrecorded else None)
        assert recover_publication(shop.warehouse) is None
        published = ["run1", "run2", "run3", *(["killed"] if was_swapped else [])]
        all_is_right(shop, published)
        publish_version(shop, "next", 5)
        all_is_right(shop, [*published, "next"])
    assert version_read(home) == 5


def test_the_very_first_run_killed_at_its_swap_is_put_right(home: Path, project: Path) -> None:
    run_and_kill(home, project, "killed", 1, "publish.after_swap")
    assert version_read(home) == 1
    with open_shop(home, project) as shop:
        publish_version(shop, "next", 2)
        all_is_right(shop, ["killed", "next"])


def test_a_killed_run_that_is_begun_again_under_its_id_keeps_what_it_has_published(
    home: Path, project: Path
) -> None:
    run_and_kill(home, project, "same", 1, "publish.after_swap")
    with open_shop(home, project) as shop:
        publish_version(shop, "same", 2)
        assert shop.warehouse.rows(
            "SELECT run_number, run_id, status FROM governance.runs ORDER BY run_number"
        ) == [(1, "same", "published"), (2, "same", "published")]
    assert version_read(home) == 2


def test_a_warehouse_begun_anew_beside_old_sets_does_not_take_them_for_its_own(
    home: Path, project: Path
) -> None:
    with open_shop(home, project) as shop:
        for number in (1, 2, 3):
            publish_version(shop, f"old{number}", number)
        settings = shop.settings
    settings.warehouse_file.unlink()
    with open_shop(home, project) as shop:
        run = shop.begin("new1")
        assert shop.warehouse.rows("SELECT run_id, status FROM governance.runs") == [
            ("new1", "running")
        ]
        assert version_read(home) == 3
        shop.version, shop.people = 4, people_of(4)
        shop.build(run)
        shop.publish(run)
        all_is_right(shop, ["new1"])
    assert version_read(home) == 4


def test_a_run_is_only_killed_at_points_that_are_declared() -> None:
    with pytest.raises(KeyError, match=r"no fault point is called 'publish\.nowhere'"):
        fault_points.arm("publish.nowhere")


def test_a_point_does_what_was_armed_on_the_pass_that_was_asked_for_and_once() -> None:
    passes: list[int] = []
    fault_points.arm("publish.after_file", lambda: passes.append(1), on_pass=3)
    for expected in (0, 0, 1, 1):
        fault_points.reached("publish.after_file")
        assert len(passes) == expected
    fault_points.disarm()
