"""The shipped project, parsed once for all processes of a test run.

Belongs here: letting dbt parse each deployment of a test from what the shipped one left, which
takes a sixth of the time: what is the same is not read again. Does not belong here: any deployment.
That what comes of it is the same stands in `tests/models/test_parsed_project.py`.
"""

from __future__ import annotations

import os
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

    settings = load_settings(home=folder / "home", config=PROJECT_ROOT / "config")
    # Parsed where it stands, for parsed seeds name the folder of their files.
    Models(settings, generate(settings)).manifest()
    (settings.dbt_dir / "target" / FILE).rename(folder / FILE)
