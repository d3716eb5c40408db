"""`cdp profile show` with an id that a profile had before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cdp.warehouse.runs import finish_run
from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from cdp.warehouse.store import open_warehouse
from tests.cli.command import cdp, complaint
from tests.serving.tiny_shop import TinyShop, prepare_project

ROLES = """
roles:
  analyst:
    description: Analysts.
    shows: []
    core: [profiles.dim_profiles, identity.dim_identifiers, identity.dim_profile_ids]
"""


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, Path]:
    """A set in which 100 has become 7, and 101 is nobody's any more; its home and configuration."""
    home, config = tmp_path / "home", tmp_path / "config"
    shutil.copytree(PROJECT_ROOT / "config", config)
    (config / "roles.yml").write_text(ROLES)
    with open_warehouse(load_settings(home=home, config=config)) as warehouse:
        shop = TinyShop(warehouse, prepare_project(tmp_path / "project"))
        run = shop.begin("first")
        shop.build(run)
        warehouse.execute("DELETE FROM identity.dim_profile_ids")
        warehouse.insert(
            "identity.dim_profile_ids", [(100, 7, None), (101, None, None), (7, 7, None)]
        )
        shop.publish(run)
        finish_run(warehouse, run, "published")
    return home, config


def test_a_former_id_is_the_profile_that_it_belongs_to_now(published: tuple[Path, Path]) -> None:
    home, config = published
    done = cdp(home, "profile", "show", "100", "--no-evidence", "--json", config=config)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["profile_id"], told["former_id"]) == (7, 100)
    assert len(told["identifiers"]) == 1
    assert done.stderr == "100 is a former id, which belongs to profile 7 now.\n"
    now = cdp(home, "profile", "show", "7", "--no-evidence", "--json", config=config)
    assert json.loads(now.stdout) == told | {"former_id": None}
    assert now.stderr == ""


def test_a_former_id_of_nobody_is_told_as_one(published: tuple[Path, Path]) -> None:
    home, config = published
    done = cdp(home, "profile", "show", "101", config=config)
    assert done.returncode == 5
    assert complaint(done).startswith("101 is a former id, and none of its identifiers is anybody")
