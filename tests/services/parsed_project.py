"""The shipped project, parsed once for all processes of a test run.

Belongs here: letting dbt parse each deployment of a test from what the shipped one left, which
takes a sixth of the time: what is the same is not read again. Does not belong here: any deployment.
That what comes of it is the same stands in `tests/models/test_parsed_project.py`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp.warehouse.settings import PROJECT_ROOT, load_settings
from tests.services.made_once import made_once

FILE = "partial_parse.msgpack"

_WHERE_DBT_LOOKS = "DBT_PARTIAL_PARSE_FILE_PATH"


@pytest.fixture(scope="session", autouse=True)
def parsed_project(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Have dbt begin with the parsed project, here and in processes that tests start."""
    if any(item.get_closest_marker("integration") for item in request.session.items):
        made, _ = made_once(tmp_path_factory, "parsed", _parse)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(_WHERE_DBT_LOOKS, os.fspath(made / FILE))
            yield
    else:
        yield


def _parse(folder: Path) -> None:
    from cdp.generation import generate
    from cdp.warehouse.modelling import Models

    # A configuration elsewhere has a project of its own.
    config = folder / "config"
    shutil.copytree(PROJECT_ROOT / "config", config)
    settings = load_settings(home=folder / "home", config=config)
    project = generate(settings)
    for seed in (project / "seeds").glob("*.csv"):
        # No deployment's seed is this one, and each is parsed anew: what is parsed of a seed names
        # the folder from which its rows are loaded, and a seed may change after that.
        with seed.open("a", encoding="utf-8") as file:
            file.write("parsed, and never loaded\n")
    Models(settings, project).manifest()
    (settings.dbt_dir / "target" / FILE).rename(folder / FILE)
