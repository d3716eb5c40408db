"""The whole way on BigQuery itself, where the environment has a project for it.

Belongs here: the smoke run: what readers find there is what they find with the embedded engine.
Does not belong here: whatever a stand-in can show (`test_bigquery_*`).

Run by `make test-engines` with `CDP_BIGQUERY_PROJECT`, `CDP_BIGQUERY_LOCATION` and credentials, in
a project that has no dataset of ours yet: what it makes there, it takes away again. It costs a few
hundred small jobs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cdp.warehouse.settings import load_settings
from cdp.warehouse.store import SCHEMAS
from tests.engines.alike import answers_alike
from tests.engines.deliveries import IN_THE_SHOP, of_a_shop

pytestmark = [pytest.mark.engines, pytest.mark.slow]

OURS = ("set_", "serving_", "inbox_", "scratch_")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[str]:
    """An empty project, which is empty again afterwards."""
    if not find_spec("google.cloud.bigquery"):
        pytest.skip("google-cloud-bigquery is missing; `make engines` installs it")
    if not os.environ.get("CDP_BIGQUERY_PROJECT"):
        pytest.skip("nothing is executed on BigQuery: CDP_BIGQUERY_PROJECT is not set")
    from cdp.warehouse.engines.bigquery_store import client_of
    from cdp.warehouse.engines.checking import BadTarget

    settings = load_settings(home=tmp_path / "asking", target="bigquery")
    try:
        client = client_of(settings)
    except BadTarget as error:
        pytest.skip(f"nothing is executed on BigQuery: {error}")
    if there := sorted(ours(client)):
        pytest.skip(f"nothing is executed on BigQuery: the project has datasets {there} already")
    yield str(settings.bigquery_project)
    for name in ours(client):
        client.delete_dataset(name, delete_contents=True, not_found_ok=True)


def ours(client: Any) -> set[str]:
    names = {each.dataset_id for each in client.list_datasets()}
    return {name for name in names if name in SCHEMAS or name.startswith(OURS)}


def test_bigquery_answers_as_the_embedded_engine_does(tmp_path: Path, project: str) -> None:
    there = {"CDP_TARGET": "bigquery", "CDP_BIGQUERY_PROJECT": project}
    answers_alike(tmp_path, of_a_shop(30), IN_THE_SHOP[:2], there)
